"""By which ways people are to be told of alerts, as the environment says."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.errors import StartError

if TYPE_CHECKING:
    from monitor.health.notifier import Timing
    from monitor.notify.channels import Channel

NOTIFY_VARIABLE = "EVTOP_NOTIFY"
COMMAND_VARIABLE = "EVTOP_NOTIFY_COMMAND"
WEBHOOK_VARIABLE = "EVTOP_NOTIFY_WEBHOOK_FILE"
"""A file whose first line is the URL, which may hold a token; a second line is the key that signs."""
APPRISE_VARIABLE = "EVTOP_NOTIFY_APPRISE_FILE"
"""A file with URLs of services that Apprise knows, one a line; `#` begins a comment."""
TIMES_VARIABLE = "EVTOP_NOTIFY_TIMES"
"""How long the first alert of a rule is held back, a change after that, and what does not change: `10s 5m 4h`."""
NOTIFY_VARIABLES = (NOTIFY_VARIABLE, COMMAND_VARIABLE, WEBHOOK_VARIABLE, APPRISE_VARIABLE, TIMES_VARIABLE)
BELL, DESKTOP, TITLE = "bell", "desktop", "title"
TERMINAL = (BELL, DESKTOP, TITLE)


@dataclass(frozen=True, slots=True)
class Telling:
    """What the terminal is told, of `TERMINAL`, and where else notifications go."""

    terminal: frozenset[str] = frozenset()
    channels: tuple[Channel, ...] = ()
    timing: Timing | None = None
    """When; None are the times of `monitor.health.notifier`."""


def chosen_telling(environment: Mapping[str, str] = os.environ) -> Telling:
    """What the environment says; nothing where it says nothing.

    Raises:
        StartError: a variable cannot be used; the message names it.
    """
    words = [word.strip() for word in environment.get(NOTIFY_VARIABLE, "").split(",") if word.strip()]
    for word in words:
        if word not in TERMINAL:
            raise StartError(f"{NOTIFY_VARIABLE}: no way {word!r}; there are {', '.join(TERMINAL)}")
    channels: list[Channel] = []
    if command := environment.get(COMMAND_VARIABLE, ""):
        from monitor.notify.channels import Command

        try:
            arguments = shlex.split(command)
        except ValueError as error:
            raise StartError(f"{COMMAND_VARIABLE}: {error}") from None
        if not arguments:
            raise StartError(f"{COMMAND_VARIABLE}: no program")
        channels.append(Command(arguments))
    if file := environment.get(WEBHOOK_VARIABLE, ""):
        channels.append(_webhook(Path(file)))
    if file := environment.get(APPRISE_VARIABLE, ""):
        channels += _services(Path(file))
    return Telling(frozenset(words), tuple(channels), _timing(environment.get(TIMES_VARIABLE, "")))


def _timing(text: str) -> Timing | None:
    if not text.strip():
        return None
    from monitor.health.notifier import Timing
    from store.query.moments import parse_span

    try:
        wait, interval, repeat = map(parse_span, text.split())
    except ValueError:
        raise StartError(f"{TIMES_VARIABLE}: three lengths of time, as in 10s 5m 4h") from None
    return Timing(wait, interval, repeat)


def _lines(variable: str, file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise StartError(f"{variable}: {file}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise StartError(f"{variable}: {file}: not UTF-8") from None


def _services(file: Path) -> list[Channel]:
    from monitor.notify.apprise_services import Service, ServiceError
    from store.credentials import secret

    lines = [line.strip() for line in _lines(APPRISE_VARIABLE, file)]
    try:
        return [Service(secret(line)) for line in lines if line and not line.startswith("#")]
    except ServiceError as error:
        raise StartError(f"{APPRISE_VARIABLE}: {file}: {error}") from None


def _webhook(file: Path) -> Channel:
    from monitor.notify.channels import Webhook
    from store.credentials import secret

    lines = _lines(WEBHOOK_VARIABLE, file)
    url, key = (line.strip() for line in (*lines, "", "")[:2])
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web:
        raise StartError(f"{WEBHOOK_VARIABLE}: {file}: its first line is no URL of http or https")
    return Webhook(secret(url), secret(key) if key else None)

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
    from monitor.notify.channels import Channel

NOTIFY_VARIABLE = "EVTOP_NOTIFY"
COMMAND_VARIABLE = "EVTOP_NOTIFY_COMMAND"
WEBHOOK_VARIABLE = "EVTOP_NOTIFY_WEBHOOK_FILE"
"""A file whose first line is the URL, which may hold a token; a second line is the key that signs."""
BELL, DESKTOP, TITLE = "bell", "desktop", "title"
TERMINAL = (BELL, DESKTOP, TITLE)


@dataclass(frozen=True, slots=True)
class Telling:
    """What the terminal is told, of `TERMINAL`, and where else notifications go."""

    terminal: frozenset[str] = frozenset()
    channels: tuple[Channel, ...] = ()


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
    return Telling(frozenset(words), tuple(channels))


def _webhook(file: Path) -> Channel:
    from monitor.notify.channels import Webhook
    from store.credentials import secret

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise StartError(f"{WEBHOOK_VARIABLE}: {file}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise StartError(f"{WEBHOOK_VARIABLE}: {file}: not UTF-8") from None
    url, key = (line.strip() for line in (*lines, "", "")[:2])
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web:
        raise StartError(f"{WEBHOOK_VARIABLE}: {file}: its first line is no URL of http or https")
    return Webhook(secret(url), secret(key) if key else None)

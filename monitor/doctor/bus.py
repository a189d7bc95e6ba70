"""The bus: connecting, encryption, the account, and the right to subscribe."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from monitor.doctor.finding import Finding, Result
from monitor.settings import Settings
from store.bus import CHANNEL, Disconnected, Subscribed
from store.bus_url import BUS_SETTING, EMBEDDED, NO_BUS, transport_weakness
from store.embedded import EmbeddedBus, server_program
from store.redis_bus import RedisBus

WITHIN = 10.0
"""Seconds that the server may take to let us subscribe."""
STEPS = ("connect", "encryption", "account", "subscribe")
_SIGNS = (
    ("encryption", re.compile(r"certificate|\bssl\b|\btls\b", re.IGNORECASE)),
    ("account", re.compile(r"WRONGPASS|NOAUTH|authenticat|username-password|\bAUTH\b", re.IGNORECASE)),
    ("subscribe", re.compile(r"NOPERM|no permission|can't run this command|channel", re.IGNORECASE)),
)
_ADVICE = {
    "connect": f"is the server running, and {BUS_SETTING} right? `evtop config show`",
    "encryption": "name the authority with ?ssl_ca_certs=FILE; rediss:// needs a server that speaks TLS",
    "account": "check the user in EVTOP_BUS and the password in EVTOP_BUS_PASSWORD_FILE",
    "subscribe": f"the account needs +subscribe +ping and &evtop:*, see docs/operations.md ({CHANNEL})",
}


async def examine_bus(settings: Settings) -> AsyncIterator[Finding]:
    """Try to subscribe to the bus of `settings`; nothing is published, and no server is started."""
    if settings.bus == NO_BUS:
        yield Finding("bus", "connect", Result.SKIPPED, f"{BUS_SETTING}=none: the store is polled")
        return
    url = settings.bus_url
    if settings.bus == EMBEDDED:
        try:
            embedded = EmbeddedBus(settings.runtime)
            program = server_program()
        except OSError as error:
            yield Finding("bus", "private bus", Result.BROKEN, str(error))
            return
        if not _listens(embedded):
            found = f"not running; the console starts {program.name} on {embedded.socket}"
            yield Finding("bus", "private bus", Result.OK, found)
            return
        url = SecretStr(embedded.url)
    try:
        bus = RedisBus(url)
    except ValueError as error:
        yield Finding("bus", "connect", Result.BROKEN, f"{BUS_SETTING}: {error}")
        return
    try:
        failure = await _failure(bus)
    finally:
        await bus.close()
    for finding in findings(bus.address, url, failure):
        yield finding


def findings(address: str, url: SecretStr, failure: str | None) -> list[Finding]:
    """What subscribing has shown of each step. `failure` is why it failed; None when it did not."""
    failed = None if failure is None else failed_step(failure)
    found: list[Finding] = []
    for step in STEPS:
        if failed is not None and STEPS.index(step) > STEPS.index(failed):
            found.append(Finding("bus", step, Result.SKIPPED, "not reached"))
        elif step == failed:
            found.append(Finding("bus", step, Result.BROKEN, f"{address}: {failure}", _ADVICE[step]))
        elif step == "encryption":
            found.append(_encryption(url))
        else:
            said = {"connect": address, "account": _account(url), "subscribe": CHANNEL}
            found.append(Finding("bus", step, Result.OK, said[step]))
    return found


def failed_step(reason: str) -> str:
    """Which of `STEPS` it is that failed, by what server and driver say."""
    return next((step for step, sign in _SIGNS if sign.search(reason)), "connect")


def _encryption(url: SecretStr) -> Finding:
    weakness = transport_weakness(url)
    if weakness is not None:
        return Finding("bus", "encryption", Result.WARNING, weakness)
    is_tls = url.get_secret_value().startswith("rediss:")
    return Finding(
        "bus", "encryption", Result.OK, "certificate and name checked" if is_tls else "within this machine"
    )


def _account(url: SecretStr) -> str:
    user = urlsplit(url.get_secret_value()).username
    return f"as {unquote(user)}" if user else "as the default user"


async def _failure(bus: RedisBus) -> str | None:
    try:
        async with asyncio.timeout(WITHIN), bus.subscribe() as signals:
            async for signal in signals:
                match signal:
                    case Subscribed():
                        return None
                    case Disconnected(reason):
                        return reason
                    case _:
                        continue
    except TimeoutError:
        return f"no answer within {WITHIN:g} s"
    return "closed"


def _listens(bus: EmbeddedBus) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(bus.socket))
        except OSError:
            return False
    return True

"""The console in a terminal: opened, run, closed, and the terminal as it was."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from monitor.cli.options import fail
from monitor.settings import Settings
from store.bus_url import EMBEDDED, NO_BUS

if TYPE_CHECKING:
    from monitor.backend import Backend

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""Signals that wait while the console takes over the terminal, or they would leave it as it is then."""


def open_console(settings: Settings, connect: Callable[[], Awaitable[Backend]] | None = None) -> int:
    """Run the console; returns the exit status. A store that cannot be used is one line on stderr.

    `connect` opens the store and the bus; by default, those of `settings`.
    """
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        fail("the console needs a terminal; `evtop tail` prints events to a pipe")
    from monitor.app import EvtopApp
    from monitor.garbage import GarbageCollection

    async def open_chosen() -> Backend:
        # The console listens to signals by now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if connect is not None:
            return await connect()
        from monitor.backend import open_backend

        return await open_backend(settings)

    console = EvtopApp(open_chosen, name=settings.name, places=places(settings), garbage=GarbageCollection())
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    console.run(mouse=False)
    if console.failure:
        fail(console.failure)
    return console.return_code or 0


def places(settings: Settings) -> list[tuple[str, str]]:
    """Where the store and the bus are, without credentials, for the help."""
    bus = settings.bus
    if bus == EMBEDDED:
        where = f"{settings.runtime / 'bus.sock'} (private Valkey, started by the console)"
    elif bus == NO_BUS:
        where = "none; the store is polled"
    else:
        where = _without_credentials(bus)
    return [("store", _without_credentials(settings.store)), ("bus", where), ("process", str(os.getpid()))]


def _without_credentials(url: str) -> str:
    """`url` without user, password and query; hardly anything of one that may have a password elsewhere."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "(not a URL)"
    place, _, query = rest.partition("?")
    # What is no host starts at the slash. A password that should have been quoted may contain anything.
    if place.startswith("/"):
        return f"{scheme}://{place}"
    return f"{scheme}://{'…' if '@' in query else place.rpartition('@')[2]}"

"""The console in a terminal: opened, run, closed, and the terminal as it was."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from monitor.cli.options import fail, say
from monitor.errors import StartError
from monitor.fit.choices import Options, TerminalFit
from monitor.garbage import GarbageCollection, while_importing
from monitor.settings import RULES_VARIABLE, ZONE_VARIABLE, Settings, window_rows
from store.bus_url import EMBEDDED, NO_BUS

if TYPE_CHECKING:
    from monitor.backend import Backend
    from monitor.model.place import Place
    from monitor.model.start import Start
    from monitor.zone import Zone

SIZE_WITHIN = 1.0
"""Seconds that a terminal without a size may take to get one: containers tell it a moment after the start."""


def start_zone(name: str | None) -> Zone:
    """The zone that the console starts in: what --zone says, else EVTOP_ZONE, else UTC; an unknown one ends it all."""
    from monitor.zone import Zone
    from monitor.zone_names import zone_named

    for where, text in (("--zone", name), (ZONE_VARIABLE, os.environ.get(ZONE_VARIABLE))):
        if text or (text is not None and where == "--zone"):
            try:
                return zone_named(text)
            except ValueError as error:
                fail(f"{where}: {error}")
    return Zone.UTC


def start_place(query: str | None, at: str | None, zone: tzinfo | None = UTC) -> Place | None:
    """Where the console is to start. What cannot be read ends the program with one line.

    A moment is read as the console shows times at its start: without an offset, in `zone`.
    """
    if query is None and at is None:
        return None
    from monitor.model.filter import Filter
    from monitor.model.place import Place
    from store.query.moments import parse_moment
    from store.query.parser import parse

    now = datetime.now(UTC)
    try:
        shown = Filter() if query is None else Filter().with_query(query, parse(query, now, zone))
    except ValueError as error:
        fail(f"--query: {error}")
    try:
        return Place(shown, None if at is None else parse_moment(at, now, zone))
    except ValueError as error:
        fail(f"--at: {error}")


def open_console(
    settings: Settings,
    connect: Callable[[], Awaitable[Backend]] | None = None,
    options: Options | None = None,
    start: Start | None = None,
    keeps_last: bool = False,
    now: Callable[[], datetime] | None = None,
    where: list[tuple[str, str]] | None = None,
    sources: tuple[str, ...] = (),
) -> int:
    """Run the console; returns the exit status. A store that cannot be used is one line on stderr.

    `connect` opens the store and the bus; by default, those of `settings`. `options` say how it is drawn, `start` what
    to show first. What is shown at the end is kept for the next start where it `keeps_last`. `now` is what time it is,
    `where` what the help says of where things are, `sources` which files are read.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until the terminal is taken there is nothing to put back, and no traceback to show.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    _require_terminal()
    try:
        fit = TerminalFit.chosen(options or Options())
        window = window_rows()
    except StartError as error:
        fail(str(error))
    with while_importing():
        from monitor.app import EvtopApp
        from monitor.fit.keymap import load_keymap
        from monitor.model.start import Start
        from monitor.notify.chosen import chosen_telling
        from monitor.rules import chosen_rules
        from monitor.views import ViewFile

    async def open_chosen() -> Backend:
        from monitor.backend import open_backend

        return await open_backend(settings)

    try:
        telling = chosen_telling()
        keymap = load_keymap(fit.keys) if fit.keys else {}
    except StartError as error:
        fail(str(error))
    try:
        # The ones that evtop comes with can wait until the first paint is out; what may be wrong cannot.
        rules = chosen_rules(settings.rules) if settings.rules is not None else None
    except StartError as error:
        fail(f"{RULES_VARIABLE} {error}")
    console = EvtopApp(
        connect or open_chosen,
        name=settings.name,
        places=places(settings) if where is None else where,
        sources=sources,
        now=now or (lambda: datetime.now(UTC)),
        garbage=GarbageCollection(),
        start=start or Start(zone=start_zone(None)),
        views=ViewFile.saved(),
        last=ViewFile.last() if keeps_last else None,
        fit=fit,
        window=window,
        rules=rules,
        telling=telling,
    )
    console.set_keymap(keymap)
    console.run(mouse=fit.mouse)
    if console.unkept:
        say(f"what was shown is not kept: {console.unkept}")
    if console.failure:
        fail(console.failure)
    return console.return_code or 0


def _require_terminal() -> None:
    """Fail where the console could not be drawn, or could not be left."""
    if not os.isatty(0) or not os.isatty(1):
        fail("the console needs a terminal; `evtop tail` prints events to a pipe")
    term = os.environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        fail(f"the console cannot draw on this terminal: TERM is {term or 'not set'}")
    from monitor.terminal_device import terminal_size

    deadline = time.monotonic() + SIZE_WITHIN
    while terminal_size() is None:
        if time.monotonic() >= deadline:
            fail("the terminal does not tell its size; set it: stty rows 24 columns 80")
        time.sleep(0.02)


def places(settings: Settings) -> list[tuple[str, str]]:
    """Where the store and the bus are, without credentials, for the help."""
    bus = settings.bus
    if bus == EMBEDDED:
        where = f"{settings.runtime / 'bus.sock'} (private Valkey, started by the console)"
    elif bus == NO_BUS:
        where = "none; the store is polled"
    else:
        where = without_credentials(bus)
    return [
        ("store", without_credentials(settings.store)),
        ("bus", where),
        ("process", str(os.getpid())),
        *(("warning", line) for line in settings.warnings),
    ]


def without_credentials(url: str) -> str:
    """`url` without user, password and query; hardly anything of one that may have a password elsewhere."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "(not a URL)"
    place, _, query = rest.partition("?")
    # What is no host starts at the slash. A password that should have been quoted may contain anything.
    if place.startswith("/"):
        return f"{scheme}://{place}"
    return f"{scheme}://{'…' if '@' in query else place.rpartition('@')[2]}"

"""`evtop tail`: events as lines, for pipes and for terminals without a console."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from monitor.cli.following import follow_feed
from monitor.cli.malformed import LATEST, print_malformed
from monitor.cli.options import Demo, Rows, ShowPersonal, chosen_settings, fail, run_to_end, say, write
from monitor.cli.selection import (
    ExitCode,
    Query,
    Since,
    Until,
    Zone,
    chosen_events,
    chosen_zone,
    found_status,
)
from monitor.cli.zones import ZoneName

if TYPE_CHECKING:
    from monitor.model.arrivals import Arrivals, FeedStatus
    from monitor.settings import Settings
    from store.event import Event
    from store.event_filter import EventFilter

LINES_MAX = 1_000_000
"""They are read into memory before the first is written, as the latest come last."""
NEWS_ATTEMPT = 4
"""The try to reach the bus from which on it counts as away; a private one that is being started takes some."""


def tail(
    query: Query = None,
    lines: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", min=0, max=LINES_MAX, help="How many of the latest events: 10, or 100 malformed."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens.")] = False,
    since: Since = None,
    until: Until = None,
    count: Annotated[
        bool, typer.Option("--count", help="Print how many there are, and nothing else.")
    ] = False,
    malformed: Annotated[
        bool,
        typer.Option(
            "--malformed",
            help="What is no event, with the reason: rows of the store, and with -f messages on the channel.",
        ),
    ] = False,
    output: Annotated[
        Rows, typer.Option("--output", "-o", help="Plain text, a JSON object a line, or CSV.")
    ] = Rows.TEXT,
    zone: ZoneName = None,
    exit_code: ExitCode = False,
    show_personal: ShowPersonal = False,
    demo: Demo = False,
) -> None:
    """Print the latest events, oldest first.

    A filter that begins with a minus goes after --, as in `evtop tail -- -actor:system`.

    TIME is a moment (2026-11-21, 2026-11-21T14:05, 2026-11-21T14:05:30Z) or how long ago it was (30s, 15m, 2h, 3d, 1w),
    or the last time it was 14:05.

    Exit status 0, also when nothing matches, unless --exit-code asks for 4; 1 when something went wrong.
    """
    if count and follow:
        fail("--count and --follow exclude each other")
    if exit_code and follow:
        fail("--exit-code and --follow exclude each other")
    if malformed and (query or since or until or count):
        fail("--malformed takes neither a filter nor a span, and --count excludes it")
    if malformed and output is Rows.CSV:
        fail("--malformed is written as text or json")
    written_in = chosen_zone(zone)
    chosen = chosen_events(query, since, until, written_in)
    settings = chosen_settings(demo, show_personal=show_personal)
    with suppress(BrokenPipeError):
        # The reader of the pipe has seen enough.
        if count:
            number = run_to_end(_count(settings, chosen))
            write(str(number))
        elif malformed:
            latest = LATEST if lines is None else lines
            number = run_to_end(print_malformed(settings, latest, follow, output is Rows.JSON))
        else:
            latest = 10 if lines is None else lines
            number = run_to_end(_tail(settings, chosen, latest, follow, output, written_in))
        raise typer.Exit(found_status(number, exit_code))


async def _count(settings: Settings, chosen: EventFilter) -> int:
    from monitor.backend import open_store

    async with await open_store(settings, announce=False, create=False) as store:
        return await store.count(chosen)


async def _tail(
    settings: Settings, chosen: EventFilter, lines: int, follow: bool, output: Rows, zone: Zone
) -> int:
    """Print the latest events; returns how many they were."""
    from monitor.backend import open_backend, open_store

    if not follow:
        async with await open_store(settings, announce=False, create=False) as store:
            latest = await store.list_events(chosen, limit=lines)
        print_event = _printer(output, zone)
        for event in reversed(latest):
            print_event(event)
        return len(latest)
    backend = await open_backend(settings)
    try:
        position = await backend.store.repository.last_position()
        shown = _Following(chosen, _printer(output, zone), position)
        shown.write_first(await backend.before(None, lines, chosen))
        await follow_feed(backend, shown.take_in)
    finally:
        await backend.close()
    return 0


class _Following:
    """Writes what arrives and matches, and says on stderr when bus or store go and come back.

    `position` is the last one of the store before its latest events were read.
    """

    def __init__(self, chosen: EventFilter, print_event: Callable[[Event], None], position: int) -> None:
        from store.query.predicate import compile_predicate

        self._matches = compile_predicate(chosen.node)
        self._since, self._until = chosen.since, chosen.until
        self._print = print_event
        self._position = position
        self._first: frozenset[UUID] = frozenset()
        self._away = False
        self._store_error = ""

    def write_first(self, newest: Sequence[Event]) -> None:
        """Write the latest events of the store, given newest first."""
        for event in reversed(newest):
            self._print(event)
        self._first = frozenset(event.id for event in newest)
        sys.stdout.flush()

    def take_in(self, arrivals: Arrivals) -> None:
        """Write what one frame brought."""
        events = list(arrivals.events)
        if arrivals.opening is not None:
            # What was committed between two looks at the store: at the start, or when too much was missed.
            events += (event for event in arrivals.opening.newest if (event.position or 0) > self._position)
        for event in sorted(events, key=lambda event: event.sort_key):
            self._position = max(self._position, event.position or 0)
            if event.id not in self._first and self._in_time(event) and self._matches(event):
                self._print(event)
        sys.stdout.flush()
        for gap in arrivals.gaps:
            if gap.left_out:
                say(f"too far behind: of {gap.left_out:,} events only the newest are shown")
        self._say_state(arrivals.status)

    def _in_time(self, event: Event) -> bool:
        return (self._since is None or event.inserted_at >= self._since) and (
            self._until is None or event.inserted_at < self._until
        )

    def _say_state(self, status: FeedStatus) -> None:
        if status.store_error != self._store_error:
            self._store_error = status.store_error
            say(status.store_error or "the store is back")
        away = status.attempt >= NEWS_ATTEMPT
        if away != self._away and (away or status.link == "live"):
            self._away = away
            say(f"{status.link}: {status.reason}" if away else str(status.link))


def _printer(output: Rows, zone: Zone) -> Callable[[Event], None]:
    if output is Rows.JSON:
        from monitor.export.ndjson import json_line

        def print_json(event: Event) -> None:
            print(json_line(event))  # noqa: T201

        return print_json
    if output is Rows.CSV:
        from monitor.export.csv_rows import COLUMNS, csv_line, event_line

        print(csv_line(COLUMNS))  # noqa: T201

        def print_csv(event: Event) -> None:
            print(event_line(event, zone.written))  # noqa: T201

        return print_csv

    from monitor.model.summary import summarise
    from monitor.zone import iso

    def print_text(event: Event) -> None:
        severity = event.severity.value if event.severity else "-"
        parts = [iso(event.inserted_at, zone.written, "milliseconds"), f"{severity:7}"]
        parts.extend((event.event_type, event.resource or "-", event.actor, summarise(event)))
        write("  ".join(parts))

    return print_text

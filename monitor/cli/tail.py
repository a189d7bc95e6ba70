"""`evtop tail`: events as lines, for pipes and for terminals without a console."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from monitor.cli.following import follow_feed
from monitor.cli.malformed import LATEST, print_malformed
from monitor.cli.options import Demo, Output, ascii_json, chosen_settings, fail, run_to_end, say, write
from monitor.cli.times import parse_moment

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
    query: Annotated[
        list[str] | None, typer.Argument(help="A filter, as in the console.", metavar="FILTER")
    ] = None,
    lines: Annotated[
        int | None,
        typer.Option(
            "--lines", "-n", min=0, max=LINES_MAX, help="How many of the latest events: 10, or 100 malformed."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="From then on: ISO 8601, in local time without an offset, or 15m ago."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Up to then, and without it; written like --since.")
    ] = None,
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
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object a line.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Print the latest events, oldest first.

    A filter that begins with a minus goes after --, as in `evtop tail -- -actor:system`.

    TIME is a moment (2026-11-21, 2026-11-21T14:05, 2026-11-21T14:05:30Z) or how long ago it was (30s, 15m, 2h, 3d, 1w).
    """
    if count and follow:
        fail("--count and --follow exclude each other")
    if malformed and (query or since or until or count):
        fail("--malformed takes neither a filter nor a span, and --count excludes it")
    chosen = _filter(" ".join(query or []), since, until)
    settings = chosen_settings(demo)
    if count:
        write(str(run_to_end(_count(settings, chosen))))
        return
    with suppress(BrokenPipeError):
        # The reader of the pipe has seen enough.
        if malformed:
            run_to_end(print_malformed(settings, LATEST if lines is None else lines, follow, output))
        else:
            run_to_end(_tail(settings, chosen, 10 if lines is None else lines, follow, output))


def _filter(query: str, since: str | None, until: str | None) -> EventFilter:
    from store.event_filter import EventFilter
    from store.query.parser import parse
    from store.query.syntax import QueryError

    now = datetime.now(UTC)
    bounds: list[datetime | None] = []
    for name, text in (("--since", since), ("--until", until)):
        try:
            bounds.append(None if text is None else parse_moment(text, now))
        except ValueError as error:
            fail(f"{name}: {error}")
    try:
        return EventFilter(query=parse(query), since=bounds[0], until=bounds[1])
    except QueryError as error:
        fail(f"column {error.column + 1}: {error}")


async def _count(settings: Settings, chosen: EventFilter) -> int:
    from monitor.backend import open_store

    async with await open_store(settings, announce=False, create=False) as store:
        return await store.count(chosen)


async def _tail(settings: Settings, chosen: EventFilter, lines: int, follow: bool, output: Output) -> None:
    from monitor.backend import open_backend, open_store

    print_event = _printer(output)
    if not follow:
        async with await open_store(settings, announce=False, create=False) as store:
            for event in reversed(await store.list_events(chosen, limit=lines)):
                print_event(event)
        return
    backend = await open_backend(settings)
    try:
        shown = _Following(chosen, print_event, await backend.store.repository.last_position())
        shown.write_first(await backend.before(None, lines, chosen))
        await follow_feed(backend, shown.take_in)
    finally:
        await backend.close()


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


def _printer(output: Output) -> Callable[[Event], None]:
    if output is Output.JSON:
        from store.wire import encode

        def print_json(event: Event) -> None:
            # ASCII only: a terminal must not see the control characters that JSON would let through.
            print(ascii_json(encode(event).decode()))  # noqa: T201

        return print_json

    from monitor.model.summary import summarise

    def print_text(event: Event) -> None:
        severity = event.severity.value if event.severity else "-"
        parts = [event.inserted_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), f"{severity:7}"]
        parts.extend((event.event_type, event.resource or "-", event.actor, summarise(event)))
        write("  ".join(parts))

    return print_text

"""`evtop tail`: events as lines, for pipes and for terminals without a console."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from monitor.cli.options import Demo, chosen_settings, fail, run_to_end

if TYPE_CHECKING:
    from monitor.model.arrivals import Arrivals, FeedStatus
    from monitor.settings import Settings
    from store.event import Event
    from store.query.syntax import Node

LINES_MAX = 1_000_000
"""They are read into memory before the first is written, as the latest come last."""
NEWS_ATTEMPT = 4
"""The try to reach the bus from which on it counts as away; a private one that is being started takes some."""


class Output(StrEnum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"


def tail(
    query: Annotated[
        list[str] | None, typer.Argument(help="A filter, as in the console.", metavar="FILTER")
    ] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=LINES_MAX, help="How many of the latest events.")
    ] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens.")] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object a line.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Print the latest events, oldest first."""
    from store.query.parser import parse
    from store.query.syntax import QueryError

    try:
        node = parse(" ".join(query or []))
    except QueryError as error:
        fail(f"column {error.column + 1}: {error}")
    try:
        run_to_end(_tail(chosen_settings(demo), node, lines, follow, output))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of the pipe has seen enough. Python flushes once more at its exit, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _tail(settings: Settings, node: Node, lines: int, follow: bool, output: Output) -> None:
    from monitor.backend import open_backend, open_store

    write = _writer(output)
    if not follow:
        async with await open_store(settings, announce=False) as store:
            for event in reversed(await store.repository.newest(lines, node)):
                write(event)
        return
    backend = await open_backend(settings)
    try:
        shown = _Following(node, write, await backend.store.repository.last_position())
        shown.write_first(await backend.before(None, lines, node))
        await backend.run(shown.take_in)
    except BaseExceptionGroup as group:
        # The feed runs in a task group, which wraps whatever the writer raises.
        if group.subgroup(BrokenPipeError) is None:
            raise
        raise BrokenPipeError from None
    finally:
        await backend.close()


class _Following:
    """Writes what arrives and matches, and says on stderr when bus or store go and come back.

    `position` is the last one of the store before its latest events were read.
    """

    def __init__(self, node: Node, write: Callable[[Event], None], position: int) -> None:
        from store.query.predicate import compile_predicate

        self._matches = compile_predicate(node)
        self._write = write
        self._position = position
        self._first: frozenset[UUID] = frozenset()
        self._away = False
        self._store_error = ""

    def write_first(self, newest: Sequence[Event]) -> None:
        """Write the latest events of the store, given newest first."""
        for event in reversed(newest):
            self._write(event)
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
            if event.id not in self._first and self._matches(event):
                self._write(event)
        sys.stdout.flush()
        for gap in arrivals.gaps:
            if gap.left_out:
                _say(f"too far behind: of {gap.left_out:,} events only the newest are shown")
        self._say_state(arrivals.status)

    def _say_state(self, status: FeedStatus) -> None:
        if status.store_error != self._store_error:
            self._store_error = status.store_error
            _say(status.store_error or "the store is back")
        away = status.attempt >= NEWS_ATTEMPT
        if away != self._away and (away or status.link == "live"):
            self._away = away
            _say(f"{status.link}: {status.reason}" if away else str(status.link))


def _say(message: str) -> None:
    from monitor.text import clean

    print(f"evtop: {clean(message)}", file=sys.stderr)  # noqa: T201


def _writer(output: Output) -> Callable[[Event], None]:
    if output is Output.JSON:
        from store.wire import encode

        def write_json(event: Event) -> None:
            # ASCII only: a terminal must not see the control characters that JSON would let through.
            print(ascii_json(encode(event)))  # noqa: T201

        return write_json

    from monitor.model.summary import summarise
    from monitor.text import clean

    def write_text(event: Event) -> None:
        severity = event.severity.value if event.severity else "-"
        parts = [event.inserted_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"), f"{severity:7}"]
        parts.extend((event.event_type, event.resource or "-", event.actor, summarise(event)))
        print(clean("  ".join(parts)))  # noqa: T201

    return write_text


def ascii_json(payload: bytes) -> str:
    """A JSON document with everything but printable ASCII escaped."""
    return "".join(
        character if " " <= character <= "~" else _escaped(character) for character in payload.decode()
    )


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))

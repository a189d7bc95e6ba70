"""`evtop tail`: events as lines, for pipes and for terminals without a console."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import Demo, chosen_settings, fail, run_to_end

if TYPE_CHECKING:
    from monitor.model.arrivals import Arrivals
    from monitor.settings import Settings
    from store.event import Event
    from store.query.syntax import Node


class Output(StrEnum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"


def tail(
    query: Annotated[
        list[str] | None, typer.Argument(help="A filter, as in the console.", metavar="FILTER")
    ] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the latest events.")] = 10,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens.")] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object a line.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Print the latest events, oldest first."""
    from store.query.parser import parse
    from store.query.syntax import QueryError

    text = " ".join(query or [])
    try:
        node = parse(text)
    except QueryError as error:
        fail(f"column {error.column + 1}: {error}")
    try:
        run_to_end(_tail(chosen_settings(demo), node, lines, follow, output))
    except BrokenPipeError:
        # The reader of the pipe has seen enough; Python would complain again while it flushes at exit.
        sys.stderr.close()
        raise typer.Exit(0) from None


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
        shown = _Following(node, write)
        for event in reversed(await backend.before(None, lines, node)):
            shown.write(event)
        await backend.run(shown.take_in)
    finally:
        await backend.close()


class _Following:
    """Writes what arrives and matches; what was printed from the store already is not printed again."""

    def __init__(self, node: Node, write: Callable[[Event], None]) -> None:
        from store.query.predicate import compile_predicate

        self._matches = compile_predicate(node)
        self._write = write
        self._position = 0
        self._link = ""

    def write(self, event: Event) -> None:
        self._position = max(self._position, event.position or 0)
        self._write(event)

    def take_in(self, arrivals: Arrivals) -> None:
        if arrivals.opening is not None:
            missed = [event for event in arrivals.opening.newest if (event.position or 0) > self._position]
            for event in sorted(missed, key=lambda event: event.sort_key) if self._position else []:
                if self._matches(event):
                    self._write(event)
        for event in sorted(arrivals.events, key=lambda event: event.sort_key):
            if self._matches(event):
                self._write(event)
        sys.stdout.flush()
        link = str(arrivals.status.link)
        if link != self._link and self._link not in {"", "connecting"}:
            from monitor.text import clean

            reason = f": {clean(arrivals.status.reason)}" if arrivals.status.reason else ""
            print(f"evtop: {link}{reason}", file=sys.stderr)  # noqa: T201
        self._link = link


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

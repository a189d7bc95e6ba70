"""Which events a command is about: the filter and the span that `tail`, `stats` and `export` take alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import fail
from monitor.cli.times import parse_moment

if TYPE_CHECKING:
    from store.event_filter import EventFilter

NOTHING_FOUND = 4
"""The exit status with --exit-code when nothing matched; 1 stays what it is, something that went wrong."""

Query = Annotated[
    list[str] | None,
    typer.Argument(help="A filter, as in the console.", metavar="FILTER", show_default=False),
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="From then on: ISO 8601, in local time without an offset, or 15m ago."),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Up to then, and without it; written like --since.")
]
ExitCode = Annotated[
    bool, typer.Option("--exit-code", help=f"Exit with status {NOTHING_FOUND} when nothing matches.")
]


@dataclass(frozen=True)
class Zone:
    """The zone times are written in, and the one of moments that are given without an offset; None is the local one."""

    written: tzinfo | None = UTC
    read: tzinfo | None = None


def chosen_zone(name: str | None) -> Zone:
    """What --zone says; a zone that there is not ends the program."""
    if name is None:
        return Zone()
    from store.zones import parse_zone

    try:
        zone = parse_zone(name)
    except ValueError as error:
        fail(f"--zone: {error}")
    return Zone(zone, zone)


def chosen_events(
    query: Sequence[str] | None, since: str | None, until: str | None, zone: Zone
) -> EventFilter:
    """What filter, --since and --until say together; one that cannot be read ends the program."""
    from store.event_filter import EventFilter
    from store.query.parser import parse
    from store.query.syntax import QueryError

    now = datetime.now(UTC)
    bounds: list[datetime | None] = []
    for name, text in (("--since", since), ("--until", until)):
        try:
            bounds.append(None if text is None else parse_moment(text, now, zone.read))
        except ValueError as error:
            fail(f"{name}: {error}")
    try:
        return EventFilter(
            query=parse(" ".join(query or []), now, zone.read), since=bounds[0], until=bounds[1]
        )
    except QueryError as error:
        fail(f"column {error.column + 1}: {error}")


def found_status(number: int, exit_code: bool) -> int:
    """The exit status of a command that found `number` events."""
    return NOTHING_FOUND if exit_code and not number else 0

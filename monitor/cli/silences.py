"""`evtop alerts silence`, `unsilence`, `silences`: alerts that match a query are silent for a time."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.alert_desk import By, Comment, firing, person, read_desk, record, refuse
from monitor.cli.options import Demo, Output, TableOrJson, fail, say, write, write_json
from monitor.cli.selection import chosen_zone
from monitor.cli.table import table_lines
from monitor.cli.zones import ZoneName

if TYPE_CHECKING:
    from monitor.health.desk import AlertDesk
    from monitor.health.silences import Silence
    from store.event import Event
    from store.query.syntax import Node


def silence(
    query: Annotated[
        list[str],
        typer.Argument(
            metavar="FILTER", help="Which alerts: resource:client/qbt, @rule:job-failed, severity:warning…"
        ),
    ],
    span: Annotated[str, typer.Option("--for", metavar="TIME", help="How long: 30m, 2h, 3d, 1w.")],
    comment: Comment = "",
    by: By = None,
    demo: Demo = False,
) -> None:
    """Have alerts that match call for nobody's attention for a time. Prints the id of the silence.

    A filter sees an alert as the event alert.fired, whose metadata have its rule, title, fingerprint and labels.
    """
    import secrets

    from monitor.health.silences import Silence, silenced
    from monitor.zone import iso
    from store.query.moments import parse_span

    name, now = person(by), datetime.now(UTC)
    text, node = _read_query(" ".join(query), now)
    try:
        ends = now + parse_span(span)
    except ValueError as error:
        fail(f"--for: {error}")
    except OverflowError:
        fail("--for: too long a time")
    made = Silence(secrets.token_hex(4), text, node, name, comment, now, now, ends)
    matching = 0

    def make(desk: AlertDesk, now: datetime) -> Sequence[Event]:
        nonlocal matching
        event = silenced(made)
        desk.apply([event])
        matching = sum(
            one.silenced_by is not None and one.silenced_by.id == made.id for one in firing(desk, now)
        )
        return [event]

    record(demo, make)
    write(made.id)
    say(f"silent until {iso(ends, UTC, 'minutes')}; of what fires now, {matching:,} match")


def unsilence(
    which: Annotated[str, typer.Argument(metavar="SILENCE", help="The id of a silence, or how it begins.")],
    comment: Comment = "",
    by: By = None,
    demo: Demo = False,
) -> None:
    """End a silence before its time."""
    from monitor.health.silences import silence_ended

    name = person(by)

    def make(desk: AlertDesk, now: datetime) -> Sequence[Event]:
        left = [one for one in desk.silences() if not one.is_expired(now)]
        found = [one for one in left if one.id == which] or [one for one in left if one.id.startswith(which)]
        if len(found) != 1:
            refuse(which, [one.id for one in found], "silence that lasts", "alerts silences")
        return [silence_ended(found[0], name, comment, now)]

    for event in record(demo, make):
        write(f"{event.resource_id}  ended")


def list_silences(
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    output: TableOrJson = Output.TEXT,
    zone: ZoneName = None,
    demo: Demo = False,
) -> None:
    """Print the silences that last, or are to come, the one that ends last first."""
    from monitor.zone import iso

    written = chosen_zone(zone).written
    desk, now = read_desk(demo)
    found = [one for one in desk.silences() if everything or not one.is_expired(now)]
    with suppress(BrokenPipeError):
        if output is Output.JSON:
            for one in found:
                write_json(_json(one, now))
            return
        header = ["silence", "from", "until", "by", "filter", "comment"]
        rows = [
            [
                one.id,
                iso(one.starts, written, "minutes"),
                iso(one.ends, written, "minutes") + (f", ended by {one.ended_by}" if one.ended_by else ""),
                one.author,
                one.text,
                one.comment or "-",
            ]
            for one in found
        ]
        for line in table_lines(header, rows) if rows else ():
            write(line)


def _read_query(text: str, now: datetime) -> tuple[str, Node]:
    """A query, and its text as it means the same in every zone. One that cannot be read ends the program."""
    from store.query.parser import describe, parse
    from store.query.predicate import compile_predicate
    from store.query.syntax import EVERYTHING, QueryError

    try:
        node = parse(text, now)
        compile_predicate(node)
        said = describe(node)
        if parse(said, now) == EVERYTHING:
            fail("say which alerts: an empty filter would silence all")
    except QueryError as error:
        fail(f"column {error.column + 1}: {error}")
    return said, node


def _json(one: Silence, now: datetime) -> dict[str, Any]:
    return {
        "silence": one.id,
        "query": one.text,
        "by": one.author,
        "comment": one.comment,
        "created": one.created,
        "starts": one.starts,
        "ends": one.ends,
        "active": one.is_active(now),
        "ended_by": one.ended_by or None,
    }

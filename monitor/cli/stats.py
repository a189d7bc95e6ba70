"""`evtop stats`: stored events, counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import Demo, Rows, chosen_settings, fail, run_to_end, say, write, write_json
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
from monitor.cli.table import table_lines
from monitor.cli.zones import ZoneName

if TYPE_CHECKING:
    from monitor.settings import Settings
    from store.event_filter import EventFilter
    from store.event_groups import Group, GroupField, Value

FIELDS = (
    *("category", "type", "severity", "status", "actor", "actor_type", "actor_id"),
    *("resource", "resource_type", "resource_id", "minute", "hour", "day"),
)
"""`store.event_groups.GroupField`, which costs too much for `--help`."""
_ALIASES = {"event_type": "type", "cat": "category", "sev": "severity"}
DEFAULT = "category,severity"
GROUPS_MAX = 1_000_000


def stats(
    query: Query = None,
    by: Annotated[
        str, typer.Option(metavar="FIELD,...", help=f"What to count by: {', '.join(FIELDS)}.")
    ] = DEFAULT,
    since: Since = None,
    until: Until = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=GROUPS_MAX, help="How many groups at most.")
    ] = 100,
    output: Annotated[
        Rows, typer.Option("--output", "-o", help="A table, a JSON object a line, or CSV.")
    ] = Rows.TEXT,
    zone: ZoneName = None,
    exit_code: ExitCode = False,
    demo: Demo = False,
) -> None:
    """Count stored events by one or more fields, the most frequent first; by minute, hour or day, in order of time.

    Of resources, the primary one is counted. Hours and days are those of --zone, or of UTC.
    """
    fields = _fields(by)
    counted_in = chosen_zone(zone)
    chosen = chosen_events(query, since, until, counted_in)
    total, groups = run_to_end(_counted(chosen_settings(demo), fields, chosen, lines + 1, counted_in))
    # Of times, the latest are kept.
    is_cut = len(groups) > lines
    kept = (
        (groups[1:] if any(field in {"minute", "hour", "day"} for field in fields) else groups[:-1])
        if is_cut
        else groups
    )
    with suppress(BrokenPipeError):
        _WRITERS[output](fields, kept, total, counted_in)
        if is_cut:
            say("there are more groups; -n says how many are shown")
        raise typer.Exit(found_status(total, exit_code))


def _fields(by: str) -> list[GroupField]:
    from store.event_groups import GroupField, refuse_senseless
    from store.taxonomy import nearest

    names = [_ALIASES.get(name, name) for name in (name.strip().lower() for name in by.split(",")) if name]
    for name in names:
        if name not in FIELDS:
            meant = nearest(name, FIELDS) if len(name) <= 64 else None
            fail(
                f"--by: no field {name!r}; "
                + (f"did you mean {meant}?" if meant else f"there are {', '.join(FIELDS)}")
            )
    fields = [GroupField(name) for name in names]
    try:
        refuse_senseless(fields)
    except ValueError as error:
        fail(f"--by: {error}")
    return fields


async def _counted(
    settings: Settings, by: Sequence[GroupField], chosen: EventFilter, limit: int, zone: Zone
) -> tuple[int, list[Group]]:
    """How many events there are in all, and in each group."""
    from monitor.backend import open_store

    async with await open_store(settings, announce=False, create=False) as store:
        groups = await store.repository.groups(by, chosen, limit, zone.written)
        # What is all there need not be counted again.
        total = sum(group.count for group in groups) if len(groups) < limit else await store.count(chosen)
        return total, groups


def _text(value: Value, zone: Zone) -> str | None:
    from monitor.zone import iso

    if isinstance(value, datetime):
        return iso(value, zone.written, "minutes")
    return value.isoformat() if isinstance(value, date) else value


def _write_table(by: Sequence[GroupField], groups: Sequence[Group], total: int, zone: Zone) -> None:
    rows = [
        [
            *(_text(value, zone) or "-" for value in group.values),
            f"{group.count:,}",
            f"{100 * group.count / total:.1f} %",
        ]
        for group in groups
    ]
    for line in table_lines([*by, "events", "share"], rows, right={len(by), len(by) + 1}) if rows else ():
        write(line)
    write(f"{total:,} events" if total != 1 else "1 event")


def _write_json(by: Sequence[GroupField], groups: Sequence[Group], _total: int, zone: Zone) -> None:
    for group in groups:
        values: dict[str, Any] = {str(f): _text(v, zone) for f, v in zip(by, group.values, strict=True)}
        write_json({**values, "events": group.count})


def _write_csv(by: Sequence[GroupField], groups: Sequence[Group], _total: int, zone: Zone) -> None:
    from monitor.export.csv_rows import csv_cell, csv_line

    print(csv_line([*by, "events"]))  # noqa: T201
    for group in groups:
        cells = [csv_cell(_text(value, zone) or "") for value in group.values]
        print(csv_line([*cells, str(group.count)]))  # noqa: T201


_WRITERS: dict[Rows, Callable[[Sequence[GroupField], Sequence[Group], int, Zone], None]] = {
    Rows.TEXT: _write_table,
    Rows.JSON: _write_json,
    Rows.CSV: _write_csv,
}

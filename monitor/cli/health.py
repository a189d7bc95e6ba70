"""`evtop health`: how components are, and how they were over the last day and the last 30 days."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    Demo,
    Output,
    TableOrJson,
    activate_health,
    chosen_settings,
    run_to_end,
    say,
    write,
    write_json,
)
from monitor.cli.selection import Zone, chosen_zone
from monitor.cli.table import table_lines
from monitor.cli.zones import ZoneName

if TYPE_CHECKING:
    from monitor.health.uptime import ComponentGroup, ComponentHealth, Uptime
    from monitor.settings import Settings

DOWN = 1
"""The exit status with --exit-code when a component is down."""
STRIP_CELLS = 24
HEADER = ("state", "component", "since", "up 24 h", "up 30 d", "flaps", "last 24 h", "last change")


def health(
    output: TableOrJson = Output.TEXT,
    zone: ZoneName = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"Exit with status {DOWN} when a component is down.")
    ] = False,
    demo: Demo = False,
) -> None:
    """Print how components are: by resource type, worst first.

    Uptime is the share of the time that is known in which a component was up or degraded. Flaps are changes of the last
    24 hours, which the strip shows by the hour: ▁ up, ▄ degraded, ▇ down, and blank where nothing is known.
    """
    written_in = chosen_zone(zone)
    settings = chosen_settings(demo)
    activate_health(settings)
    now = datetime.now(UTC)
    groups, left_out = run_to_end(_read(settings, now))
    with suppress(BrokenPipeError):
        (_write_json if output is Output.JSON else _write_table)(groups, written_in, now)
        if left_out:
            say(left_out)
    is_down = any(one.state == "down" for group in groups for one in group.components)
    raise typer.Exit(DOWN if exit_code and is_down else 0)


async def _read(settings: Settings, now: datetime) -> tuple[tuple[ComponentGroup, ...], str]:
    """The components, and a line on what could not be taken into account."""
    from monitor.backend import Backend, open_store
    from monitor.health.uptime import MONTH, HealthRecord, grouped
    from monitor.health_history import HealthHistory

    async with await open_store(settings, announce=False, create=False) as store:
        record, history = HealthRecord(), HealthHistory(Backend(store, None), now - MONTH)
        async for page in history.pages():
            record.apply(page)
    left_out = f"only the newest {history.count:,} events of 30 days were read" if history.is_cut else ""
    if record.forgotten:
        left_out = f"{record.forgotten:,} components too many are left out"
    return grouped(record.components(now)), left_out


def _write_table(groups: tuple[ComponentGroup, ...], zone: Zone, now: datetime) -> None:
    from monitor.health.uptime import CELL_SIGNS, coarser
    from monitor.zone import age, iso

    rows = [
        [
            one.state,
            one.name,
            age(one.since, now),
            str(one.day),
            str(one.month),
            f"{one.flaps:,}",
            "".join(CELL_SIGNS[state] for state in coarser(one.strip, STRIP_CELLS)),
            f"{iso(one.since, zone.written, 'seconds')} from {one.previous}" if one.previous else "-",
        ]
        for group in groups
        for one in group.components
    ]
    if not rows:
        write("no component has reported its health yet")
        return
    for line in table_lines(HEADER, rows, right={2, 3, 4, 5}):
        write(line)


def _write_json(groups: tuple[ComponentGroup, ...], zone: Zone, _now: datetime) -> None:
    for group in groups:
        for one in group.components:
            write_json(_as_json(one, zone))


def _as_json(one: ComponentHealth, zone: Zone) -> dict[str, object]:
    from monitor.zone import iso

    return {
        "resource_type": one.kind,
        "resource_id": one.identifier,
        "state": one.state,
        "since": iso(one.since, zone.written),
        "previous_state": one.previous,
        "uptime_24h": _uptime(one.day),
        "uptime_30d": _uptime(one.month),
        "flaps_24h": one.flaps,
        "last_24h": one.strip,
    }


def _uptime(uptime: Uptime) -> dict[str, float | None]:
    return {"share": uptime.share, "known_seconds": uptime.known}

"""`evtop alerts history`: past episodes, how soon they were acknowledged, and how long they lasted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.alert_desk import read_desk
from monitor.cli.options import Demo, Output, ShowPersonal, TableOrJson, say, write, write_json
from monitor.cli.selection import Zone, chosen_zone
from monitor.cli.table import table_lines
from monitor.cli.zones import ZoneName

if TYPE_CHECKING:
    from monitor.health.alert_history import PastEpisode, ResponseTimes


def history(
    rule: Annotated[str | None, typer.Option(metavar="RULE", help="Of this rule only.")] = None,
    by_rule: Annotated[
        bool, typer.Option("--by-rule", help="The mean times of each rule, instead of its episodes.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=1_000_000, help="How many episodes at most.")
    ] = 100,
    output: TableOrJson = Output.TEXT,
    zone: ZoneName = None,
    show_personal: ShowPersonal = False,
    demo: Demo = False,
) -> None:
    """Print when alerts fired and ended, the latest first; with --by-rule, how long that took on average.

    As JSON, times to acknowledge and to resolve are in seconds.
    """
    from monitor.health.alert_history import response_times

    written = chosen_zone(zone)
    desk, _ = read_desk(demo, show_personal=show_personal)
    found = [one for one in desk.history() if rule is None or one.rule == rule]
    with suppress(BrokenPipeError):
        if by_rule:
            _write_times(response_times(found), output)
            return
        _write_episodes(found[:lines], output, written)
        if len(found) > lines:
            say("there are more episodes; -n says how many are shown")


def _write_episodes(episodes: Sequence[PastEpisode], output: Output, zone: Zone) -> None:
    from monitor.zone import iso

    if output is Output.JSON:
        for one in episodes:
            write_json(
                {
                    "fingerprint": one.shown_fingerprint,
                    "rule": one.rule,
                    "title": one.title,
                    "severity": one.severity,
                    "fired": one.fired,
                    "resolved": one.resolved,
                    "acknowledged": one.acknowledged,
                    "acknowledged_by": one.acknowledged_by or None,
                    "to_acknowledge": _seconds(one.to_acknowledge),
                    "to_resolve": _seconds(one.to_resolve),
                }
            )
        return
    header = ["fired", "lasted", "severity", "title", "alert", "acknowledged", "after"]
    rows = [
        [
            iso(one.fired, zone.written, "seconds"),
            _lasted(one.to_resolve, "fires still"),
            str(one.severity),
            one.title,
            one.shown_fingerprint,
            one.acknowledged_by or "-",
            _lasted(one.to_acknowledge),
        ]
        for one in episodes
    ]
    for line in table_lines(header, rows, right={1, 6}) if rows else ():
        write(line)


def _write_times(times: Sequence[ResponseTimes], output: Output) -> None:
    if output is Output.JSON:
        for one in times:
            write_json(
                {
                    "rule": one.rule,
                    "episodes": one.episodes,
                    "acknowledged": one.acknowledged,
                    "mean_to_acknowledge": _seconds(one.mean_to_acknowledge),
                    "resolved": one.resolved,
                    "mean_to_resolve": _seconds(one.mean_to_resolve),
                }
            )
        return
    header = ["rule", "episodes", "acknowledged", "after", "resolved", "after"]
    rows = [
        [
            one.rule,
            f"{one.episodes:,}",
            f"{one.acknowledged:,}",
            _lasted(one.mean_to_acknowledge),
            f"{one.resolved:,}",
            _lasted(one.mean_to_resolve),
        ]
        for one in times
    ]
    for line in table_lines(header, rows, right={1, 2, 3, 4, 5}) if rows else ():
        write(line)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _lasted(span: timedelta | None, never: str = "-") -> str:
    from monitor.zone import lasted

    return never if span is None else lasted(round(span.total_seconds()), is_exact=True)

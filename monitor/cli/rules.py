"""`evtop rules`: the rules of alerts, checked, listed, and held against the past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    Demo,
    Output,
    ShowPersonal,
    TableOrJson,
    activate_health,
    chosen_settings,
    fail,
    run_to_end,
    say,
    write,
    write_json,
)
from monitor.cli.selection import Since, Until, chosen_events, chosen_zone
from monitor.cli.zones import ZoneName

if TYPE_CHECKING:
    from monitor.cli.selection import Zone
    from monitor.health.engine import Alert
    from monitor.health.replay import Replay
    from monitor.health.rule import Rule
    from monitor.health.rules_file import RuleSet
    from monitor.settings import Settings
    from store.event_filter import EventFilter

DEFAULT_SINCE = "24h"
SHIPPED = "shipped"
"""`monitor.rules.SHIPPED_PLACE`, which costs too much for `--help`."""
PAGE = 5_000
"""Events read at a time."""

app = typer.Typer(
    help="The rules by which alerts fire: shipped ones, and those of EVTOP_RULES.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
RulesFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A TOML file with rules.", show_default=False)
]


@app.command()
def check(file: RulesFile) -> None:
    """Say what each rule of a file means, or all that is wrong with it.

    Exit status 1 says that the file cannot be used.
    """
    found = _rules_with(file)
    for rule in found.rules:
        if found.origins[rule.name] != SHIPPED:
            write(meaning(rule))
    for name in found.disabled:
        write(f"{name}: taken out")


@app.command("list")
def list_rules(
    output: TableOrJson = Output.TEXT,
) -> None:
    """Print the rules that hold, shipped ones and those of EVTOP_RULES, with where each comes from."""
    settings = chosen_settings(False)
    activate_health(settings)
    found = _rules_with(settings.rules)
    if output is Output.JSON:
        for rule in found.rules:
            write_json(
                {
                    "rule": rule.name,
                    "severity": rule.severity,
                    "from": found.origins[rule.name],
                    "means": meaning(rule),
                    "runbook": rule.runbook or None,
                }
            )
        return
    from monitor.cli.table import table_lines

    rows = [
        [rule.name, rule.severity, found.origins[rule.name], meaning(rule).partition(", ")[2]]
        for rule in found.rules
    ]
    for line in table_lines(["rule", "severity", "from", "fires when"], rows, cell_max=200):
        write(line)
    for name in found.disabled:
        write(f"{name}: taken out")


@app.command("test")
def replay_rules(
    file: RulesFile,
    since: Since = DEFAULT_SINCE,
    until: Until = None,
    output: TableOrJson = Output.TEXT,
    zone: ZoneName = None,
    show_personal: ShowPersonal = False,
    demo: Demo = False,
) -> None:
    """Hold the rules of a file against the stored past, and print what would have fired.

    The shipped rules are left out, but for those that the file changes.
    """
    settings = chosen_settings(demo, show_personal=show_personal)
    # Before the rules are read: what reports health is part of some of them.
    activate_health(settings)
    found = _rules_with(file)
    rules = [rule for rule in found.rules if found.origins[rule.name] != SHIPPED]
    if not rules:
        fail(f"{file}: there is no rule in it")
    written_in = chosen_zone(zone)
    chosen = chosen_events(None, since, until, written_in)
    end = chosen.until or datetime.now(UTC)
    replay, events, unreadable = run_to_end(_replayed(settings, rules, chosen, end))
    alerts = replay.alerts(end)
    with suppress(BrokenPipeError):
        (_write_json if output is Output.JSON else _write_text)(rules, alerts, events, written_in, end)
        if replay.forgotten:
            say(
                f"{replay.forgotten:,} groups were forgotten, as rules follow so many only: "
                "alerts may be missing; see `groups`"
            )
        if unreadable:
            say(f"{unreadable:,} rows that are no events were left out")


def meaning(rule: Rule) -> str:
    """What a rule means, in one line."""
    from monitor.health.grouping import key_name
    from store.query.moments import write_span
    from store.query.parser import describe

    parts = [f"{describe(rule.query) or '*'}: {rule.kind.meaning}"]
    if ends := getattr(rule.kind, "ended_by", None):
        parts[0] += f" by {describe(ends)}"
    if rule.group_by:
        parts.append(f"for each {' and '.join(map(key_name, rule.group_by))}")
    if rule.hold:
        parts.append(f"for {write_span(rule.hold)}")
    if rule.inhibits is not None:
        place = "" if rule.everywhere else " of the same resource"
        parts.append(f"mutes {describe(rule.inhibits) or '*'}{place}")
    return f"{rule.name}: {rule.severity}, {', '.join(parts)}"


def _rules_with(file: Path | None) -> RuleSet:
    """The shipped rules with those of `file`; all that is wrong is said, and ends the program."""
    from monitor.health.rules_file import RulesError
    from monitor.rules import rules_with

    try:
        return rules_with(file)
    except RulesError as error:
        for line in error.errors:
            say(line)
        raise typer.Exit(1) from None


async def _replayed(
    settings: Settings, rules: Sequence[Rule], chosen: EventFilter, end: datetime
) -> tuple[Replay, int, int]:
    """The replay, how many events were read for it, and how many rows are no events."""
    from dataclasses import replace

    from monitor.backend import open_store
    from monitor.cli.progress import Progress
    from monitor.export.exporting import stored_events
    from monitor.health.interest import needed_by
    from monitor.health.replay import Replay
    from monitor.health.usual import UsualRates
    from monitor.usual_counts import asked_usual, read_usual

    progress, usual, events = Progress(), UsualRates(), 0
    since = chosen.since or end - timedelta(days=1)
    async with await open_store(settings, announce=False, create=False) as store:
        if queries := asked_usual(rules):
            for query, by_slot in (await read_usual(store.repository, queries, since, end)).items():
                usual.learn(query, by_slot)
        replay = Replay(rules, since, usual)
        needed = replace(chosen, query=needed_by(rules))
        async with aclosing(stored_events(store.repository, needed, PAGE)) as batches:
            async for batch in batches:
                replay.apply(batch)
                events += len(batch)
                progress.show(lambda: f"{events:,} events")  # noqa: B023 - told at once
        progress.clear()
        return replay, events, store.repository.unreadable


def _write_text(
    rules: Sequence[Rule], alerts: Sequence[Alert], events: int, zone: Zone, end: datetime
) -> None:
    from monitor.cli.table import table_lines
    from monitor.zone import iso, short_age

    rows = [
        [
            iso(alert.since, zone.written, "seconds"),
            "still firing" if alert.resolved_at is None else iso(alert.resolved_at, zone.written, "seconds"),
            alert.severity,
            alert.rule,
            alert.title,
            f"{alert.count:,}",
        ]
        for alert in alerts
    ]
    if rows:
        for line in table_lines(["since", "until", "severity", "rule", "title", "events"], rows, right={5}):
            write(line)
        write("")
    times = Counter(alert.rule for alert in alerts)
    spent = {
        rule.name: sum(
            ((alert.resolved_at or end) - alert.since for alert in alerts if alert.rule == rule.name),
            timedelta(),
        )
        for rule in rules
    }
    summary = [
        [
            rule.name,
            f"{times[rule.name]:,}",
            short_age(end - spent[rule.name], end) if spent[rule.name] else "-",
        ]
        for rule in rules
    ]
    for line in table_lines(["rule", "fired", "in all"], summary, right={1, 2}):
        write(line)
    write(f"{events:,} events that rules need" if events != 1 else "1 event that rules need")


def _write_json(
    rules: Sequence[Rule], alerts: Sequence[Alert], events: int, zone: Zone, end: datetime
) -> None:
    from monitor.zone import iso

    for alert in alerts:
        write_json(
            {
                "since": iso(alert.since, zone.written),
                "until": None if alert.resolved_at is None else iso(alert.resolved_at, zone.written),
                "severity": alert.severity,
                "rule": alert.rule,
                "title": alert.title,
                "fingerprint": alert.shown_fingerprint,
                "events": alert.count,
            }
        )

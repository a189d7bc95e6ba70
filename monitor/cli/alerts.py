"""`evtop alerts`: what fires by the record, and who acknowledged it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import alert_history, silences
from monitor.cli.alert_desk import By, Comment, firing, meant, person, read_desk, record
from monitor.cli.options import Demo, Output, ShowPersonal, TableOrJson, fail, say, write, write_json
from monitor.cli.selection import Zone, chosen_zone
from monitor.cli.table import table_lines
from monitor.cli.zones import ZoneName
from monitor.masking import shown_metadata

if TYPE_CHECKING:
    from monitor.health.desk import AlertDesk, DeskAlert
    from monitor.health.engine import Alert
    from store.event import Event

UNATTENDED = 1
"""The exit status of a list with --exit-code when something fires that nobody acknowledged or silenced."""

app = typer.Typer(
    help="Alerts on record: what fires, who acknowledged it, what is silenced. Consoles record it while they run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Which = Annotated[
    str, typer.Argument(metavar="ALERT", help="A fingerprint, how one begins, or a rule: all of its alerts.")
]
app.command("silence")(silences.silence)
app.command("unsilence")(silences.unsilence)
app.command("silences")(silences.list_silences)
app.command("history")(alert_history.history)


@app.command("list")
def list_alerts(
    only_firing: Annotated[bool, typer.Option("--firing", help="Only what fires.")] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=1_000_000, help="How many alerts at most.")
    ] = 100,
    output: TableOrJson = Output.TEXT,
    zone: ZoneName = None,
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help=f"Exit with status {UNATTENDED} when something fires that nobody acknowledged or silenced.",
        ),
    ] = False,
    show_personal: ShowPersonal = False,
    demo: Demo = False,
) -> None:
    """Print the alerts on record, what fires first. No rule is evaluated here: consoles do, and record it.

    The last line says when that was recorded last. As JSON, each alert does.
    """
    written = chosen_zone(zone)
    desk, now = read_desk(demo, show_personal=show_personal)
    alerts = desk.show(desk.recorded(), now)
    open_ones = [one for one in alerts if one.alert.resolved_at is None]
    unattended = [
        one for one in open_ones if not (one.acknowledged or one.silenced_by or one.inhibited_by is not None)
    ]
    found = open_ones if only_firing else alerts
    with suppress(BrokenPipeError):
        if output is Output.JSON:
            for one in found[:lines]:
                write_json(_json(one, desk))
        else:
            _write_table(found[:lines], written)
            counts = f"{len(open_ones):,} firing, {len(unattended):,} of them unattended"
            write(f"{counts}; {_recorded_last(desk, written, now)}")
        if len(found) > lines:
            say("there are more alerts; -n says how many are shown")
        if desk.malformed:
            say(f"{desk.malformed:,} events about alerts are malformed, and not heeded")
        raise typer.Exit(UNATTENDED if exit_code and unattended else 0)


@app.command()
def ack(which: Which, comment: Comment = "", by: By = None, demo: Demo = False) -> None:
    """Take care of what fires: until it ends, it calls for nobody's attention."""
    from monitor.health.alert_events import acknowledged

    _say_of(which, acknowledged, comment, by, demo, "acknowledged")


@app.command()
def unack(which: Which, comment: Comment = "", by: By = None, demo: Demo = False) -> None:
    """Take an acknowledgement back."""
    from monitor.health.alert_events import unacknowledged

    _say_of(which, unacknowledged, comment, by, demo, "no longer acknowledged")


def _say_of(
    which: str,
    said: Callable[[Alert, str, str, datetime], Event],
    comment: str,
    by: str | None,
    demo: bool,
    done: str,
) -> None:
    name = person(by)

    def make(desk: AlertDesk, now: datetime) -> Sequence[Event]:
        alerts = firing(desk, now)
        if not alerts:
            fail("nothing fires, by the record; consoles write it while they run")
        return [said(one.episode, name, comment, now) for one in meant(which, alerts)]

    for event in record(demo, make):
        write(f"{shown_metadata(event)['fingerprint']}  {done}")


def _recorded_last(desk: AlertDesk, zone: Zone, now: datetime) -> str:
    """When anything was recorded: while nobody evaluates, nothing is."""
    from monitor.zone import age, iso

    if desk.written_at is None:
        return "nothing was ever recorded of alerts here"
    return (
        f"recorded last at {iso(desk.written_at, zone.written, 'seconds')}, {age(desk.written_at, now)} ago"
    )


def _write_table(alerts: Sequence[DeskAlert], zone: Zone) -> None:
    from monitor.zone import iso

    rows = [
        [
            "firing" if one.alert.resolved_at is None else "resolved",
            str(one.alert.severity),
            iso(one.since, zone.written, "seconds"),
            one.alert.title,
            one.alert.shown_fingerprint,
            _made_of(one, zone) or "-",
        ]
        for one in alerts
    ]
    for line in table_lines(["state", "severity", "since", "title", "alert", "note"], rows) if rows else ():
        write(line)


def _made_of(one: DeskAlert, zone: Zone) -> str:
    """What is made of an alert, in a phrase."""
    from monitor.zone import iso

    parts: list[str] = []
    if one.acknowledged is not None:
        why = f": {one.acknowledged.comment}" if one.acknowledged.comment else ""
        parts.append(f"acknowledged by {one.acknowledged.by}{why}")
    if one.silenced_by is not None:
        until = iso(one.silenced_by.ends, zone.written, "minutes")
        parts.append(f"silent until {until} by {one.silenced_by.author}")
    if one.inhibited_by is not None:
        parts.append(f"muted by {one.inhibited_by}")
    if one.flapping:
        parts.append(f"flapping ×{one.flapping}")
    if one.alert.resolved_at is not None:
        parts.append(f"until {iso(one.alert.resolved_at, zone.written, 'seconds')}")
    return ", ".join(parts)


def _json(one: DeskAlert, desk: AlertDesk) -> dict[str, Any]:
    alert, acknowledged = one.alert, one.acknowledged
    kind, identifier = alert.resource or (None, None)
    return {
        "fingerprint": alert.shown_fingerprint,
        "rule": alert.rule,
        "title": alert.title,
        "severity": alert.severity,
        "state": alert.state,
        "since": one.since,
        "resolved_at": alert.resolved_at,
        "count": alert.count,
        "resource_type": kind,
        "resource_id": identifier,
        "labels": dict(alert.shown_labels),
        "runbook": alert.runbook or None,
        "acknowledged": acknowledged
        and {"by": acknowledged.by, "comment": acknowledged.comment, "at": acknowledged.at},
        "silence": one.silenced_by and one.silenced_by.id,
        "inhibited_by": one.inhibited_by,
        "flapping": one.flapping,
        "attention": one.attention,
        "recorded_at": desk.written_at,
    }

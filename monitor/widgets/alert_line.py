"""An alert in one line: how bad, what, what is made of it, since when."""

from __future__ import annotations

from datetime import datetime

from monitor.health.desk import DeskAlert
from monitor.health.engine import AlertState
from monitor.text import cell_width, clean, fit
from monitor.widgets.lines import Part
from monitor.zone import short_age
from store.event import Severity

_SEVERITY: dict[Severity, tuple[str, str]] = {
    Severity.ERROR: ("✖ ", "error"),
    Severity.WARNING: ("▲ ", "warning"),
    Severity.INFO: ("● ", "info"),
}


def alert_parts(one: DeskAlert, now: datetime, width: int, *, rule: bool = False) -> list[Part]:
    """Sign, title, what is made of it and age, in `width` cells; with `rule`, also the name of its rule."""
    sign, style = _sign(one)
    moment = one.alert.resolved_at or one.since
    since = short_age(moment, now)
    # One under the other where there is room.
    when = f" {since:>4}" if rule else f" {since}"
    note = made_of(one)
    if note:
        note = f"  {note}"
    name = f"  {fit(clean(one.alert.rule), 20)}" if rule else ""
    room = width - cell_width(sign) - cell_width(when) - cell_width(name)
    # What it is comes first, where both have no room.
    note = fit(note, max(0, min(cell_width(note), room // 2)), pad=False) if note else ""
    title = fit(clean(one.alert.title), max(1, room - cell_width(note)))
    text = style if one.attention else "dim"
    return [
        (sign, style),
        (title, text),
        (note, "accent" if one.flapping else "dim"),
        (name, "dim"),
        (when, "dim"),
    ]


def made_of(one: DeskAlert) -> str:
    """What keeps it from calling for attention, or what is to be known of it, in a few clean words."""
    words: list[str] = []
    if one.flapping:
        words.append(f"flapping ×{one.flapping}")
    if one.acknowledged is not None:
        words.append(f"acked by {clean(one.acknowledged.by)}")
    if one.silenced_by is not None:
        words.append("silenced")
    if one.inhibited_by is not None:
        words.append("muted")
    if one.alert.state is AlertState.PENDING:
        words.append("pending")
    return ", ".join(words)


def _sign(one: DeskAlert) -> tuple[str, str]:
    if one.alert.state is AlertState.RESOLVED:
        return "✓ ", "good"
    if one.alert.state is AlertState.PENDING:
        return "○ ", "dim"
    sign, style = _SEVERITY[one.alert.severity]
    return sign, style if one.attention else "dim"

"""What the top of a resource page says: present status and since when, first and last seen, actors, how it went."""

from __future__ import annotations

from datetime import datetime

from monitor.model.resource import ResourceFacts
from monitor.text import clean
from monitor.widgets.lines import Part
from monitor.zone import Zone, age

_BAD = {"failed", "down", "error", "unhealthy", "offline"}
_WORRYING = {"degraded", "paused", "stalled", "cancelled", "warning"}


def resource_lines(
    facts: ResourceFacts, count: int, first: datetime | None, zone: Zone, now: datetime
) -> list[list[Part]]:
    """`facts` of the loaded events, and `count` and `first` of all of them."""
    status: list[Part] = [label("status")]
    if facts.status is None:
        status.append(("none reported", "dim"))
    else:
        status.append((clean(facts.status.status), _style(facts.status.status)))
        status.append((f"  for {age(facts.status.since, now)}", ""))
        status.append((f", since {zone.full(facts.status.since, exact=False)}", "dim"))
    seen: list[Part] = [label("first"), (zone.full(first, exact=False) if first else "–", "")]
    seen.append((f"   {counted(count, 'event')}", ""))
    if facts.as_secondary:
        seen.append((f", {facts.as_secondary:,} of the loaded in its secondary role", "dim"))
    seen += went_wrong(facts.errors, facts.warnings)
    history: list[Part] = [label("history")]
    for number, span in enumerate(reversed(facts.statuses[-12:])):
        history.append((" ← " if number else "", "dim"))
        history.append((clean(span.status), _style(span.status)))
        history.append((f" {zone.minute(span.since)}", "dim"))
    lines = [status, seen, history, named("actors", facts.actors)]
    if facts.related:
        lines.append(named("with", facts.related))
    return lines


def label(name: str) -> Part:
    """What begins a line, as wide as all of them."""
    return f"{name:<12}", "dim"


def counted(count: int, noun: str) -> str:
    """`1 event`, `1,204 events`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def went_wrong(errors: int, warnings: int) -> list[Part]:
    """How many errors and warnings there are."""
    return [
        (f"   {counted(errors, 'error')}", "error" if errors else "dim"),
        (f"   {counted(warnings, 'warning')}", "warning" if warnings else "dim"),
    ]


def named(name: str, numbers: tuple[tuple[str, int], ...]) -> list[Part]:
    """Names with their numbers, after the label `name`. `numbers` hold raw event text."""
    parts: list[Part] = [label(name)]
    for each, number in numbers:
        parts += [(clean(each), "accent"), (f" {number:,}  ", "dim")]
    return parts


def _style(status: str) -> str:
    folded = status.casefold()
    return "error" if folded in _BAD else "warning" if folded in _WORRYING else "good"

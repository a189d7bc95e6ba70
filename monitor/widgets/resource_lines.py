"""What the top of a resource page says: present status and since when, first and last seen, actors, how it went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from monitor.model.lifecycle import Passage, Usual, took
from monitor.model.resource import ResourceFacts, status_strip
from monitor.model.told import told_text
from monitor.text import clean
from monitor.widgets.lines import Part
from monitor.zone import Zone, age

STRIP_CELLS = 24
SLOW_FROM = 2.0
"""How many times as long as usual something takes before it is drawn as slow."""
_HEIGHTS = {"good": "▁", "warning": "▄", "error": "▇"}
_BAD = {"failed", "down", "error", "unhealthy", "offline"}
_WORRYING = {"degraded", "paused", "stalled", "cancelled", "warning"}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of all events of a resource: how many there are, when the first was, what they counted.

    `usual` is how long others take.
    """

    count: int = 0
    first: datetime | None = None
    counters: Mapping[str, int] = field(default_factory=dict[str, int])
    usual: Usual | None = None


def resource_lines(facts: ResourceFacts, known: Known, zone: Zone, now: datetime) -> list[list[Part]]:
    """`facts` of the loaded events, and what is `known` of all of them."""
    first, count = known.first, known.count
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
    if len(facts.statuses) > 1:
        history = [label("history"), *_strip(facts, now), ("  ", ""), *history[1:]]
    lines = [status, seen, *([_told(facts.told)] if facts.told else []), history]
    if facts.passage is not None:
        lines.append(_took(facts.passage, known.usual, now))
    if counters := [(name, value) for name, value in known.counters.items() if value]:
        lines.append(named("counters", tuple(counters)))
    lines.append(named("actors", facts.actors))
    if facts.related:
        lines.append(named("with", facts.related))
    return lines


def _told(facts: Mapping[str, Any]) -> list[Part]:
    """What metadata tells, each after the last part of its place."""
    parts: list[Part] = [label("facts")]
    for place, value in facts.items():
        parts += [(f"{clean(place.rpartition('.')[2])} ", "dim"), (f"{clean(told_text(value))}   ", "")]
    return parts


def _strip(facts: ResourceFacts, now: datetime) -> list[Part]:
    """The status over the time since its first change, equal neighbours as one part."""
    cells = [
        (_HEIGHTS[style], style)
        for style in (_style(status or "") for status in status_strip(facts.statuses, now, STRIP_CELLS))
    ]
    return [("".join(glyph for glyph, _ in run), style) for style, run in groupby(cells, key=itemgetter(1))]


def _took(passage: Passage, usual: Usual | None, now: datetime) -> list[Part]:
    """How long the last work on it took, or takes, and how long that of others does."""
    seconds = passage.seconds(now)
    last = (passage.ended_with or "").rpartition(".")[2]
    told = (
        f"{took(seconds)} {passage.began_with.rpartition('.')[2]} → {last}"
        if last
        else f"{took(seconds)} so far"
    )
    is_slow = usual is not None and seconds > SLOW_FROM * max(usual.median, 1.0)
    parts: list[Part] = [label("took" if last else "running"), (clean(told), "warning" if is_slow else "")]
    if usual is not None:
        parts.append((f"   usually {took(usual.median)}, of {usual.number:,}", "dim"))
    return parts


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

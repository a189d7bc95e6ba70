"""The incident note: bookmarked rows and counts in Markdown, to be pasted where people talk about the incident."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.model.gaps import Gap, GapState
from monitor.model.subjects import PageSubject, ResourceName
from monitor.model.summary import summarise
from monitor.text import clean
from monitor.zone import Zone, since_zero
from store.event import Event, Severity

TYPES_MAX = 5
"""Event types that are told by name."""
SUMMARY_MAX = 200
"""Characters of what an event says."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!@])")
"""What Markdown, or the chat it is pasted into, would take for more than text: a mention, a link, a column."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the store has of a span, `since` and `until` included: (type, severity) and how many events have them.

    `of` says in a word what the span is of. `unconfirmed` events of it came over the bus alone, `not_stored` ones the
    store should have and has not. Where the store could not tell, `failed` says why.
    """

    of: str
    since: datetime
    until: datetime
    kinds: Sequence[tuple[tuple[str | None, ...], int]] = ()
    unconfirmed: int = 0
    not_stored: int = 0
    failed: str = ""


def incident_note(
    name: str,
    marked: Sequence[Event],
    zero: Event | None,
    gaps: Iterable[Gap],
    counted: Counted,
    *,
    query: str,
    subject: PageSubject | None = None,
    zone: Zone,
    now: datetime,
) -> str:
    """A title, what was looked at and how whole it is, counts, and a line for each of `marked`, oldest first.

    Times are in `zone`, or in UTC where that shows ages, which would mean nothing later. `subject` is the one whose
    page the note was written on.
    """
    zone = zone.absolute
    lines = [f"## Incident note: {_escaped(name)}", ""]
    named = zone.clock(now).partition(" ")[2] if zone in Zone.USUAL else f"the zone {_escaped(zone.name)}"
    lines.append(f"Written by evtop at {zone.full(now)}. Times are in {named}.")
    if zero is not None:
        about = f" ({_escaped(zero.resource)})" if zero.resource else ""
        lines.append(f"T0 is {zone.full(zero.inserted_at)}: {_escaped(zero.event_type)}{about}.")
    if isinstance(subject, ResourceName):
        lines.append(f"Only of the resource {_escaped(subject.text)}.")
    elif subject is not None:
        lines.append(f"Only of what {_escaped(subject.text)} did.")
    lines.append(f"Filter: {_escaped(query)}" if query else "Filter: none")
    lines += _counts(counted, zone)
    first, last = counted.since, counted.until
    met = [gap for gap in gaps if gap.since <= last and (gap.until is None or gap.until >= first)]
    lines.extend(f"Gap: {_told(gap, zone)}." for gap in met)
    if not marked:
        return "\n".join(lines) + "\n"
    columns = ["time", *(["T"] if zero else []), "severity", "type", "resource", "actor", ""]
    lines += ["", _row(columns), _row(["---"] * len(columns))]
    for event in marked:
        elapsed = [since_zero(event.inserted_at, zero.inserted_at)] if zero else []
        cells = [zone.full(event.inserted_at), *elapsed, event.severity or "", event.event_type]
        cells += [event.resource or "", event.actor, summarise(event)[:SUMMARY_MAX]]
        lines.append(_row(map(_escaped, cells)))
    return "\n".join(lines) + "\n"


def _counts(counted: Counted, zone: Zone) -> list[str]:
    """The span, what the store has of it, and what is not known."""
    lines = [f"Span: {zone.full(counted.since)} to {zone.full(counted.until)} ({counted.of})."]
    if counted.failed:
        return [*lines, f"Not counted: {_escaped(counted.failed)}."]
    severities, types = Counter[str](), Counter[str]()
    for (event_type, severity), number in counted.kinds:
        types[event_type or ""] += number
        severities[severity or ""] += number
    total = severities.total()
    told = [f"{severities[name]:,} {name}" for name in reversed(Severity) if severities[name]]
    told += [f"{severities['']:,} without severity"] if severities[""] else []
    of = f": {', '.join(told)}" if told else ""
    lines.append(f"In the store, {total:,} {'event matches' if total == 1 else 'events match'}{of}.")
    if types:
        ordered = sorted(types.items(), key=lambda item: (-item[1], item[0]))
        named = [f"{_escaped(name)} {number:,}" for name, number in ordered[:TYPES_MAX]]
        rest = sum(number for _, number in ordered[TYPES_MAX:])
        others = f", {len(ordered) - TYPES_MAX:,} other types {rest:,}" if rest else ""
        lines.append(f"Most frequent: {', '.join(named)}{others}.")
    if counted.unconfirmed:
        lines.append(
            f"Not counted: {counted.unconfirmed:,} on the timeline that the store has not confirmed yet."
        )
    if counted.not_stored:
        lines.append(f"Not counted: {counted.not_stored:,} on the timeline that the store does not have.")
    return lines


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _told(gap: Gap, zone: Zone) -> str:
    span = zone.full(gap.since) + (f" to {zone.full(gap.until)}" if gap.until else ", still open")
    match gap.state:
        case GapState.REPAIRED:
            outcome = f"{gap.recovered:,} events recovered from the store"
        case GapState.LOST:
            outcome = f"{gap.lost:,} of {gap.missed:,} announced events are not in the store"
        case GapState.NOT_LOADED:
            outcome = f"{gap.left_out:,} events are in the store and were not looked at"
        case _:
            outcome = "events may be missing"
    return f"{span}, {_escaped(gap.cause)}: {outcome}"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", clean(text))

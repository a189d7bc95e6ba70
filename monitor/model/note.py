"""The incident note: bookmarked rows as a table in Markdown, to be pasted where people talk about the incident."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.model.gaps import Gap, GapState
from monitor.model.summary import summarise
from monitor.text import clean
from monitor.zone import Zone, since_zero
from store.event import Event

SUMMARY_MAX = 200
"""Characters of what an event says."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~!@])")
"""What Markdown, or the chat it is pasted into, would take for more than text: a mention, a link, a column."""


def incident_note(
    name: str,
    marked: Sequence[Event],
    zero: Event | None,
    gaps: Iterable[Gap],
    *,
    query: str,
    zone: Zone,
    now: datetime,
) -> str:
    """A title, what was looked at and how whole it is, and a line for each of `marked`, oldest first.

    Times are in `zone`, or in UTC where that shows ages, which would mean nothing later.
    """
    zone = Zone.UTC if zone is Zone.RELATIVE else zone
    lines = [f"## Incident note: {_escaped(name)}", ""]
    lines.append(f"Written by evtop at {zone.full(now)}.")
    if zero is not None:
        about = f" ({_escaped(zero.resource)})" if zero.resource else ""
        lines.append(f"T0 is {zone.full(zero.inserted_at)}: {_escaped(zero.event_type)}{about}.")
    if query:
        lines.append(f"Filter: {_escaped(query)}")
    first, last = marked[0].inserted_at, marked[-1].inserted_at
    met = [gap for gap in gaps if gap.since <= last and (gap.until is None or gap.until >= first)]
    lines.extend(f"Gap: {_told(gap, zone)}." for gap in met)
    columns = ["time", *(["T"] if zero else []), "severity", "type", "resource", "actor", ""]
    lines += ["", _row(columns), _row(["---"] * len(columns))]
    for event in marked:
        elapsed = [since_zero(event.inserted_at, zero.inserted_at)] if zero else []
        cells = [zone.full(event.inserted_at), *elapsed, event.severity or "", event.event_type]
        cells += [event.resource or "", event.actor, summarise(event)[:SUMMARY_MAX]]
        lines.append(_row(map(_escaped, cells)))
    return "\n".join(lines) + "\n"


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

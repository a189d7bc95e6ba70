"""What the frame of the timeline says: the filter above, and below where one is on it and what is not shown."""

from __future__ import annotations

from datetime import datetime

from monitor.model.context import ContextRow
from monitor.model.timeline import Timeline
from monitor.model.viewport import Viewport
from monitor.text import clean
from monitor.zone import Zone


def timeline_title(timeline: Timeline, caption: str, zone: Zone) -> str:
    """`caption`, which is raw text, and the filter."""
    shown = clean(timeline.filter.describe(zone))
    return f"{clean(caption)} · {shown}" if shown else clean(caption)


def searched_back(timeline: Timeline, zone: Zone, now: datetime) -> str:
    """How far back was looked in the store for what matches, while that is further than the first row; else nothing."""
    floor, first = timeline.floor, timeline.rows.first_key
    if floor is None or (first is not None and floor >= first) or not timeline.filter.hides_something:
        return ""
    return f"searched back to {zone.stamp(floor[0], now).strip()}…"


def timeline_state(timeline: Timeline, viewport: Viewport, searched: str = "") -> str:
    """Following, frozen, or the place of the cursor among the rows, whatever is folded, and how far was `searched`."""
    shown = viewport.shown
    folded = f"{searched} · " if searched and timeline.rows else ""
    folded += "folded · " if shown.folded else ""
    if shown.context is not None:
        folded += f"{shown.context.reach} around · "
    new = f"+{timeline.pending:,} new · " if timeline.pending else ""
    if timeline.frozen:
        return f"{folded}{new}frozen · space resumes"
    if viewport.following or not timeline.rows:
        return f"{folded}following"
    is_row = not isinstance(viewport.row, ContextRow)
    position = (
        f"{shown.last_row(viewport.cursor) + 1:,}/{len(timeline.rows):,}"
        if is_row
        else "hidden by the filter"
    )
    # A stretch of the past must not be taken for the present.
    more = " of the past, more below" if timeline.has_newer else ""
    return f"{folded}{new}{position}{more} · G follows"

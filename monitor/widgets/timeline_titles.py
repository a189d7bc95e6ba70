"""What the frame of the timeline says: the filter above, and below where one is on it and what is not shown."""

from __future__ import annotations

from monitor.model.context import ContextRow
from monitor.model.timeline import Timeline
from monitor.model.viewport import Viewport
from monitor.text import clean
from monitor.zone import Zone


def timeline_title(timeline: Timeline, caption: str, zone: Zone) -> str:
    """`caption`, which is raw text, and the filter."""
    shown = clean(timeline.filter.describe(zone))
    return f"{clean(caption)} · {shown}" if shown else clean(caption)


def timeline_state(timeline: Timeline, viewport: Viewport) -> str:
    """Following, frozen, or the place of the cursor among the rows, whatever is folded."""
    shown = viewport.shown
    folded = "folded · " if shown.folded else ""
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

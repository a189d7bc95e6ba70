"""The top line: is the picture live and whole, how fast is it, what was lost, what time is it."""

from __future__ import annotations

from dataclasses import dataclass, field

from textual.strip import Strip

from monitor.model.arrivals import FeedStatus, Link, Tally
from monitor.text import cell_width, clean, fit
from monitor.widgets.lines import Lines, Part


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the status line shows. `lag` and `clock` are written out; `rate` is events a second."""

    place: str = ""
    status: FeedStatus = field(default_factory=FeedStatus)
    tally: Tally = field(default_factory=Tally)
    rate: float = 0.0
    lag: str = ""
    open_gaps: int = 0
    firing: int = 0
    clock: str = ""


_LINK: dict[Link, Part] = {
    Link.CONNECTING: ("◌ connecting", "dim"),
    Link.LIVE: ("● live", "good"),
    Link.POLLING: ("◐ polling", "warning"),
    Link.RECONNECTING: ("✖ reconnecting", "error"),
}


class StatusLine(Lines):
    """One line. What matters most stands at the left; what does not fit is left out from the right."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._vitals = Vitals()

    def show(self, vitals: Vitals) -> None:
        """Show these vitals."""
        if vitals != self._vitals:
            self._vitals = vitals
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw the line."""
        width = self.size.width
        vitals = self._vitals
        clock: list[Part] = [(vitals.clock + " ", "dim")]
        groups = self._groups()
        used = len(vitals.clock) + 1
        parts: list[Part] = []
        for group in groups:
            cost = sum(cell_width(text) for text, _style in group) + 2
            if used + cost > width:
                break
            used += cost
            parts.extend([*group, ("  ", "")])
        parts.append((" " * max(0, width - used), ""))
        return self.strip([*parts, *clock], width)

    def _groups(self) -> list[list[Part]]:
        vitals, status, tally = self._vitals, self._vitals.status, self._vitals.tally
        text, style = _LINK[status.link]
        groups: list[list[Part]] = [
            [
                (" evtop", "strong"),
                (f" {fit(clean(vitals.place), 20, pad=False)}", "dim"),
                (f" {text}", style),
            ]
        ]
        if status.store_error:
            groups.append([("✖ store away", "error")])
        if status.repairing and status.link is Link.LIVE:
            groups.append([("▲ gap, repairing", "warning")])
        if vitals.firing:
            groups.append([(f"▲ {vitals.firing:,} firing", "error")])
        if status.reason and status.link is not Link.LIVE:
            groups.append([(fit(clean(status.reason), 36, pad=False), "warning")])
        if status.link is Link.RECONNECTING or (status.link is Link.POLLING and status.attempt):
            groups.append([(f"try {status.attempt}, next in {status.retry_in:.1f} s", "dim")])
        groups.append([("lag ", "dim"), (vitals.lag or "–", "")])
        groups.append([(f"{vitals.rate:,.0f}", ""), (" ev/s", "dim")])
        counts = (
            ("dropped", tally.dropped, "error"),
            ("gaps", vitals.open_gaps, "error"),
            ("malformed", tally.malformed, "warning"),
            ("missed", tally.missed, "warning"),
            ("duplicates", tally.duplicates, "warning"),
            ("unreadable", tally.unreadable, "warning"),
        )
        # What went wrong comes first; that nothing was dropped is said where there is room for it.
        for name, count, style in counts:
            if count:
                groups.append([(f"{name} ", "dim"), (f"{count:,}", style)])
        groups.extend([(f"{name} ", "dim"), ("0", "")] for name, count, _ in counts[:2] if not count)
        groups.append([(f"{tally.received:,}", ""), (" received", "dim")])
        return groups

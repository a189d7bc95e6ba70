"""The top line: is the picture live and whole, how fast is it, what was lost, what time is it."""

from __future__ import annotations

from dataclasses import dataclass, field

from textual.strip import Strip

from monitor.model.arrivals import FROM_FILES, FeedStatus, Link, Tally
from monitor.text import cell_width, clean, fit
from monitor.widgets.lines import Lines, Part


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the status line shows. `rate` is events a second; what is text is written out, and clean.

    `open_to_others`: someone on the way to the bus can read what goes over it, or forge it. `shows_personal`: nothing
    is hidden of personal data.
    """

    place: str = ""
    status: FeedStatus = field(default_factory=FeedStatus)
    tally: Tally = field(default_factory=Tally)
    rate: float = 0.0
    lag: str = ""
    stale: str = ""
    retry: str = ""
    skew: str = ""
    late: int = 0
    open_gaps: int = 0
    firing: int = 0
    open_to_others: bool = False
    worker: str = ""
    shows_personal: bool = False
    clock: str = ""
    wire: str = ""


_LINK: dict[Link, Part] = {
    Link.CONNECTING: ("◌ connecting", "dim"),
    Link.LIVE: ("● live", "good"),
    Link.POLLING: ("◐ polling", "warning"),
    Link.RECONNECTING: ("✖ reconnecting", "error"),
    Link.READING: ("◌ reading", "good"),
    Link.FOLLOWING: ("● following", "good"),
    Link.READ: ("✓ read", "good"),
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
        if vitals.stale:
            groups.append([(f"✖ {vitals.stale}", "error")])
        elif status.store_error:
            groups.append([("✖ store away", "error")])
        if vitals.shows_personal:
            groups.append([("▲ personal data shown", "warning")])
        if status.repairing and status.link is Link.LIVE:
            groups.append([("▲ gap, repairing", "warning")])
        if vitals.firing:
            groups.append([(f"▲ {vitals.firing:,} firing", "error")])
        if vitals.retry:
            groups.append([(vitals.retry, "dim")])
        serious = (
            ("dropped", tally.dropped),
            ("gaps", vitals.open_gaps),
            ("lost", tally.lost),
            ("forged", tally.forged),
            ("altered", tally.altered),
        )
        groups.extend([(f"{name} ", "dim"), (f"{count:,}", "error")] for name, count in serious if count)
        if status.reason and status.link is not Link.LIVE:
            style = "" if status.link in FROM_FILES else "warning"
            groups.append([(fit(clean(status.reason), 36, pad=False), style)])
        if status.link not in {Link.READING, Link.READ}:
            groups.append([("lag ", "dim"), (vitals.lag or "–", "")])
        groups.append([(f"{vitals.rate:,.0f}", ""), (" ev/s", "dim")])
        if vitals.skew:
            groups.append([("clock ", "dim"), (vitals.skew, "warning")])
        if vitals.open_to_others:
            groups.append([("▲ bus open to others", "warning")])
        if vitals.worker:
            groups.append([(f"▲ {clean(vitals.worker)}", "warning")])
        worrying = (
            ("malformed", tally.malformed),
            ("missed", tally.missed),
            ("unsigned", tally.unsigned),
            ("duplicates", tally.duplicates),
            ("late", vitals.late),
            ("unreadable", tally.unreadable),
        )
        groups.extend([(f"{name} ", "dim"), (f"{count:,}", "warning")] for name, count in worrying if count)
        # That nothing was dropped is said where there is room for it.
        if status.link not in FROM_FILES:
            groups.extend([(f"{name} ", "dim"), ("0", "")] for name, count in serious[:2] if not count)
        if vitals.wire:
            groups.append([("wire ", "dim"), (vitals.wire, "")])
        groups.append([(f"{tally.received:,}", ""), (" received", "dim")])
        return groups

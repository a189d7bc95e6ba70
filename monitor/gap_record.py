"""The life of gaps: one is open at a time, whatever else goes wrong meanwhile belongs to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from monitor.model.gaps import Gap, GapState


class GapRecord:
    """The gap that is open, and the changes that were not handed on yet. `now` is the wall clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._gap: Gap | None = None
        self._opened = 0
        self._changed: dict[int, Gap] = {}
        self._told: Gap | None = None

    @property
    def is_open(self) -> bool:
        """Whether events may be missing that were not accounted for."""
        return self._gap is not None

    @property
    def has_news(self) -> bool:
        """Whether there is a change to hand on."""
        return any(gap != self._told for gap in self._changed.values())

    def open(self, cause: str) -> None:
        """Begin a gap; the one that is open goes on, also when its repair had begun."""
        if self._gap is None:
            self._opened += 1
            self._show(Gap(self._opened, cause, self._now()))
        elif self._gap.state is GapState.REPAIRING:
            self._show(replace(self._gap, state=GapState.OPEN, until=None))

    def repairing(self) -> None:
        """The cause is over: what was missed is being read."""
        if self._gap is not None and self._gap.state is GapState.OPEN:
            self._show(replace(self._gap, state=GapState.REPAIRING, until=self._now()))

    def recovered(self, count: int) -> None:
        """Note that `count` events were found in the store."""
        if self._gap is not None and count:
            self._show(self._gap.recovering(count))

    def left_out(self, count: int) -> None:
        """Note that `count` events stay in the store: too many to load."""
        if self._gap is not None:
            self._show(replace(self._gap, left_out=self._gap.left_out + count))

    def missed(self, count: int) -> None:
        """Note that `count` announcements were made and did not come."""
        if self._gap is not None:
            self._show(replace(self._gap, missed=self._gap.missed + count))

    def close(self, lost: int = 0) -> None:
        """The store was read beyond the gap, and the cause is over; `lost` events of it are not in the store."""
        if lost and self._gap is None:
            self.open("announcements missed")
            self.missed(lost)
        if self._gap is not None:
            state = (
                GapState.NOT_LOADED if self._gap.left_out else GapState.LOST if lost else GapState.REPAIRED
            )
            until = self._gap.until or self._now()
            self._show(replace(self._gap, state=state, until=until, lost=self._gap.lost + lost))
            self._gap = None

    def take_changes(self) -> tuple[Gap, ...]:
        """The gaps that changed since the last call, each as it is now. One that changed back is not among them."""
        changed = tuple(gap for gap in self._changed.values() if gap != self._told)
        self._changed.clear()
        self._told = changed[-1] if changed else self._told
        return changed

    def _show(self, gap: Gap) -> None:
        self._gap = gap
        self._changed[gap.number] = gap

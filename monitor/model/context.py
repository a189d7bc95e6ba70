"""Context: what happened right before and after one row, of which the filter hides a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.model.filter import Filter
from monitor.model.rows import SortKey
from store.event import Event

STEP = 3
"""Rows on either side that a key adds or takes away."""
MOST = 30


@dataclass(frozen=True, slots=True)
class ContextRow:
    """An event that the filter hides, shown beside one that it does not."""

    event: Event

    @property
    def sort_key(self) -> SortKey:
        """Stands where the event would."""
        return self.event.sort_key


@dataclass(frozen=True, slots=True)
class Context:
    """The events around the row with `key`, whatever the filter: `reach` of them on either side, oldest first.

    There are fewer where the store has no more. It belongs to the filter `shown`.
    """

    key: SortKey
    shown: Filter
    reach: int
    before: tuple[Event, ...]
    after: tuple[Event, ...]
    hidden: tuple[Event, ...] = field(init=False)
    """Those that the filter hides; the others are among the rows."""

    def __post_init__(self) -> None:
        matches = self.shown.predicate()
        events = (*self.before, *self.after)
        object.__setattr__(self, "hidden", tuple(event for event in events if not matches(event)))

    @classmethod
    def around(
        cls, key: SortKey, shown: Filter, reach: int, before: Sequence[Event], after: Sequence[Event]
    ) -> Context:
        """The context of `key`, given pages of the store in any order that reach as far or further."""
        ordered = [sorted(page, key=lambda event: event.sort_key) for page in (before, after)]
        return cls(key, shown, reach, tuple(ordered[0][-reach:]), tuple(ordered[1][:reach]))

    def cut(self, reach: int) -> Context:
        """The same with fewer rows."""
        return self.around(self.key, self.shown, reach, self.before, self.after)

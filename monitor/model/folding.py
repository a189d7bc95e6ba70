"""A run: alike events that follow one another, shown as one row."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from monitor.model.rows import SortKey
from store.event import Event

likeness = attrgetter(
    "event_type",
    "severity",
    "status",
    "actor_type",
    "actor_id",
    "resource_type",
    "resource_id",
    "secondary_resource_type",
    "secondary_resource_id",
)
"""What events of a run have in common. Severity is part of it: an error never stands behind a row that is none."""


@dataclass(frozen=True, slots=True)
class Run:
    """`count` alike events, at least two, from `first` to `last`."""

    first: Event
    last: Event
    count: int

    @property
    def sort_key(self) -> SortKey:
        """Stands where its last event does."""
        return self.last.sort_key

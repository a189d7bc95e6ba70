"""Reads the health events of the last 30 days from the store, for the board on the screen and for `evtop health`."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.health.reports import active_mapping
from store.event import Event
from store.event_filter import EventFilter

PAGE = 500
"""Events of one page: keys wait for no more than the reading of so many."""
EVENTS_MAX = 50_000
"""Events that are read at most."""
BEFORE_MAX = 2000
"""Events of a type that are read from before the span, where the state that it begins with may stand."""


class HealthReader(Protocol):
    """What is asked of the store."""

    async def known_types(self) -> list[str]:
        """Every event type that was ever stored."""
        ...

    async def before(
        self, floor: tuple[datetime, int] | None, limit: int, query: EventFilter, /
    ) -> list[Event]:
        """The newest events that match `query` and come before the sort key `floor`, newest first."""
        ...


@dataclass(slots=True)
class _Walk:
    """How far the events of one type are read, back in time."""

    chosen: EventFilter
    floor: tuple[datetime, int] | None = None
    before: int = 0
    is_within: bool = True


class HealthHistory:
    """Health events since a moment, and the latest ones before it.

    `count` is how many were read. `is_cut` says that there are more than `most` (`EVENTS_MAX`) since then: of those,
    the newest were read, of each type alike.
    """

    def __init__(self, reader: HealthReader, since: datetime, most: int | None = None) -> None:
        self._reader = reader
        self._since = since
        self._most = EVENTS_MAX if most is None else most
        self.count = 0
        self.is_cut = False

    async def pages(self) -> AsyncGenerator[list[Event]]:
        """The events, a page at a time, each of one type and newest first.

        Raises:
            StoreError: the store cannot be read.
        """
        mapping = active_mapping()
        known = await self._reader.known_types()
        # One walk a type goes by an index; a page of several types would sort all of theirs.
        walks = deque(_Walk(EventFilter(event_type=name)) for name in known if mapping.type_of(name))
        while walks and self.count < self._most:
            walk = walks.popleft()
            page = await self._reader.before(walk.floor, PAGE, walk.chosen)
            self.count += len(page)
            walk.before += sum(event.inserted_at < self._since for event in page)
            if len(page) == PAGE:
                walk.floor = page[-1].sort_key
                walk.is_within = walk.before == 0
                if walk.before < BEFORE_MAX:
                    walks.append(walk)
            if page:
                yield page
        self.is_cut = any(walk.is_within for walk in walks)

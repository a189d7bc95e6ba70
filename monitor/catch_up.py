"""Reading the store for the feed: the opening, what was committed since, what is still unconfirmed."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from monitor.merge import Merge
from monitor.model.arrivals import Opening
from monitor.model.counts import WINDOW_MINUTES
from store.event import Event
from store.repository import Overview

OPENING_PAGE = 500
PAGE = 2000
"""Events of one read when catching up: about 20 ms of the event loop."""
CLAIMS, CLAIM_READS = 1000, 20
"""Positions looked at in one read, to see whether what was announced is there, and such reads in a row."""
PATIENCE = 2.0
"""Seconds without an answer after which the store counts as away, for as long as the answer takes."""
_HISTORY = 2000

_Answer = TypeVar("_Answer")


class Reader(Protocol):
    """What the feed reads from the store; `store.repository.EventRepository` is one.

    A page below its limit is the last one, whatever rows are unreadable.
    """

    commit_overlap: int
    unreadable: int

    async def overview(self, limit: int, since: datetime) -> Overview: ...  # noqa: D102

    async def after(self, position: int, limit: int = 1000) -> list[Event]: ...  # noqa: D102

    async def newest_of_types(self, patterns: Iterable[str], limit: int) -> list[Event]: ...  # noqa: D102

    async def last_position(self) -> int: ...  # noqa: D102

    async def get(self, ids: Iterable[UUID]) -> list[Event]: ...  # noqa: D102

    async def holding(self, claims: Mapping[int, UUID]) -> Collection[int]: ...  # noqa: D102


class CatchUp:
    """Folds what the store holds into `merge`. Errors of the reader pass through.

    `slow` is called when a read takes longer than `PATIENCE`. After `limit` missed events the feed starts over.
    """

    def __init__(
        self, reader: Reader, merge: Merge, slow: Callable[[], None], *, interest: Iterable[str], limit: int
    ) -> None:
        self._reader = reader
        self._merge = merge
        self._slow = slow
        self._interest = tuple(interest)
        self._limit = limit
        self._last = 0

    @property
    def unreadable(self) -> int:
        """Rows that were no events, of all that were read."""
        return self._reader.unreadable

    @property
    def start(self) -> int:
        """The position to catch up from: commits before it need no second look."""
        return max(0, self._merge.position - self._reader.commit_overlap)

    async def open(self, now: datetime) -> int:
        """Start, or start over, with the newest page. Returns how many commits that leaves out."""
        reader, overlap = self._reader, self._reader.commit_overlap
        overview = await self._ask(reader.overview(OPENING_PAGE, now - timedelta(minutes=WINDOW_MINUTES)))
        self._last = last = overview.last_position
        has_older = len(overview.newest) >= OPENING_PAGE
        recent = await self._ask(reader.after(max(0, last - overlap), overlap)) if overlap else []
        history = await self._ask(reader.newest_of_types(self._interest, _HISTORY)) if self._interest else []
        behind = self._merge.position
        loaded = sum((event.position or 0) > behind for event in overview.newest)
        opening = Opening(tuple(overview.newest), tuple(overview.rollups), tuple(history), has_older)
        known = (event for event in (*overview.newest, *recent) if (event.position or 0) <= last)
        self._merge.open_with(opening, known, last, overlap)
        return max(0, last - behind - loaded)

    async def last_position(self) -> int:
        """The position of the latest commit."""
        return await self._ask(self._reader.last_position())

    def went_back(self, last: int) -> bool:
        """Whether the store ended later before: it is another one then, or was emptied, and is to be opened."""
        self._last = max(self._last, last)
        return last < self._last

    def too_far_behind(self, last: int) -> bool:
        """Whether more was missed than is worth loading."""
        return last - self._merge.position > self._limit

    async def read_page(self, position: int, last: int) -> tuple[int, int]:
        """Read on after `position`. Returns how many events were new, and the position that was reached.

        That is `last` at least when there is no further page.
        """
        page = await self._ask(self._reader.after(position, PAGE))
        found = sum(map(self._merge.stored, page))
        reached = (page[-1].position or 0) if page else position
        if len(page) < PAGE:
            reached = max(reached, last)
        self._merge.read_up_to(reached, keep=self._limit)
        self._merge.count(recovered=found)
        return found, reached

    async def confirm(self, within: float) -> None:
        """Look up what the bus alone told of; what came over `within` seconds ago and is not there is missing."""
        claims = self._merge.claims
        for _ in range(CLAIM_READS):
            if not claims:
                break
            # Together, as announcements are of commits in a row: one walk of the index.
            end = bisect_left(claims, (claims[0][0] + CLAIMS,))
            looked_at, claims = claims[:end], claims[end:]
            held = await self._ask(self._reader.holding(dict(looked_at)))
            self._merge.judge((position for position, _ in looked_at), held)
        if self._merge.unconfirmed:
            asked_at = time.monotonic()
            for event in await self._ask(self._reader.get(tuple(self._merge.unconfirmed))):
                self._merge.stored(event)
            self._merge.overdue(asked_at - within)

    async def _ask(self, answer: Awaitable[_Answer]) -> _Answer:
        timer = asyncio.get_running_loop().call_later(PATIENCE, self._slow)
        try:
            return await answer
        finally:
            timer.cancel()

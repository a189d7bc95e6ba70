"""A feed under observation: what it hands on, held to what every feed promises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from monitor.feed import Feed, FeedOptions
from monitor.model.arrivals import Arrivals, FeedStatus, Link, Opening, Tally
from monitor.model.gaps import Gap
from store.bus import Bus
from store.event import Event
from store.events import EventStore
from store.redis_bus import RedisBus
from tests.waiting import until


class Watch:
    """Takes what the feed hands on. No event comes twice, each one is counted, no change is told twice."""

    def __init__(self) -> None:
        self.frames: list[Arrivals] = []
        self.times: list[float] = []
        self.events: list[Event] = []
        self.links: list[tuple[float, Link]] = []
        """Since when, by `time.monotonic()`, the link was what."""
        self.openings: list[Opening] = []
        self.gaps: dict[int, list[Gap]] = {}
        self.confirmed: list[UUID] = []
        self.missing: list[UUID] = []
        self.unconfirmed: set[UUID] = set()
        self.caught_up_at: Callable[[], float] = lambda: 0.0
        """When the feed says that it had all that the store had."""
        self._ids: set[UUID] = set()

    def take(self, arrivals: Arrivals) -> None:
        self.times.append(asyncio.get_running_loop().time())
        self.frames.append(arrivals)
        if not self.links or self.links[-1][1] is not arrivals.status.link:
            self.links.append((time.monotonic(), arrivals.status.link))
        for event in arrivals.events:
            assert event.id not in self._ids, "an event was handed on twice"
            self._ids.add(event.id)
        self.events.extend(arrivals.events)
        assert arrivals.tally.received == len(self.events)
        if arrivals.opening is not None:
            self.openings.append(arrivals.opening)
        for gap in arrivals.gaps:
            states = self.gaps.setdefault(gap.number, [])
            assert not states or states[-1] != gap, "a gap was handed on without a change"
            states.append(gap)
        self.confirmed.extend(arrivals.confirmed)
        self.missing.extend(arrivals.missing)
        self.unconfirmed |= arrivals.unconfirmed

    @property
    def status(self) -> FeedStatus:
        return self.frames[-1].status if self.frames else FeedStatus()

    @property
    def tally(self) -> Tally:
        return self.frames[-1].tally if self.frames else Tally()

    @property
    def is_live(self) -> bool:
        """Live, opened, and nothing left to repair."""
        return self.status.link is Link.LIVE and bool(self.openings) and not self.status.repairing

    async def meets(self, link: Link, since: float, within: float) -> float:
        """Wait for the link to be `link` at some time after `since`. Returns how many seconds after it that was."""

        def when() -> list[float]:
            return [moment for moment, met in self.links if met is link and moment >= since]

        await until(when, max(0.0, since + within - time.monotonic()))
        return when()[0] - since

    @property
    def last_gaps(self) -> list[Gap]:
        """Every gap, as it was last told."""
        return [states[-1] for states in self.gaps.values()]

    @property
    def ids(self) -> set[UUID]:
        """What was handed on as new, or stood on the last newest page."""
        return self._ids | ({event.id for event in self.openings[-1].newest} if self.openings else set())

    @property
    def counted(self) -> int:
        """Events by the count that a console shows: the last opening's rollups and what came with or after it."""
        start = max(index for index, frame in enumerate(self.frames) if frame.opening is not None)
        live = sum(len(frame.events) for frame in self.frames[start:])
        return sum(row[4] for row in self.openings[-1].rollups) + live


@asynccontextmanager
async def watching(
    reader: Any, bus: Bus | None, options: FeedOptions | None = None, **further: Any
) -> AsyncIterator[Watch]:
    """Run a feed and watch it. It must still run at the end, end when cancelled, and leave no task behind."""
    before = asyncio.all_tasks()
    watch = Watch()
    watched = Feed(reader, bus, watch.take, options=options, **further)
    watch.caught_up_at = lambda: watched.caught_up_at
    feed = asyncio.create_task(watched.run())
    try:
        yield watch
        assert not feed.done(), feed.exception()
    finally:
        feed.cancel()
        with suppress(asyncio.CancelledError):
            await feed
    assert asyncio.all_tasks() <= before


@asynccontextmanager
async def viewer(store_url: str, bus_url: str, **further: Any) -> AsyncIterator[Watch]:
    """Watch a feed with the options of the program, which has a store and a bus of its own."""
    bus = RedisBus(bus_url)
    try:
        async with (
            await EventStore.open(store_url) as store,
            watching(store.repository, bus, **further) as watch,
        ):
            yield watch
    finally:
        await bus.close()

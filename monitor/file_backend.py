"""Events of files and pipes in the console: read into a store of their own, which every screen then works on."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from monitor.backend import Backend
from monitor.feed import Feed, FeedOptions
from monitor.model.arrivals import Arrivals, FeedStatus, Link, Refusal, Tally
from store.errors import StoreError
from store.event import LAST_ID, Event
from store.event_selection import Cursor
from store.events import EventStore
from store.importing.importer import ImportCounts, Rejection, import_events
from store.importing.lines import SourceError
from store.importing.mapping import FieldMapping
from store.importing.recurrence import Recurrence

BATCH_LINES = 500
"""Lines of one transaction: keys wait for no more than the making of so many events."""
FIRST_ROWS_WITHIN = 1.0
"""Seconds that the first picture waits for the first rows: a pipe may have none yet."""
TELL_EVERY = 0.25
"""Seconds between two words on how far the reading came."""
LIVE_WITHIN = timedelta(hours=1)
"""How old the newest event of a pipe may be for the time to be now."""
REFUSALS_KEPT = 100
EXCERPT_BYTES = 2000
FEED = FeedOptions(poll=0.5, catch_up_limit=2000)


class FileClock:
    """The time of the newest event: what is shown of a file is the hour before its end.

    While a pipe tells of the present, it is the present: what `wall` says, which the clock never runs ahead of.
    """

    def __init__(self, wall: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.wall = wall
        self.newest: datetime | None = None
        self.follows = False
        """Whether more may come."""

    def __call__(self) -> datetime:
        """Now, aware."""
        wall = self.wall()
        if self.newest is None or (self.follows and wall - self.newest < LIVE_WITHIN):
            return wall
        return min(wall, self.newest)


class Stream(Protocol):
    """What is read from: bytes, as many as there are up to `size`; none at the end."""

    def read(self, size: int, /) -> bytes | None: ...  # noqa: D102


@dataclass(slots=True)
class Source:
    """A file or a pipe to read. `size` is that of a file, in bytes; a pipe has none. `read` counts."""

    name: str
    stream: Stream
    size: int | None = None
    counts: ImportCounts = field(default_factory=ImportCounts)
    bytes_read: int = 0

    def read(self, size: int) -> bytes:
        """Read from the stream; it is what `import_events` reads from."""
        content = self.stream.read(size) or b""
        self.bytes_read += len(content)
        return content


class FileBackend(Backend):
    """A store that is filled from `sources` while the console works on it.

    Files are read one after the other, pipes beside them. What the feed tells is handed on with how far the reading
    came and which lines were refused, as if those had been messages.
    """

    def __init__(
        self, store: EventStore, sources: Sequence[Source], mapping: FieldMapping | None, clock: FileClock
    ) -> None:
        super().__init__(store, None, now=clock, is_private=True)
        self._sources = list(sources)
        self._mapping = mapping
        self._clock = clock
        self._refusals: deque[Refusal] = deque(maxlen=REFUSALS_KEPT)
        self._failures: list[str] = []
        self._started = asyncio.Event()
        self._ended = self._is_whole = False
        self._told = Arrivals(FeedStatus(), Tally())

    async def run(self, deliver: Callable[[Arrivals], None], interest: tuple[str, ...] = ()) -> None:
        """Read, and run the feed, until cancelled."""

        def hand_on(arrivals: Arrivals) -> None:
            self._told = self._as_read(arrivals)
            deliver(self._told)

        feed = Feed(self.store.repository, None, hand_on, interest=interest, options=FEED, now=self._clock)
        self._feed = feed
        self._clock.follows = any(source.size is None for source in self._sources)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_all(), name="files: read")
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_ROWS_WITHIN):
                    await self._started.wait()
            began_early = not self._started.is_set()
            await self._look_at_newest()
            tasks.create_task(feed.run(), name="files: feed")
            if began_early:
                await self._started.wait()
                await self._look_at_newest()
                await feed.start_over()
            await self._tell(feed, deliver)

    async def _tell(self, feed: Feed, deliver: Callable[[Arrivals], None]) -> None:
        """Say how far the reading came, until it has ended, and then look at the whole once more."""
        while not self._ended:
            await asyncio.sleep(TELL_EVERY)
            await self._look_at_newest()
            told = self._as_read(Arrivals(self._told.status, self._told.tally))
            if told.refusals or (told.status, told.tally) != (self._told.status, self._told.tally):
                self._told = told
                deliver(told)
        await self._look_at_newest()
        # That all is read is told when all of it can be seen.
        await feed.start_over()
        self._is_whole = True
        self._told = self._as_read(Arrivals(self._told.status, self._told.tally))
        deliver(self._told)

    async def record(self, events: Sequence[Event]) -> None:
        """Leave the files as they are: what is said of alerts holds as long as the console does."""

    async def _look_at_newest(self) -> None:
        # One event of a clock that is years ahead must not move the time away from all others.
        present = Cursor(self._clock.wall(), LAST_ID)
        with suppress(StoreError):
            for event in await self.store.repository.before(present, 1):
                self._clock.newest = event.inserted_at

    # Reading

    async def _read_all(self) -> None:
        files = [source for source in self._sources if source.size is not None]
        pipes = [source for source in self._sources if source.size is None]
        with Recurrence() as recurrence:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read_in_turn(files, recurrence))
                for pipe in pipes:
                    tasks.create_task(self._read_in_turn([pipe], recurrence))
        self._clock.follows = False
        self._ended = True
        self._started.set()

    async def _read_in_turn(self, sources: Sequence[Source], recurrence: Recurrence) -> None:
        for source in sources:
            try:
                await import_events(
                    self.store,
                    source,  # pyright: ignore[reportArgumentType]
                    mapping=self._mapping,
                    # What comes through a pipe without a time happens now.
                    at_import_time=source.size is None,
                    recurrence=recurrence,
                    reject=lambda rejections, source=source: self._refuse(source, rejections),
                    progress=lambda counts: self._started.set(),
                    counts=source.counts,
                    batch_lines=BATCH_LINES,
                )
            except (SourceError, StoreError, OSError) as error:
                # What was read until then is worth a look all the same.
                self._fail(source, str(error))

    def _fail(self, source: Source, reason: str) -> None:
        self._failures.append(f"{source.name}: {reason}")
        self._refusals.append(Refusal(b"", 0, f"reading stopped: {reason}", source.name))

    def _refuse(self, source: Source, rejections: Sequence[Rejection]) -> None:
        for line, reason in rejections[-REFUSALS_KEPT:]:
            where = f"{source.name}:{line.number}" if len(self._sources) > 1 else f"line {line.number}"
            self._refusals.append(Refusal(line.content[:EXCERPT_BYTES], line.size, reason, where))

    # Telling

    def _as_read(self, arrivals: Arrivals) -> Arrivals:
        """What the feed told, as of files: nothing can be missing between store and console."""
        refusals = tuple(self._refusals)
        self._refusals.clear()
        told = arrivals.status
        status = FeedStatus(
            self._link(),
            told.since,
            self._progress(),
            store_error=told.store_error,
            store_error_since=told.store_error_since,
        )
        tally = replace(
            arrivals.tally,
            received=sum(source.counts.stored for source in self._sources),
            malformed=sum(source.counts.rejected for source in self._sources),
            duplicates=sum(source.counts.duplicates for source in self._sources),
        )
        return replace(arrivals, status=status, tally=tally, refusals=refusals, gaps=())

    def _link(self) -> Link:
        if self._is_whole:
            return Link.READ
        return Link.FOLLOWING if self._clock.follows else Link.READING

    def _progress(self) -> str:
        lines = sum(source.counts.lines for source in self._sources)
        stored = sum(source.counts.stored for source in self._sources)
        refused = sum(source.counts.rejected for source in self._sources)
        if self._failures:
            return f"✖ {self._failures[0]}"
        if refused and not stored:
            return "no line is an event: M tells why"
        told = f"{lines:,} lines"
        sizes = [source.size for source in self._sources]
        if self._ended or not all(sizes):
            return told
        share = sum(source.bytes_read for source in self._sources) / math.fsum(size or 0 for size in sizes)
        return f"{told} · {min(99, int(100 * share))} %"

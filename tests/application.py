"""What a feed is watched over: a bus in memory, a real SQLite store, and a reader that can be made to fail."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from monitor.feed import FeedOptions
from store.event import Event
from store.events import EventStore
from store.memory_bus import MemoryBus
from store.repository import EventRepository
from tests.waiting import until
from tests.watch import Watch, watching

QUICK = FeedOptions(frame=0.01, safety_poll=0.1, poll=0.02, confirm_within=0.2)
NO_POLL = FeedOptions(frame=0.01, safety_poll=60.0, poll=60.0)
"""Nothing is found by looking at the store now and then: what is found was known to be missing."""


def downloads(count: int) -> list[Event]:
    return [Event(event_type="download.completed", metadata={"n": n}) for n in range(count)]


class Application:
    """A store that announces what it takes in, one that does not, and the file that both write."""

    def __init__(self, path: Path, bus: MemoryBus, loud: EventStore, quiet: EventStore) -> None:
        self.path = path
        self.bus = bus
        self.loud = loud
        self.quiet = quiet
        self.reader = MoodyReader(loud.repository)

    async def create(self, count: int) -> list[Event]:
        return await self.loud.create_many(downloads(count))

    async def create_unannounced(self, count: int) -> list[Event]:
        return await self.quiet.create_many(downloads(count))

    async def count(self) -> int:
        return await self.quiet.repository.count()

    def write_rows(self, statement: str) -> None:
        """Change the file behind everyone's back."""
        with sqlite3.connect(self.path) as connection:
            connection.execute(statement)
        connection.close()


class MoodyReader:
    """The real repository, that can be away, silent, or interrupted between its answer and the feed's next step."""

    def __init__(self, repository: EventRepository) -> None:
        self._repository = repository
        self.commit_overlap = 0
        self.error: Exception | None = None
        self.answering = asyncio.Event()
        self.answering.set()
        self.asked: list[str] = []
        self.before: dict[str, Callable[[], Any]] = {}
        self.after_: dict[str, Callable[[], Any]] = {}
        self.hidden: set[int] = set()

    @property
    def unreadable(self) -> int:
        return self._repository.unreadable

    @unreadable.setter
    def unreadable(self, value: int) -> None:
        raise AssertionError("only the repository counts")

    async def overview(self, *arguments: Any) -> Any:
        return await self._ask("overview", *arguments)

    async def after(self, *arguments: Any) -> list[Event]:
        return [e for e in await self._ask("after", *arguments) if e.position not in self.hidden]

    async def newest_of_types(self, *arguments: Any) -> list[Event]:
        return await self._ask("newest_of_types", *arguments)

    async def last_position(self) -> int:
        return await self._ask("last_position")

    async def get(self, *arguments: Any) -> list[Event]:
        return await self._ask("get", *arguments)

    async def holding(self, *arguments: Any) -> set[int]:
        return await self._ask("holding", *arguments) - self.hidden

    async def _ask(self, name: str, *arguments: Any) -> Any:
        self.asked.append(name)
        await self.answering.wait()
        if self.error is not None:
            raise self.error
        if name in self.before:
            await self.before.pop(name)()
        answer = await getattr(self._repository, name)(*arguments)
        if name in self.after_:
            await self.after_.pop(name)()
        return answer


@asynccontextmanager
async def application(path: Path) -> AsyncIterator[Application]:
    """An application whose store is the file at `path`."""
    bus = MemoryBus(producer="app")
    async with (
        await EventStore.open(f"sqlite:///{path}", bus) as loud,
        await EventStore.open(f"sqlite:///{path}") as quiet,
    ):
        yield Application(path, bus, loud, quiet)


@asynccontextmanager
async def live(store: Application, options: FeedOptions = QUICK, **further: Any) -> AsyncIterator[Watch]:
    async with watching(store.reader, store.bus, options, **further) as watch:
        await until(lambda: watch.is_live)
        yield watch

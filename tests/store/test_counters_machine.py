"""Counters in any order of recording, flushing, dying and forgetting, on a real SQLite file and a real Valkey."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from redis import Redis

from store.counters.check import CounterCheck
from store.counters.repository import CounterRepository
from store.event import Event
from store.events import EventStore
from store.redis_bus import RedisBus
from store.retention import RetentionPolicy, prune
from tests.events import make_event
from tests.store.retained import NOW
from tests.store.test_migrations import ProcessEndedError, Statements
from tests.valkey import ValkeyServer

MOVIES = ("a", "b")
STEPS = 20
batches = st.lists(
    st.tuples(st.sampled_from(MOVIES), st.sampled_from(["viewed", "liked", "unliked"])), max_size=6
)


class Counters(RuleBasedStateMachine):
    """What is shown is what was recorded; but for what a producer that was killed did not tell Redis, until a flush."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="evtop-counters-"))
        self.runner = asyncio.Runner()
        self.server = ValkeyServer()
        self.server.start()
        self.client = Redis.from_url(self.server.url)
        self.expected: Counter[tuple[str, str]] = Counter()
        self.untold: set[str] = set()
        self.number = 0

    @initialize()
    def open(self) -> None:
        async def opened() -> EventStore:
            return await EventStore.open(f"sqlite:///{self.folder / 'events.db'}", RedisBus(self.server.url))

        self.store = self.runner.run(opened())
        self.plain = CounterRepository(self.store.database)

    def events(self, batch: list[tuple[str, str]], days: float = 0) -> list[Event]:
        found: list[Event] = []
        for movie, verb in batch:
            self.number += 1
            about = {"event_type": f"movie.{verb}", "resource_type": "movie", "resource_id": movie}
            found.append(make_event(self.number, inserted_at=NOW - timedelta(days=days), **about))
            counter, by = {"viewed": ("views", 1), "liked": ("likes", 1), "unliked": ("likes", -1)}[verb]
            self.expected[movie, counter] += by
        return found

    @rule(batch=batches, days=st.sampled_from([0, 200]))
    def record(self, batch: list[tuple[str, str]], days: int) -> None:
        self.runner.run(self.store.create_many(self.events(batch, days)))

    @rule(batch=batches)
    def record_and_die(self, batch: list[tuple[str, str]]) -> None:
        """After the commit, and before Redis is told."""
        self.runner.run(self.store.repository.append(self.events(batch)))
        self.untold.update(movie for movie, _ in batch)

    @rule()
    def flush(self) -> None:
        self.runner.run(self.store.counters.flush())
        self.untold.clear()

    @rule(after=st.integers(1, 25))
    def flush_and_die(self, after: int) -> None:
        with Statements() as statements:
            statements.limit = after
            try:
                self.runner.run(self.store.counters.flush())
            except ProcessEndedError:
                return
        self.untold.clear()

    @rule()
    def redis_forgets(self) -> None:
        self.client.flushall()

    @rule()
    def prune(self) -> None:
        self.runner.run(prune(self.store.database, RetentionPolicy(days=90), now=NOW))

    @rule()
    def check(self) -> None:
        async def checked() -> int:
            check = CounterCheck(self.store.database, self.store.counters.pending)
            return len([one async for one in check.differences()])

        # It flushes first.
        assert self.runner.run(checked()) == 0
        self.untold.clear()

    @invariant()
    def all_is_counted(self) -> None:
        if not hasattr(self, "store"):
            return
        for movie in MOVIES:
            plain = self.runner.run(self.plain.of("movie", movie)).values
            shown = self.runner.run(self.store.counters.of("movie", movie)).values
            for counter in ("views", "likes"):
                assert plain.get(counter, 0) == self.expected[movie, counter]
                if movie not in self.untold:
                    assert shown.get(counter, 0) == self.expected[movie, counter]

    def teardown(self) -> None:
        async def closed() -> None:
            await self.store.close()

        if hasattr(self, "store"):
            self.runner.run(closed())
        self.runner.close()
        self.client.close()
        self.server.__exit__()
        shutil.rmtree(self.folder)


TestCounters = Counters.TestCase
TestCounters.settings = settings(max_examples=8, stateful_step_count=STEPS, deadline=None)

"""Counters under kill -9: events are recorded, flushers are killed in the middle, Redis comes back empty."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from store.counters.check import CounterCheck
from store.counters.tally import CounterKey
from store.embedded import dying_with_parent
from store.event import Event
from store.events import EventStore
from store.redis_bus import RedisBus
from tests.valkey import ValkeyServer

ROOT = Path(__file__).parents[2]
MOVIES = 20
VERBS = {
    "viewed": ("views", 1),
    "liked": ("likes", 1),
    "unliked": ("likes", -1),
    "downloaded": ("downloads", 1),
}
FLUSHER = """
import asyncio, sys
from store.counters import flush as flushing
from store.events import EventStore
from store.redis_bus import RedisBus

# A transaction for every few events: there is always one to be killed in.
flushing.FIRST_STEP = flushing.SMALLEST_STEP = flushing.LARGEST_STEP = 25

async def main(url, bus):
    async with await EventStore.open(url, RedisBus(bus)) as store:
        print("ready", flush=True)
        while True:
            await store.counters.flush()

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What came of it: counters that differ from the oracle, in SQL and as they are shown, and how much was done."""

    differences: int
    shown_differences: int
    found_by_check: int
    events: int
    kills: int


async def count_under_kills(url: str, kills: int, seed: int) -> Counted:
    """Record events while two flushers run, kill one of them `kills` times, and let Redis forget all in between."""
    rng = random.Random(seed)
    with ValkeyServer() as server:
        async with await EventStore.open(url, RedisBus(server.url)) as store:
            expected: Counter[CounterKey] = Counter()
            flushers = [_flusher(url, server) for _ in range(2)]
            try:
                number = 0
                for kill in range(kills):
                    number += await _record(store, rng, expected)
                    await asyncio.to_thread(_ready, flushers[kill % 2])
                    await asyncio.sleep(rng.uniform(0, 0.05))
                    _kill(flushers[kill % 2])
                    flushers[kill % 2] = _flusher(url, server)
                    if kill == kills // 2:
                        async with Redis.from_url(server.url) as client:
                            await client.flushall()
                number += await _record(store, rng, expected)
            finally:
                for flusher in flushers:
                    _kill(flusher)
            await store.counters.flush()
            await _record(store, rng, expected)
            shown = {
                key: (await store.counters.of("movie", key.resource_id)).values.get(key.counter, 0)
                for key in expected
            }
            await store.counters.flush()
            flushed = {
                key: (await store.counters.of("movie", key.resource_id)).flushed.get(key.counter, 0)
                for key in expected
            }
            check = CounterCheck(store.database, store.counters.pending)
            wrong = [difference async for difference in check.differences()]
    return Counted(
        sum(flushed[key] != value for key, value in expected.items()),
        sum(shown[key] != value for key, value in expected.items()),
        len(wrong),
        number,
        kills,
    )


async def _record(store: EventStore, rng: random.Random, expected: Counter[CounterKey]) -> int:
    batch: list[Event] = []
    for _ in range(rng.randrange(50, 400)):
        verb, movie = rng.choice(list(VERBS)), str(rng.randrange(MOVIES))
        batch.append(Event(event_type=f"movie.{verb}", resource_type="movie", resource_id=movie))
        counter, by = VERBS[verb]
        expected[CounterKey("movie", movie, counter)] += by
    await store.create_many(batch)
    return len(batch)


def _flusher(url: str, server: ValkeyServer) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", FLUSHER, url, server.url],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
    )


def _ready(flusher: subprocess.Popen[bytes]) -> None:
    assert flusher.stdout is not None
    assert flusher.stdout.readline() == b"ready\n", "the flusher ended by itself"


def _kill(flusher: subprocess.Popen[bytes]) -> None:
    flusher.send_signal(signal.SIGKILL)
    flusher.wait()
    if flusher.stdout is not None:
        flusher.stdout.close()

"""`python -m tests.bench.flood_reader listen|feed|soak SOCKET COUNT`: takes COUNT messages off a bus, and tells how.

`listen` is a plain loop over redis-py's `pubsub.listen()` that decodes nothing; `feed` is evtop's live path, from the
socket to the model of the console, filter and all. Writes `ready` when it is subscribed, begins to read after a line
on stdin, and ends with a JSON object: seconds, and how many events were counted, and how. `soak` is `feed`, and writes
how many came and how many MB it takes every now and then.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

import psutil
from redis.asyncio import Redis

from monitor.feed import Feed
from monitor.garbage import GarbageCollection
from monitor.model.arrivals import Arrivals
from monitor.model.console import ConsoleModel
from monitor.model.filter import Filter
from store.bus import CHANNEL
from store.event import Event
from store.query.parser import parse
from store.redis_bus import RedisBus
from store.repository import Overview

TELL_EVERY = 20_000
QUERY = "category:downloads -type:download.started"


class _AllSeen:
    """A store that holds nothing but what was announced, so that the live path alone is measured."""

    commit_overlap = 0
    unreadable = 0
    position = 0

    async def overview(self, limit: int, since: datetime) -> Overview:
        return Overview([], [], self.position)

    async def after(self, position: int, limit: int = 1000) -> list[Event]:
        return []

    async def newest_of_types(self, patterns: Iterable[str], limit: int) -> list[Event]:
        return []

    async def last_position(self) -> int:
        return self.position

    async def holding(self, claims: Mapping[int, UUID]) -> set[int]:
        return set(claims)

    async def get(self, ids: Iterable[UUID]) -> list[Event]:
        return []


def _wait_for_go() -> tuple[float, float]:
    print("ready", flush=True)
    sys.stdin.readline()
    return time.perf_counter(), time.process_time()


async def _listen(socket: str, count: int) -> dict[str, float]:
    async with Redis(unix_socket_path=socket) as client, client.pubsub() as subscription:
        await subscription.subscribe(CHANNEL)
        messages = subscription.listen()
        await anext(messages)
        started, used = _wait_for_go()
        received = 0
        async for _ in messages:
            received += 1
            if received == count:
                break
        return {
            "seconds": time.perf_counter() - started,
            "cpu_seconds": time.process_time() - used,
            "received": received,
        }


async def _feed(socket: str, count: int, tell_every: int = 0) -> dict[str, float]:
    store, model, done = _AllSeen(), ConsoleModel(), asyncio.Event()
    model.timeline.apply(Filter().with_query(QUERY, parse(QUERY)))
    told = 0

    def take(arrivals: Arrivals) -> None:
        nonlocal told
        model.apply(arrivals, datetime.now(UTC), time.monotonic())
        store.position = max(store.position, *(event.position or 0 for event in arrivals.events[-1:]), 0)
        received = model.tally.received
        assert not model.tally.malformed, model.refusals[-1]
        if tell_every and received >= told + tell_every:
            told = received
            print(json.dumps({"received": received, "megabytes": megabytes()}), flush=True)
        if received + model.tally.dropped >= count:
            done.set()

    bus = RedisBus(f"unix://{socket}")
    feeding = asyncio.create_task(Feed(store, bus, take).run())
    while not (model.opened and model.status.link == "live"):
        await asyncio.sleep(0.01)
    GarbageCollection().settle()
    started, used = _wait_for_go()
    await done.wait()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - used
    feeding.cancel()
    await bus.close()
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, **asdict(model.tally)}


def megabytes() -> float:
    """What this process holds in memory."""
    return psutil.Process().memory_info().rss / 2**20


if __name__ == "__main__":
    kind, address, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    if kind == "listen":
        report = asyncio.run(_listen(address, number))
    else:
        report = asyncio.run(_feed(address, number, TELL_EVERY if kind == "soak" else 0))
    print(json.dumps(report))

"""Every event is recorded, published and read several times: fault 15."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from store.bus import CHANNEL
from store.events import EventStore
from store.redis_bus import RedisBus
from store.wire import encode
from tests.faults.child import Producer
from tests.faults.conftest import Size
from tests.faults.judge import evidence, judge
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import watching

pytestmark = pytest.mark.fault

TIMES = 3
"""How often each producer records each event."""
RATE = 1_000


async def test_what_comes_many_times_is_stored_shown_and_counted_once(
    size: Size, store_url: str, valkey: ValkeyServer, tmp_path: Path, seed: int
) -> None:
    events = size.either(600, 6_000)
    since = time.time_ns() // 1_000_000
    bus = RedisBus(valkey.url)
    # One seed: two producers that record the same events, of which neither knows what the other did.
    producers = [
        Producer(
            tmp_path,
            name,
            store_url,
            seed,
            since=since,
            repeats=TIMES,
            bus=valkey.url,
            spool=str(tmp_path / "spool"),
        )
        for name in ("one", "other")
    ]
    async with await EventStore.open(store_url) as store, watching(store.repository, bus) as watch:
        await until(lambda: watch.is_live)
        for each in producers:
            await asyncio.to_thread(each.record, events, RATE)
        for each in producers:
            await asyncio.to_thread(each.recorded)
            assert await asyncio.to_thread(each.flush)
        await until(lambda: len(watch.events) == events)
        for event in await store.repository.newest(200):
            assert valkey.publish(CHANNEL, encode(event)) == 1
        await until(lambda: watch.tally.duplicates >= 200)
        await until(lambda: watch.is_live)
        assert (watch.counted, len(watch.ids)) == (events, events)
        stats = [await asyncio.to_thread(each.stats) for each in producers]
        for each in producers:
            assert await asyncio.to_thread(each.close)
            await asyncio.to_thread(each.end)
    await bus.close()
    found = await asyncio.to_thread(evidence, store_url)
    verdict = judge(found, [each.promises() for each in producers])
    assert verdict, verdict
    assert len(found.delivered) == found.counted == events
    for each in stats:
        assert (each["balance"], each["dropped"], each["queued"], each["spooled"]) == (0, {}, 0, 0), each
        assert each["accepted"] == TIMES * events
    assert sum(each["stored"] for each in stats) == events
    assert sum(each["duplicates"] for each in stats) == (2 * TIMES - 1) * events
    assert sum(each["announced"] for each in stats) == events

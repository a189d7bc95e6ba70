"""`python -m tests.bench.producer STORE BUS RATE SECONDS`: an application that records events at a steady rate.

Every 50 ms it stores what is due in one transaction and announces it. At the end it writes one JSON object to
stdout: `events` recorded, `seconds` it took, and `behind` schedule at worst, in seconds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime

from store.events import EventStore
from store.redis_bus import RedisBus
from tests.bench.traffic import Traffic

INTERVAL = 0.05


async def main(store_url: str, bus_url: str, rate: int, seconds: int) -> None:
    """Record `rate` events a second for `seconds` seconds."""
    traffic = Traffic(seed=2000)
    total = rate * seconds
    async with await EventStore.open(store_url, RedisBus(bus_url)) as store:
        started = time.monotonic()
        recorded, behind, due_at = 0, 0.0, started
        while recorded < total:
            due_at += INTERVAL
            now = time.monotonic()
            behind = max(behind, now - due_at)
            await asyncio.sleep(max(0.0, due_at - now))
            due = min(total, round((due_at - started) * rate))
            batch = [traffic.event(datetime.now(UTC)) for _ in range(due - recorded)]
            recorded += len(await store.create_many(batch))
        elapsed = time.monotonic() - started
    print(json.dumps({"events": recorded, "seconds": elapsed, "behind": behind}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))

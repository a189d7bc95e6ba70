"""`python -m tests.bench.burst_producer STORE SOCKET COUNT SECONDS`: one huge commit, announced within seconds.

Writes `ready` when everything is prepared, commits and announces after a line on stdin, and ends with a JSON object:
how many seconds the announcing took.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from datetime import UTC, datetime

from store.events import EventStore
from store.wire import encode
from tests.bench.live_path import publish_command
from tests.bench.traffic import Traffic

CHUNKS = 40


async def main(store_url: str, path: str, count: int, seconds: float) -> None:
    """Store and announce."""
    traffic = Traffic(seed=count)
    now = datetime.now(UTC)
    batch = [traffic.event(now) for _ in range(count)]
    async with await EventStore.open(store_url) as store:
        await asyncio.to_thread(_told_to_begin)
        stored = (await store.repository.append(batch)).events
    commands = [
        publish_command(encode(event, "burst:1:00000000", number)) for number, event in enumerate(stored, 1)
    ]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(path)
        replies = connection.makefile("rb")
        started = time.monotonic()
        for chunk in range(CHUNKS):
            time.sleep(max(0.0, started + seconds * chunk / CHUNKS - time.monotonic()))
            part = commands[count * chunk // CHUNKS : count * (chunk + 1) // CHUNKS]
            connection.sendall(b"".join(part))
            for _ in part:
                replies.readline()
        print(json.dumps({"seconds": time.monotonic() - started}), flush=True)


def _told_to_begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))

"""A process that works on a store without a recorder: opens and migrates it, appends to it, prunes it.

Run by `tests.faults.child.StoreWorker`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from store.database import Database
from store.event import Event
from store.repository import EventRepository
from store.retention import RetentionPolicy, prune
from tests.faults import wall_clock
from tests.faults.commands import serve
from tests.faults.oracle import Source

BATCHES_A_SECOND = 20


class Worker:
    """What the commands act upon. `set_up` comes first."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def set_up(self, *, url: str) -> dict[str, Any]:
        """Which store it is about; it is opened by each command."""
        self._url = url
        return {}

    def open(self) -> dict[str, Any]:
        """Open the store, migrated."""
        return self._on_the_store(_version)

    def set_clock(self, *, offset: float) -> dict[str, Any]:
        """Set the wall clock of this process `offset` seconds off the real one."""
        wall_clock.set_off(offset)
        return {}

    def prune(self, *, days: float, passes: int) -> dict[str, Any]:
        """Delete what is older than `days`, so many times."""

        async def work(database: Database) -> dict[str, Any]:
            deleted = 0
            longest = 0.0
            notes: list[str] = []
            for _ in range(passes):
                pruned = await prune(database, RetentionPolicy(days=days))
                deleted += pruned.events
                longest = max(longest, pruned.longest_lock)
                notes += filter(None, (pruned.clock_note,))
                await asyncio.sleep(0.05)
            return {"deleted": deleted, "longest_lock": longest, "notes": notes}

        return self._on_the_store(work)

    def append(
        self, *, seed: int, since: int, seconds: float, rate: int, padded: float, padding: int
    ) -> dict[str, Any]:
        """Append `rate` events a second, those of the first `padded` seconds with so many characters more.

        Returns how long each commit took, in seconds.
        """

        async def work(database: Database) -> dict[str, Any]:
            repository, source = EventRepository(database), Source(seed, since)
            each = rate // BATCHES_A_SECOND
            took: list[float] = []
            number = 0
            began = time.monotonic()
            while (due := began + len(took) / BATCHES_A_SECOND) < began + seconds:
                fields = [source.fields(n) for n in range(number, number + each)]
                if due < began + padded:
                    for one in fields:
                        one["metadata"]["padding"] = "x" * padding
                batch = [Event.model_validate(one) for one in fields]
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                before = time.monotonic()
                await repository.append(batch)
                took.append(time.monotonic() - before)
                number += each
            return {"took": took, "events": number}

        return self._on_the_store(work)

    def _on_the_store(self, work: Any) -> dict[str, Any]:
        async def run() -> dict[str, Any]:
            database = await Database.open(self._url)
            try:
                return await work(database)
            finally:
                await database.close()

        coroutine: Coroutine[Any, Any, dict[str, Any]] = run()
        return self._runner.run(coroutine)


async def _version(database: Database) -> dict[str, Any]:
    return {"version": await database.version()}


if __name__ == "__main__":
    worker = Worker()
    serve({name: getattr(worker, name) for name in ("set_up", "set_clock", "open", "prune", "append")})

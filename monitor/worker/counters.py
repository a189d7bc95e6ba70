"""The job `counters`: what was recorded since the last time is counted for its resources."""

from __future__ import annotations

from monitor.worker.context import Context


async def work(context: Context) -> str:
    """Flush counters, as `evtop counters flush` does.

    Raises:
        StoreError: the database failed. What was counted before that stays counted.
    """
    done = await context.backend.store.counters.flush()
    return f"{done.events:,} events counted, up to position {done.position:,}"

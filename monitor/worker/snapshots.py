"""The job `snapshots`: the figures of dashboards are worked out beforehand."""

from __future__ import annotations

from monitor.worker.context import Context


async def work(context: Context) -> str:
    """Work out the figures of every period, and store them.

    Raises:
        StoreError: the database failed.
    """
    figures = await context.backend.store.snapshots.compute(context.now())
    return f"figures of {len(figures)} periods worked out"

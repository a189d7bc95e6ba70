"""The job `retention`: what is older than it is to be kept is deleted."""

from __future__ import annotations

from monitor.settings import retention_days
from monitor.worker.context import Context
from store.retention import RetentionPolicy, prune


async def work(context: Context) -> str:
    """Delete what `EVTOP_RETENTION_DAYS` no longer keeps.

    Raises:
        StoreError: the database failed.
        StartError: the setting is wrong.
    """
    days = retention_days()
    pruned = await prune(context.database, RetentionPolicy(days, dead_letter_days=days), now=context.now())
    kept = f", {pruned.kept_back:,} kept as a clock is wrong" if pruned.kept_back else ""
    return f"{pruned.events:,} events, {pruned.dead_letters:,} dead letters deleted{kept}"

"""The job `index`: the full-text index is brought up to the last events."""

from __future__ import annotations

from monitor.worker.context import Context
from store.search.building import build_search_index


async def work(context: Context) -> str:
    """Index what is not yet, as `evtop db index` does.

    Raises:
        StoreError: the database failed. What was indexed before that stays indexed.
    """
    indexed = await build_search_index(context.database)
    if indexed.hindrance is not None:
        return f"no full-text index: {indexed.hindrance}"
    return f"indexed up to position {indexed.position:,}"

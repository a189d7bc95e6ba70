"""Reading events page by page and handing them to a writer, so that neither the store nor the screen waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import ParamSpec, TypeVar

from monitor.export.formats import EventWriter
from store.event import LAST_ID, Event
from store.event_filter import EventFilter
from store.event_selection import BEFORE_ALL, Cursor
from store.repository import EventRepository

PAGE = 1_000
"""Events in memory at a time: with the largest metadata, 64 MiB."""
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


async def stored_events(
    repository: EventRepository, chosen: EventFilter, page: int = PAGE
) -> AsyncGenerator[Sequence[Event]]:
    """The stored events of `chosen`, oldest first, in batches of `page` at most, each read in a transaction of its own.

    Of events that are stored meanwhile, those are among them that come later on the timeline than what was read.

    Raises:
        StoreUnavailableError: the database failed.
    """
    since = BEFORE_ALL if chosen.since is None else max(chosen.since, BEFORE_ALL)
    cursor = Cursor(since - timedelta(microseconds=1), LAST_ID)
    # The cursor says it all: with two lower bounds, a database may begin its walk at the wrong one.
    chosen = replace(chosen, since=None)
    while True:
        found = (await repository.following(cursor, page, chosen))[::-1]
        if found:
            yield found
        if len(found) < page:
            return
        cursor = Cursor.of(found[-1])


async def export(
    batches: AsyncIterable[Sequence[Event]],
    writer: EventWriter,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Write all of `batches`; returns how many events they were. `progress` is told how many after each batch.

    Writing is done in a thread. When this is cancelled, it ends only after that thread is done with the file.

    Raises:
        OSError: the file could not be written; nothing in it is of use then.
    """
    written = 0
    async for events in batches:
        await in_thread(writer.write, events)
        written += len(events)
        if progress is not None:
            progress(written)
    await in_thread(writer.finish)
    return written


async def in_thread(
    work: Callable[Arguments, Result], *args: Arguments.args, **options: Arguments.kwargs
) -> Result:
    """What `work` returns. When this is cancelled, it ends only after the thread has."""
    running = asyncio.ensure_future(asyncio.to_thread(work, *args, **options))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        with suppress(Exception):
            await running
        raise

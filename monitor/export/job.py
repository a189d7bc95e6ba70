"""One export from the store to a file: it knows how far it is, and can be given up."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

from monitor.export.exporting import export, in_thread, stored_events
from monitor.export.formats import Format, writer_of
from monitor.export.new_file import new_file
from store.errors import StoreError
from store.event_filter import EventFilter
from store.repository import EventRepository

COUNT_WITHIN = 60.0
"""Seconds after which it is left open how many events there are: a free query looks at each of them to count them."""


@dataclass
class ExportJob:
    """The stored events of `chosen` to a file at `path`, with times in `zone` (None is the local one).

    `replaces` says that a file which is there may go. `total` is None while nobody knows how many events there are;
    `unreadable` are rows of the store that are no events and were left out.
    """

    path: Path
    form: Format
    chosen: EventFilter
    zone: tzinfo | None = UTC
    replaces: bool = False
    tick: Callable[[], float] = time.monotonic
    written: int = 0
    total: int | None = None
    unreadable: int = 0
    is_ending: bool = False
    """All is written; the disk is being waited for, and nothing can be given up any more."""
    _began: float = field(default=0.0, init=False)

    async def run(self, repository: EventRepository) -> None:
        """Do it. The file is there when this returns, and nothing of it when this raises or is cancelled before.

        `repository` is for this job alone.

        Raises:
            OSError: the file could not be written; the message names it.
            StoreError: the store could not be read.
        """
        self._began = self.tick()
        counting = asyncio.create_task(self._count(repository))
        try:
            await self._write(repository)
        finally:
            counting.cancel()
            with suppress(asyncio.CancelledError):
                await counting
        self.unreadable = repository.unreadable

    @property
    def share(self) -> float | None:
        """How much is done, from 0 to 1; None while that is not known."""
        # More may be recorded meanwhile.
        return None if self.total is None else self.written / max(self.total, self.written, 1)

    def told(self) -> str:
        """How far it is, as in `12,000 of 40,000 (30 %) events, 9,100/s`."""
        return progress_text(self.written, self.total, self.tick() - self._began)

    async def _write(self, repository: EventRepository) -> None:
        opened = new_file(self.path, replaces=self.replaces)
        file = opened.__enter__()
        try:
            # What writes Parquet takes a moment to import.
            writer = await in_thread(writer_of, self.form, file, self.zone)
            async with aclosing(stored_events(repository, self.chosen)) as batches:
                await export(batches, writer, self._progress)
        except BaseException:
            await in_thread(opened.__exit__, *sys.exc_info())
            raise
        self.is_ending = True
        await in_thread(opened.__exit__, None, None, None)

    def _progress(self, written: int) -> None:
        self.written = written

    async def _count(self, repository: EventRepository) -> None:
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(COUNT_WITHIN):
                self.total = await repository.count(self.chosen)


def progress_text(written: int, total: int | None, seconds: float) -> str:
    """How many events of how many, and how fast."""
    rate = written / max(seconds, 0.001)
    # More may be recorded meanwhile.
    share = f" of {max(total, written):,} ({100 * written // max(total, written, 1)} %)" if total else ""
    return f"{written:,}{share} events, {rate:,.0f}/s"

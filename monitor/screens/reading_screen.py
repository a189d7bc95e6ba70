"""What screens with a timeline do with the store: read on in it, and go to places of it that are not loaded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from textual.worker import Worker

from monitor.errors import read_failure
from monitor.model.filter import Filter
from monitor.model.rows import SortKey
from monitor.model.stride import Stride
from monitor.model.timeline import Timeline
from monitor.screens.console_screen import ConsoleScreen, Reader, Selection
from monitor.text import clean
from monitor.widgets.timeline_view import TimelineView
from store.errors import StoreUnavailableError
from store.event import LAST_ID, Event
from store.event_filter import EventFilter

PAGE = 200
RETRY_AFTER = 5.0
"""Seconds until the store is asked again after it could not be read."""


class ReadingScreen(ConsoleScreen):
    """A screen with one timeline, of which it shows any part. Subclasses give the view and read pages of it."""

    def __init__(self) -> None:
        super().__init__()
        self._reading = False
        self._worker: Worker[None] | None = None
        self._retry_at = 0.0
        self._wished: Callable[[], Awaitable[object]] | None = None
        self._stride = Stride()

    @property
    def timeline(self) -> TimelineView:
        """The view of the timeline."""
        raise NotImplementedError

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """The newest events of this timeline of `chosen` that come before `place`.

        Raises:
            StoreError: the store cannot be read.
        """
        raise NotImplementedError

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """The events of this timeline of `chosen` that come right after `place`, newest first.

        Raises:
            StoreError: the store cannot be read.
        """
        raise NotImplementedError

    @property
    def reader(self) -> Reader:
        """What reads the store; a reading is started only when there is one."""
        reader = self.console.reader
        if reader is None:
            raise StoreUnavailableError("the store is not open yet")
        return reader

    @property
    def _rows(self) -> Timeline:
        return self.timeline.timeline

    def go_to(self, key: SortKey, step: int = 1) -> None:
        """Go to the row at `key`, or to the next or previous one, wherever it is."""
        if self._rows.covers(key):
            self.timeline.go(key, step)
        else:
            self._read_at_wish(partial(self._open_at, key, step))

    async def _open_at(self, key: SortKey, step: int = 1) -> bool:
        """Read the stretch of the timeline around `key`, and go there; False when that is not wanted any more."""
        rows = self._rows
        shown, chosen = rows.filter, rows.filter.selection()
        moment, number = key
        # With the row itself among the newer ones.
        ceiling: SortKey | None
        ceiling = (moment, number - 1) if number else (moment - timedelta(microseconds=1), LAST_ID.int)
        floor: SortKey | None = (moment, number)
        found: list[Event] = []
        newer, older = Stride(), Stride()
        while not found and (floor is not None or ceiling is not None):
            if ceiling is not None:
                page, ceiling = await self._look(newer, 1, ceiling, PAGE, chosen)
                found += page
            if floor is not None:
                page, floor = await self._look(older, -1, floor, PAGE, chosen)
                found += page
            if not found and self._wished is not None:
                # Another key was pressed meanwhile.
                return False
        if rows.filter != shown:
            return False
        rows.open_at(found, floor, ceiling)
        self.timeline.go(key, step)
        return True

    # Reading on

    def on_timeline_view_older_wanted(self) -> None:
        """Read a page of older events."""
        if self._rows.has_older:
            self.read(self._read_older)

    def on_timeline_view_newer_wanted(self) -> None:
        """Read a page of newer events, after a window in the past."""
        if self._rows.has_newer:
            self.read(self._read_newer)

    async def _read_older(self) -> None:
        rows = self._rows
        shown, floor = rows.filter, rows.floor
        if floor is None:
            return
        page, rest = await self._look(self._stride, -1, floor, PAGE, shown.selection())
        # Another page may belong there by now.
        if (shown, floor) == (rows.filter, rows.floor):
            rows.add_older(page, rest)
            self.older_read()

    async def _read_newer(self) -> None:
        rows = self._rows
        shown, ceiling = rows.filter, rows.ceiling
        if ceiling is None:
            return
        page, rest = await self._look(self._stride, 1, ceiling, PAGE, shown.selection())
        if (shown, ceiling) == (rows.filter, rows.ceiling):
            rows.add_newer(page, rest)

    async def _look(
        self, stride: Stride, step: int, place: SortKey, limit: int, chosen: EventFilter
    ) -> tuple[list[Event], SortKey | None]:
        """The events next to `place`, back (-1) or on (1), as far as one stride goes; and where to look on.

        Raises:
            StoreError: the store cannot be read.
        """
        return await self.look_with(
            self.read_before if step < 0 else self.read_after, stride, step, place, limit, chosen
        )

    async def look_with(
        self,
        read: Callable[[SortKey, int, EventFilter], Awaitable[list[Event]]],
        stride: Stride,
        step: int,
        place: SortKey,
        limit: int,
        chosen: EventFilter,
    ) -> tuple[list[Event], SortKey | None]:
        """The same with `read`, which reads the newest events before a place, or those right after it."""
        part, edge = stride.part(chosen, place[0], step)
        began = self.console.tick()
        found = await read(place, limit, part)
        if len(found) >= limit:
            # Newest first, both ways.
            return found, found[-1 if step < 0 else 0].sort_key
        stride.took(self.console.tick() - began)
        if edge is None:
            return found, None
        # The edge itself belongs to the events after it.
        return found, (edge, 0) if step < 0 else (edge - timedelta(microseconds=1), LAST_ID.int)

    async def next_event(
        self, place: SortKey, step: int, chosen: EventFilter, is_wanted: Callable[[], bool]
    ) -> Event | None:
        """The next (1) or previous (-1) event of `chosen`; None when there is none, or it `is_wanted` no longer.

        Raises:
            StoreError: the store cannot be read.
        """
        stride, on = Stride(), place
        while on is not None and is_wanted():
            found, on = await self._look(stride, step, on, 1, chosen)
            if found:
                return found[0]
        return None

    def older_read(self) -> None:
        """More of the past is among the rows."""

    @property
    def is_reading(self) -> bool:
        """Whether an answer of the store is awaited."""
        return self._reading

    def read(self, step: Callable[[], Awaitable[object]]) -> None:
        """Read from the store beside everything else, unless something is being read, or could not be right before."""
        if not self._reading and self.console.tick() >= self._retry_at and self.console.reader is not None:
            self._reading = True
            self._worker = self.run_worker(self._attempted(step), group="reading", exit_on_error=False)

    def _read_at_wish(self, step: Callable[[], Awaitable[object]]) -> None:
        """Read what a key asked for, as soon as what is being read now has come; a later key takes its place."""
        if self.console.reader is None:
            self.tell("the store is not open yet")
        elif self._reading:
            self._wished = step
        else:
            self._retry_at = 0.0
            self.read(step)

    async def _attempted(self, step: Callable[[], Awaitable[object]]) -> None:
        try:
            await step()
        except Exception as error:
            # Whatever it was, the next page must be asked for again.
            self._wished = None
            self.log.error(read_failure(error))
            self.read_failed(read_failure(error))
            return
        self._reading = False
        wished, self._wished = self._wished, None
        if wished is not None:
            self.read(wished)
        self.advance()

    def read_failed(self, reason: str) -> None:
        """Say so, and leave the store in peace for a moment."""
        self._reading = False
        self._retry_at = self.console.tick() + RETRY_AFTER
        self.notify(clean(reason), severity="error", markup=False)

    def filter_rows(self, shown: Filter) -> None:
        """Show what matches `shown`; whoever reads stays at the row, or at the one after it."""
        # A search through the whole store for the old filter must not hold up the new one.
        if self._worker is not None:
            self._worker.cancel()
        self._reading, self._wished, self._stride = False, None, Stride()
        rows, viewport = self._rows, self.timeline.viewport
        row = None if viewport.following else viewport.row
        rows.apply(shown)
        if row is not None:
            key = (row.sort_key[0], min(row.sort_key[1], LAST_ID.int))
            self.go_to(key)

    def tell(self, text: str) -> None:
        """A word on why a key did nothing."""
        self.notify(clean(text), markup=False, timeout=2)

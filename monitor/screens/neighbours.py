"""From the page of a subject to that of the next one of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.binding import Binding

from monitor.errors import read_failure
from monitor.model.rows import SortKey
from monitor.model.stride import Stride
from monitor.model.subjects import PageSubject
from monitor.screens.console_screen import Reader
from monitor.screens.subject_page import SubjectPage
from monitor.text import clean
from store.event import Event
from store.event_filter import EventFilter
from store.query.syntax import Node

OTHERS_READ = 200
"""Events that are read at a time to find the next one."""
PATIENCE = 5.0
"""Seconds that it is looked for."""


class NeighboursPage(SubjectPage):
    """The next one is who something happened to, or who did something, right before; the previous one right after."""

    BINDINGS = [
        Binding("greater_than_sign", "other(1)", "Next / previous of its type", id="page.next"),
        Binding("less_than_sign", "other(-1)", "Next / previous of its type", id="page.previous"),
    ]

    @property
    def alike(self) -> tuple[str, Node] | None:
        """What its kind is called, and what events of its kind match; None where it is the only one."""
        raise NotImplementedError

    def others_of(self, event: Event) -> Sequence[PageSubject]:
        """Who of its kind an event is about."""
        raise NotImplementedError

    async def last_of(self, reader: Reader, other: PageSubject) -> SortKey:
        """The place of the last event of one of its kind.

        Raises:
            StoreError: the store cannot be read.
        """
        [latest] = await reader.before(None, 1, other.query)
        return latest.sort_key

    def action_other(self, step: int) -> None:
        """Open the page of the one of its kind whose last event was right before the last one of this, or after."""
        self.run_worker(partial(self._open_other, step), group="other", exclusive=True, exit_on_error=False)

    async def _open_other(self, step: int) -> None:
        reader, alike = self.console.reader, self.alike
        newest = max((row.sort_key for row in self.loaded), default=None)
        if reader is None or newest is None:
            return
        if alike is None:
            self.tell("there is only one of its kind")
            return
        kind, query = alike
        where = "before" if step > 0 else "after"
        try:
            other = await self._neighbour(reader, EventFilter(query=query), newest, -step)
        except TimeoutError:
            self.tell(f"no other {kind} found right {where} within {PATIENCE:g} s")
        except Exception as error:
            # Whatever it was: the operator hears it, and stays.
            self.notify(clean(f"not read: {read_failure(error)}"), severity="error", markup=False)
        else:
            if other is None:
                self.tell(f"no other {kind} right {where}")
            else:
                self.console.replace_page(other)

    async def _neighbour(
        self, reader: Reader, alike: EventFilter, place: SortKey, step: int
    ) -> PageSubject | None:
        """By their last events all of them have one order, so that each key leads back by the other.

        Raises:
            StoreError: the store cannot be read.
            TimeoutError: after long enough, none was found yet.
        """
        read, stride, on = reader.before if step < 0 else reader.after, Stride(), place
        until = self.console.tick() + PATIENCE
        last: dict[PageSubject, SortKey] = {}
        while on is not None:
            found, on = await self.look_with(read, stride, step, on, OTHERS_READ, alike)
            for event in found if step < 0 else reversed(found):
                for other in self.others_of(event):
                    if other == self.subject:
                        continue
                    if other not in last:
                        last[other] = await self.last_of(reader, other)
                    if last[other] == event.sort_key:
                        return other
            if on is not None and self.console.tick() >= until:
                raise TimeoutError
        return None

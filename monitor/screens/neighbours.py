"""From the page of a subject to that of the next one of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.binding import Binding

from monitor.errors import read_failure
from monitor.model.rows import SortKey
from monitor.model.subjects import PageSubject
from monitor.screens.console_screen import Reader
from monitor.screens.subject_page import SubjectPage
from monitor.text import clean
from store.event import Event
from store.query.syntax import Node

OTHERS_READ = 200
"""Events among which the next one is looked for."""


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
        other = None
        if alike is not None:
            try:
                other = await self._neighbour(reader, alike[1], newest, step)
            except Exception as error:
                # Whatever it was: the operator hears it, and stays.
                self.notify(clean(f"not read: {read_failure(error)}"), severity="error", markup=False)
                return
        if other is not None:
            self.console.replace_page(other)
        elif alike is None:
            self.notify("there is only one of its kind", markup=False, timeout=2)
        else:
            where = "before" if step > 0 else "after"
            self.notify(f"no other {clean(alike[0])} right {where}", markup=False, timeout=2)

    async def _neighbour(self, reader: Reader, alike: Node, newest: SortKey, step: int) -> PageSubject | None:
        """By their last events all of them have one order, so that each key leads back by the other."""
        read = reader.before if step > 0 else reader.after
        found = await read(newest, OTHERS_READ, alike)
        last: dict[PageSubject, SortKey] = {}
        for event in found if step > 0 else reversed(found):
            for other in self.others_of(event):
                if other == self.subject:
                    continue
                if other not in last:
                    last[other] = await self.last_of(reader, other)
                if last[other] == event.sort_key:
                    return other
        return None

"""The resource page: the life of one resource, in both its roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import cast

from monitor.model import told
from monitor.model.arrivals import Arrivals
from monitor.model.lifecycle import Passage, usual
from monitor.model.resource import resource_facts
from monitor.model.rows import SortKey
from monitor.model.subjects import PageSubject, ResourceName, resources_of
from monitor.screens.console_screen import Reader, Selection
from monitor.screens.neighbours import NeighboursPage
from monitor.text import clean
from monitor.widgets.alert_line import alert_parts
from monitor.widgets.lines import Part
from monitor.widgets.resource_lines import Known, label, resource_lines
from monitor.widgets.subject_header import BORDERS
from store.event import Event
from store.query.syntax import EVERYTHING, Compare, Field, Node, Op
from store.taxonomy import active

ALERTS_MAX = 3
MORE_EVERY = 2.0
"""Seconds between two looks at what all its events count."""
USUAL_EVERY = 60.0
"""Seconds between two looks at how long others take."""
ALIKE_READ = 1_000
"""Events that tell how long others take, the newest."""


class ResourceScreen(NeighboursPage):
    """Present status and since when, how it changed, who touched it, what stands beside it, and what fires about it."""

    kind = "resource"

    def __init__(self, name: ResourceName) -> None:
        super().__init__(name)
        self._name = name
        self._facts = resource_facts((), name)
        self._known = Known()
        self._more_due = self._usual_due = 0.0
        self._usual_of: tuple[str, str | None] | None = None
        self._more_stale = False

    def sum_up(self, events: list[Event]) -> None:
        """Find out what the loaded events tell."""
        self._facts = resource_facts(events, self._name, active().ends, told.active())
        self._more_stale = bool(events)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Also find out again what all its events count, when there are more of them."""
        super().advance(arrivals)
        reader = self.console.reader
        if self._more_stale and reader is not None and self.console.tick() >= self._more_due:
            self._more_stale, self._more_due = False, self.console.tick() + MORE_EVERY
            work = partial(self._read_more, reader, self._facts.passage)
            self.run_worker(work, group="more", exclusive=True, exit_on_error=False)

    async def _read_more(self, reader: Reader, passage: Passage | None) -> None:
        try:
            counters = await reader.counters(*self._name)
            work = None if passage is None else (passage.began_with, passage.ended_with)
            known = self._known.usual if work == self._usual_of else None
            # What is usual for the same work does not change with each event of this one.
            if passage is not None and (work != self._usual_of or self.console.tick() >= self._usual_due):
                ends = active().ends
                types = sorted({*ends, *(kind for ended in ends.values() for kind in ended)})
                known = usual(await reader.newest_of_types(types, ALIKE_READ), ends, passage, self._name)
                self._usual_due = self.console.tick() + USUAL_EVERY
            self._usual_of = work
        except Exception as error:
            # Whatever it was, the page goes on with what it knows, and asks again.
            self.log.warning("counters cannot be read", error)
            self._more_stale = True
        else:
            self._known = replace(self._known, counters=counters, usual=known)

    def known(self) -> list[list[Part]]:
        """Facts of the loaded events, of all of them, and its alerts."""
        console = self.console
        now = console.now()
        lines = resource_lines(
            self._facts, replace(self._known, count=self.count, first=self.first), console.zone, now
        )
        if self._facts.title is not None:
            lines.insert(0, [label("title"), (clean(self._facts.title), "strong")])
        about = [one for one in console.model.alerts.shown(now) if one.alert.resource == self._name]
        for place, one in enumerate(about[:ALERTS_MAX]):
            name = label("" if place else "alerts")
            lines.append([name, *alert_parts(one, now, max(20, self.size.width - len(name[0]) - BORDERS))])
        return lines

    @property
    def alike(self) -> tuple[str, Node]:
        """The resources of its type."""
        kind = self._name.resource_type
        return kind, Compare(Field.RESOURCE_TYPE, Op.EQ, kind)

    def others_of(self, event: Event) -> Sequence[ResourceName]:
        """The resources of its type that an event is about."""
        return [name for name in resources_of(event) if name.resource_type == self._name.resource_type]

    async def last_of(self, reader: Reader, other: PageSubject) -> SortKey:
        """The place of the last event of another resource, in whichever role."""
        [latest] = await reader.resource_events(*cast("ResourceName", other), 1, EVERYTHING)
        return latest.sort_key

    async def read_known(self) -> tuple[int, datetime | None]:
        """How many events it has, in both roles, and the time of the first."""
        return await self.reader.resource_span(*self._name)

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """Events of this resource, in both roles."""
        return await self.reader.resource_events(*self._name, limit, chosen, before=place)

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """Events of this resource, in both roles."""
        return await self.reader.resource_events(*self._name, limit, chosen, after=place)

"""The resource page: the life of one resource, in both its roles."""

from __future__ import annotations

from datetime import datetime

from monitor.model.resource import resource_facts
from monitor.model.rows import SortKey
from monitor.model.subjects import ResourceName
from monitor.screens.console_screen import Selection
from monitor.screens.subject_page import SubjectPage
from monitor.widgets.alert_line import alert_parts
from monitor.widgets.lines import Part
from monitor.widgets.resource_lines import label, resource_lines
from monitor.widgets.subject_header import BORDERS
from store.event import Event

ALERTS_MAX = 3


class ResourceScreen(SubjectPage):
    """Present status and since when, how it changed, who touched it, what stands beside it, and what fires about it."""

    kind = "resource"

    def __init__(self, name: ResourceName) -> None:
        super().__init__(name)
        self._name = name
        self._facts = resource_facts((), name)

    def sum_up(self, events: list[Event]) -> None:
        """Find out what the loaded events tell."""
        self._facts = resource_facts(events, self._name)

    def known(self) -> list[list[Part]]:
        """Facts of the loaded events, of all of them, and its alerts."""
        console = self.console
        now = console.now()
        lines = resource_lines(self._facts, self.count, self.first, console.zone, now)
        about = [one for one in console.model.alerts.shown(now) if one.alert.resource == self._name]
        for place, one in enumerate(about[:ALERTS_MAX]):
            name = label("" if place else "alerts")
            lines.append([name, *alert_parts(one, now, max(20, self.size.width - len(name[0]) - BORDERS))])
        return lines

    async def read_known(self) -> tuple[int, datetime | None]:
        """How many events it has, in both roles, and the time of the first."""
        return await self.reader.resource_span(*self._name)

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """Events of this resource, in both roles."""
        return await self.reader.resource_events(*self._name, limit, chosen, before=place)

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """Events of this resource, in both roles."""
        return await self.reader.resource_events(*self._name, limit, chosen, after=place)

"""The actor page: what one user or job did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from monitor.model.actor import actor_facts
from monitor.model.rows import SortKey
from monitor.model.subjects import ActorName
from monitor.screens.console_screen import Selection
from monitor.screens.neighbours import NeighboursPage
from monitor.widgets.actor_lines import actor_lines
from monitor.widgets.lines import Part
from store.event import Event
from store.event_filter import EventFilter
from store.query.syntax import Compare, Field, Node, Op, all_of

BAR, BARS = 30, 48
"""Minutes of a bar of the last day, and how many there are."""


class ActorScreen(NeighboursPage):
    """When it acted, what it did with what, what it viewed, took and liked, how it came in."""

    kind = "actor"

    def __init__(self, name: ActorName) -> None:
        super().__init__(name)
        self._facts = actor_facts(())
        self._day: Sequence[int] = ()

    def sum_up(self, events: list[Event]) -> None:
        """Find out what the loaded events tell."""
        self._facts = actor_facts(events)

    def known(self) -> list[list[Part]]:
        """Facts of the loaded events, and of all of them."""
        return actor_lines(self._facts, self.count, self.first, self._day, self.console.zone)

    @property
    def alike(self) -> tuple[str, Node] | None:
        """The actors of its type; None for one that has no id."""
        kind, colon, _ = self.subject.text.partition(":")
        return (kind, Compare(Field.ACTOR, Op.EQ, kind)) if colon else None

    def others_of(self, event: Event) -> Sequence[ActorName]:
        """Who did what an event tells."""
        return [] if event.actor_id is None else [ActorName(event.actor)]

    async def read_known(self) -> tuple[int, datetime | None]:
        """How many events tell what it did, and the time of the first; also how busy it was during the last day."""
        until = int(self.console.now().timestamp()) // 60 // BAR * BAR + BAR
        since = until - BAR * BARS
        day = [0] * BARS
        for start, _, number in await self.reader.histogram(since, until, BAR, self.subject.query):
            day[max(0, start - since) // BAR] += number
        self._day = day
        return await self.reader.span(EventFilter(query=self.subject.query))

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """What it did."""
        return await self.reader.before(place, limit, self._its(chosen))

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """What it did."""
        return await self.reader.after(place, limit, self._its(chosen))

    def _its(self, chosen: Selection) -> Selection:
        if isinstance(chosen, EventFilter):
            return replace(chosen, query=all_of(chosen.query, self.subject.query))
        return all_of(chosen, self.subject.query)

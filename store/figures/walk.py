"""Which resources, actors, providers and searches the events of a period are about, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import func, literal_column, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from store.event_filter import EventFilter
from store.event_tallies import Tally, scan_conditions, scanned
from store.figures.figures import Entries, Entry, Lists
from store.figures.kinds import CLICKED, FRUITLESS, SEARCHES, SHOWN
from store.figures.metadata_text import text_at
from store.figures.ranking import Ranking
from store.tables import events
from store.taxonomy import Taxonomy

_ERROR = "error"
_NAME_MAX = 200
"""Characters of a name or a search that are kept apart."""
_SHOWN_MAX = 1000
"""Recommendations that one event may have shown."""


class Said(NamedTuple):
    """How often events of one type, errors or not, and fruitless or not, had the same `text` at the place asked for."""

    event_type: str
    text: str | None
    is_error: bool
    is_fruitless: bool
    number: int


class Slice(NamedTuple):
    """What was read of a span of time."""

    resources: Sequence[Tally]
    actors: Sequence[Tally]
    searches: Sequence[Said]
    provided: Sequence[Said]
    places: Sequence[Said]
    shown: int


class SliceWalk:
    """Adds up the slices of one period."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._resources: Ranking[tuple[str | None, ...]] = Ranking()
        self._actors: Ranking[tuple[str | None, ...]] = Ranking()
        self._providers: Ranking[tuple[str | None, ...]] = Ranking()
        self._searches: Ranking[tuple[str | None, ...]] = Ranking()
        self._fruitless: Ranking[tuple[str | None, ...]] = Ranking()
        self._places: Ranking[tuple[str | None, ...]] = Ranking()
        self._top: dict[str, Ranking[tuple[str | None, ...]]] = {}
        self._written: dict[str, str] = {}
        self._clicks = 0
        self._shown = 0

    @staticmethod
    async def read(connection: AsyncConnection, chosen: EventFilter, taxonomy: Taxonomy) -> Slice:
        """What the events of `chosen` say, which has a span."""
        about = ("event_type", "severity", "resource_type", "resource_id")
        return Slice(
            await scanned(connection, about, chosen),
            await scanned(connection, ("actor_type", "actor_id"), chosen),
            await _said(connection, chosen, dict.fromkeys(SEARCHES, "query")),
            await _said(connection, chosen, taxonomy.providers),
            await _said(connection, chosen, {CLICKED: "place"}),
            await _shown(connection, chosen),
        )

    def add(self, found: Slice) -> None:
        """Add a slice."""
        counting = self._taxonomy.counting
        for (event_type, severity, kind, identifier), _, number in found.resources:
            # What has no id is no single resource.
            if kind is None or identifier is None:
                continue
            self._resources.add((kind, identifier), number, number if severity == _ERROR else 0)
            for counter, by in counting.get(event_type or "", ()):
                if isinstance(by, int):
                    self._top.setdefault(counter, Ranking()).add((kind, identifier), by * number)
        for (kind, identifier), _, number in found.actors:
            self._actors.add((kind, identifier), number)
        for said in found.searches:
            self._searched(said)
        for said in found.provided:
            if said.text is not None:
                self._providers.add((said.text,), said.number, said.number if said.is_error else 0)
        for said in found.places:
            self._clicks += said.number
            self._places.add((said.text,), said.number)
        self._shown += found.shown

    def lists(self) -> Lists:
        """What was added up."""
        rankings = (self._resources, self._actors, self._providers, self._searches, *self._top.values())
        top = {counter: self._top[counter].top() for counter in sorted(self._top)}
        return Lists(
            failing=self._resources.top(errors=True),
            busiest=self._resources.top(),
            actors=self._actors.top(),
            providers=self._providers.top(),
            searches=self._as_written(self._searches.top()),
            fruitless=self._as_written(self._fruitless.top()),
            clicked=self._places.top(),
            clicks=self._clicks,
            shown=self._shown,
            top={counter: entries for counter, entries in top.items() if entries},
            is_exact=all(ranking.is_exact for ranking in rankings),
        )

    def _searched(self, said: Said) -> None:
        if said.text is None:
            return
        key = said.text.casefold()
        # However it was written first: case makes no other search.
        self._written.setdefault(key, said.text)
        self._searches.add((key,), said.number)
        if said.is_fruitless:
            self._fruitless.add((key,), said.number)

    def _as_written(self, entries: Entries) -> Entries:
        return tuple(
            Entry((self._written.get(entry.names[0] or "", entry.names[0]),), entry.number, entry.errors)
            for entry in entries
        )


async def _said(connection: AsyncConnection, chosen: EventFilter, places: Mapping[str, str]) -> list[Said]:
    """What the events of `chosen` have as text in their metadata, at the path that `places` has for their type."""
    dialect, event = connection.dialect.name, events.c
    found: list[Said] = []
    for path in sorted(set(places.values())):
        types = sorted(name for name, place in places.items() if place == path)
        text: Any = text_at(event.metadata, path, dialect)
        is_error = (event.severity == _ERROR).is_(true())
        is_fruitless = (event.status == FRUITLESS).is_(true())
        kinds = (
            event.event_type,
            text.label("said"),
            is_error.label("failed"),
            is_fruitless.label("fruitless"),
        )
        statement = (
            select(*kinds, func.count())
            .where(*scan_conditions(chosen, dialect), event.event_type.in_(types))
            .group_by(
                event.event_type,
                literal_column("said"),
                literal_column("failed"),
                literal_column("fruitless"),
            )
        )
        for event_type, said, failed, fruitless, number in await connection.execute(statement):
            name = said.decode(errors="backslashreplace") if isinstance(said, bytes) else said
            name = name.strip()[:_NAME_MAX] if name is not None else ""
            found.append(Said(event_type, name or None, bool(failed), bool(fruitless), number))
    return found


async def _shown(connection: AsyncConnection, chosen: EventFilter) -> int:
    """How many recommendations were shown: each event says how many at once, one unless it does."""
    dialect, event = connection.dialect.name, events.c
    statement = select(text_at(event.metadata, "count", dialect, number=True), func.count())
    statement = statement.where(*scan_conditions(chosen, dialect), event.event_type == SHOWN)
    shown = 0
    for count, number in await connection.execute(statement.group_by(literal_column("1"))):
        written = (count.decode(errors="replace") if isinstance(count, bytes) else count) or ""
        is_count = written.isascii() and written.isdecimal() and len(written) <= 4
        shown += number * (max(1, min(int(written), _SHOWN_MAX)) if is_count else 1)
    return shown

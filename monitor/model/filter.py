"""What the operator wants to see: a query, values muted and alone, a minimum severity, a span. A frozen value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from monitor.masking import is_hidden, shown_value
from monitor.zone import Zone
from store.event import SEVERITY_RANK, Event, Severity
from store.event_filter import EventFilter
from store.query.predicate import compile_predicate
from store.query.quoting import write_path, write_value
from store.query.syntax import (
    EVERYTHING,
    Compare,
    Exists,
    Field,
    Node,
    Not,
    Op,
    Or,
    Path,
    Since,
    Until,
    all_of,
)

MISSING = ""
"""The value of a facet for events whose field has none; no event has an empty value."""
_KIND_FIELDS = (Field.CATEGORY, Field.TYPE)
_VALUES: Mapping[Field, Callable[[Event], str | None]] = {
    Field.ID: lambda event: str(event.id),
    Field.TYPE: lambda event: event.event_type,
    Field.CATEGORY: lambda event: event.category,
    Field.SEVERITY: lambda event: event.severity,
    Field.STATUS: lambda event: event.status,
    Field.ACTOR: lambda event: event.actor,
    Field.RESOURCE: lambda event: event.resource if event.resource_type is not None else None,
}
"""What an event has in a field, as it is filtered by."""


class Facet(NamedTuple):
    """A value that events can be filtered by: of a field, `MISSING` for events where it has none; or of the metadata.

    The value of an actor is written as `Event.actor` does; one without an id means events that name none.
    """

    field: Field | Path
    value: str

    def node(self) -> Node:
        """The query that matches events with this value."""
        if isinstance(self.field, Path):
            return Compare(self.field, Op.EQ, self.value)
        if self.value == MISSING:
            return Not(Exists(self.field))
        if self.field is Field.ACTOR and ":" not in self.value:
            # The type alone would match all actors of that type.
            return all_of(Compare(self.field, Op.EQ, self.value), Not(Exists(Field.ACTOR_ID)))
        return Compare(self.field, Op.EQ, self.value)

    @classmethod
    def of(cls, event: Event, field: Field) -> Facet | None:
        """What `event` has in `field`, one of those that a row tells apart; None when it has nothing there."""
        value = _VALUES[field](event)
        return None if value is None else cls(field, value)

    @property
    def group(self) -> Field | Path:
        """The field whose values this one stands among: categories and types are one tree."""
        return Field.CATEGORY if self.field in _KIND_FIELDS else self.field

    @property
    def is_hidden(self) -> bool:
        """Whether the value is not to be shown."""
        return isinstance(self.field, Path) and is_hidden(self.field.keys)

    @property
    def label(self) -> str:
        """The value in words as it may be shown, of the metadata with its place. Raw text."""
        if isinstance(self.field, Path):
            shown = shown_value(self.field.keys, self.value) if self.is_hidden else write_value(self.value)
            return f"{write_path(self.field.keys)}:{shown}"
        return self.value or f"no {self.field.replace('_', ' ')}"


def in_order(facets: Iterable[Facet]) -> list[Facet]:
    """The facets by field and value, those of the metadata first."""
    return sorted(facets, key=lambda facet: (str(facet.field), facet.value))


class Span(NamedTuple):
    """From `since` up to and without `until`, both aware."""

    since: datetime
    until: datetime

    def describe(self, zone: Zone) -> str:
        """As in `11-21 14:05–14:11 UTC`; the year is told by the one who wonders, the day always."""
        since, until = (moment.astimezone(zone.tzinfo) for moment in self)
        day = "" if since.date() == until.date() else f"{until:%m-%d} "
        return f"{since:%m-%d %H:%M}–{day}{until:%H:%M} {zone.sign(self.until)}"


_SEVERITIES = [Facet(Field.SEVERITY, value) for value in (MISSING, *map(str, Severity))]


@dataclass(frozen=True, slots=True)
class Filter:
    """Everything that decides whether a row is shown. `text` is the query as it was typed.

    Of the values in `only`, those of one group are alternatives, and one of each group must hold.
    """

    text: str = ""
    query: Node = EVERYTHING
    muted: frozenset[Facet] = frozenset()
    only: frozenset[Facet] = frozenset()
    minimum: Severity | None = None
    span: Span | None = None

    def node(self) -> Node:
        """All of it as one query, for the store and for live rows alike."""
        if self.span is None:
            return self._untimed()
        return all_of(self._untimed(), Since(self.span.since), Until(self.span.until))

    def _untimed(self) -> Node:
        parts: list[Node] = [self.query]
        for group in sorted({facet.group for facet in self.only}, key=str):
            nodes = tuple(facet.node() for facet in self.alone(group))
            parts.append(nodes[0] if len(nodes) == 1 else Or(nodes))
        parts.extend(Not(facet.node()) for facet in in_order(self.muted))
        if self.minimum is not None:
            parts.append(Compare(Field.SEVERITY, Op.GE, self.minimum.value))
        return all_of(*parts)

    def selection(self, also: Node = EVERYTHING) -> EventFilter:
        """The whole filter for a read of the store, and what must match besides. Of spans, rollups tell the counts."""
        since, until = self.span or (None, None)
        return EventFilter(query=all_of(self._untimed(), also), since=since, until=until)

    def predicate(self) -> Callable[[Event], bool]:
        """Whether an event is shown."""
        return compile_predicate(self.node())

    def kind_predicate(self) -> Callable[[Any], bool] | None:
        """Whether events of a kind are shown, told by `category`, `event_type` and `severity` alone.

        None when it looks at more than these. The span is left aside: a kind has no time.
        """
        node = self._untimed()
        return compile_predicate(node) if EventFilter(query=node).is_counted else None

    @property
    def hides_something(self) -> bool:
        """Whether any event could be hidden."""
        return self.node() != EVERYTHING

    def alone(self, group: Field | Path) -> list[Facet]:
        """The values of a group that are shown alone, in order; none when all of them may be shown."""
        return in_order(facet for facet in self.only if facet.group == group)

    def shows(self, facet: Facet) -> bool:
        """Whether the facets of its own group, and the minimum severity, let a value through."""
        alone = self.alone(facet.group)
        return facet not in self.muted and (not alone or facet in alone) and self._reaches(facet)

    def _reaches(self, facet: Facet) -> bool:
        if facet.field is not Field.SEVERITY or self.minimum is None:
            return True
        return SEVERITY_RANK.get(facet.value, 0) >= self.minimum.rank

    def without_group(self, group: Field) -> Filter:
        """The same with every value of `group` shown: what its values are counted among."""
        return replace(
            self,
            muted=frozenset(facet for facet in self.muted if facet.group is not group),
            only=frozenset(facet for facet in self.only if facet.group is not group),
            minimum=None if group is Field.SEVERITY else self.minimum,
        )

    def with_query(self, text: str, query: Node) -> Filter:
        """The same facets with another query."""
        return replace(self, text=text.strip(), query=query)

    def toggled(self, facet: Facet) -> Filter:
        """Hide `facet` where it is shown, or show it again: beside the others that are shown alone, if there are.

        Of severities, a minimum becomes the values that it hides.
        """
        if facet.field is Field.SEVERITY and self.minimum is not None:
            hidden = frozenset(value for value in _SEVERITIES if not self._reaches(value))
            return replace(self, minimum=None, muted=self.muted | hidden).toggled(facet)
        alone = self.alone(facet.group)
        if facet not in alone and any(other.field is not facet.field for other in alone):
            # A type may be shown with its category, which is all that is known of it here.
            return replace(self, muted=self.muted ^ {facet})
        if not self.shows(facet):
            return replace(self, muted=self.muted - {facet}, only=self.only | {facet} if alone else self.only)
        if len(alone) > 1:
            return replace(self, only=self.only - {facet})
        return replace(self, only=self.only - {facet}, muted=self.muted | {facet})

    def soloed(self, facet: Facet) -> Filter:
        """Of its group show only `facet`, or everything again when it is the only one shown."""
        alone = self.alone(facet.group)
        others = self.only.difference(alone)
        return replace(
            self,
            only=others if alone == [facet] else others | {facet},
            muted=self.muted - {facet},
            minimum=None if facet.field is Field.SEVERITY else self.minimum,
        )

    def at_least(self, minimum: Severity | None) -> Filter:
        """The same with another minimum severity; `info` still hides events that have none."""
        return replace(self, minimum=minimum)

    def without_hidden(self) -> Filter:
        """The same without the values that are not to be shown: what may be written down, or given to others."""
        muted, only = (
            frozenset(facet for facet in facets if not facet.is_hidden) for facets in (self.muted, self.only)
        )
        return self if (muted, only) == (self.muted, self.only) else replace(self, muted=muted, only=only)

    def within(self, span: Span | None) -> Filter:
        """The same in a span of time, or at all times."""
        return replace(self, span=span)

    def describe(self, zone: Zone = Zone.UTC) -> str:
        """The filter in one line of raw text, as the title of the timeline shows it; empty for none."""
        parts = [self.text] if self.text else []
        for group in sorted({facet.group for facet in self.only}, key=str):
            parts += ["only " + " or ".join(facet.label for facet in self.alone(group))]
        parts.extend(f"-{facet.label}" for facet in in_order(self.muted))
        if self.minimum is not None:
            parts.append(f"severity>={self.minimum.value}")
        if self.span is not None:
            parts.append(self.span.describe(zone))
        return " ".join(parts)

"""What the operator wants to see: a query, muted and soloed facets, a minimum severity. A frozen value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from store.event import SEVERITY_RANK, Event, Severity
from store.query.predicate import compile_predicate
from store.query.syntax import EVERYTHING, Compare, Field, Node, Not, Op, all_of


class Facet(NamedTuple):
    """A value that events can be filtered by: a category, or an event type."""

    field: Field
    value: str

    def node(self) -> Node:
        """The query that matches events with this value."""
        return Compare(self.field, Op.EQ, self.value)


@dataclass(frozen=True, slots=True)
class Filter:
    """Everything that decides whether a row is shown. `text` is the query as it was typed."""

    text: str = ""
    query: Node = EVERYTHING
    muted: frozenset[Facet] = frozenset()
    solo: Facet | None = None
    minimum: Severity | None = None

    def node(self) -> Node:
        """The whole filter as one query, for the store and for live rows alike."""
        parts: list[Node] = [self.query]
        if self.solo is not None:
            parts.append(self.solo.node())
        parts.extend(Not(facet.node()) for facet in sorted(self.muted))
        if self.minimum is not None:
            parts.append(Compare(Field.SEVERITY, Op.GE, self.minimum.value))
        return all_of(*parts)

    def predicate(self) -> Callable[[Event], bool]:
        """Whether an event is shown."""
        return compile_predicate(self.node())

    @property
    def hides_something(self) -> bool:
        """Whether any event could be hidden."""
        return self.node() != EVERYTHING

    def accepts(self, category: str, event_type: str, severity: str | None) -> bool:
        """Whether events of this kind are shown, as far as the facets and the severity decide it."""
        if self.solo is not None and self.solo.value != (
            category if self.solo.field is Field.CATEGORY else event_type
        ):
            return False
        if self.mutes(category, event_type):
            return False
        return self.minimum is None or SEVERITY_RANK.get(severity, 0) >= self.minimum.rank

    def mutes(self, category: str, event_type: str | None = None) -> bool:
        """Whether a category, or a type in it, is muted."""
        if Facet(Field.CATEGORY, category) in self.muted:
            return True
        return event_type is not None and Facet(Field.TYPE, event_type) in self.muted

    def with_query(self, text: str, query: Node) -> Filter:
        """The same facets with another query."""
        return replace(self, text=text.strip(), query=query)

    def toggled(self, facet: Facet) -> Filter:
        """Mute `facet`, or show it again."""
        return replace(self, muted=self.muted ^ {facet})

    def soloed(self, facet: Facet) -> Filter:
        """Show only `facet`, or everything again when it is the only one shown."""
        return replace(self, solo=None if self.solo == facet else facet, muted=self.muted - {facet})

    def at_least(self, minimum: Severity | None) -> Filter:
        """The same with another minimum severity; `info` still hides events that have none."""
        return replace(self, minimum=minimum)

    def describe(self) -> str:
        """The filter in one line of raw text, as the title of the timeline shows it; empty for none."""
        parts = [self.text] if self.text else []
        if self.solo is not None:
            parts.append(f"only {self.solo.value}")
        parts.extend(f"-{facet.value}" for facet in sorted(self.muted))
        if self.minimum is not None:
            parts.append(f"severity>={self.minimum.value}")
        return " ".join(parts)

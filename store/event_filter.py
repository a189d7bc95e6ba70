"""Which events are meant: a value that lists, counts, facets and histograms take alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from store.event import ActorType, Severity
from store.query.syntax import (
    EVERYTHING,
    UNSTORABLE,
    And,
    Compare,
    Exists,
    Field,
    Node,
    Not,
    Op,
    Or,
    Path,
    Regex,
    Since,
    Text,
    Until,
    all_of,
)

_COUNTED = frozenset({Field.CATEGORY, Field.TYPE, Field.SEVERITY})
_COUNTED_NAMES = frozenset({"category", "event_type", "severity"})
"""The fields by which events are counted in the rollups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """Events that agree with everything given here. Values are exact; `text` is looked for in all text.

    An empty exact value matches nothing, as no event has one. `since` is included and `until` is not; both are
    aware. `positions` are those that the store has given. `query` is a query of the console's language
    (`store.query.parse`), for what the other fields cannot say. `resource_type` and `resource_id` mean the primary
    resource; `EventRepository.resource_events` gives those of both roles.

    Raises:
        ValueError: `since` or `until` has no zone.
    """

    category: str | None = None
    event_type: str | None = None
    actor_type: ActorType | str | None = None
    actor_id: str | None = None
    resource_type: str | None = None
    resource_id: str | None = None
    severity: Severity | str | None = None
    status: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    positions: tuple[int, ...] | None = None
    query: Node = EVERYTHING

    def __post_init__(self) -> None:
        for moment in (self.since, self.until):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("since and until need a zone")

    @property
    def exact(self) -> dict[str, str]:
        """The fields of `store.event.Event` that must have one value, with that value."""
        values = {
            # Stored in lower case.
            "category": self.category.lower() if self.category is not None else None,
            "event_type": self.event_type,
            "actor_type": self.actor_type,
            "actor_id": self.actor_id,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "severity": self.severity,
            "status": self.status,
        }
        return {name: str(value) for name, value in values.items() if value is not None}

    @property
    def is_impossible(self) -> bool:
        """Whether it asks for a value that no event can hold.

        Some databases refuse to compare with such text, and the rollups write "none" as the empty one.
        """
        return any(not value or UNSTORABLE.search(value) for value in self.exact.values())

    @property
    def node(self) -> Node:
        """`text` and `query` as one query."""
        return self.query if self.text is None else all_of(Text(self.text), self.query)

    @property
    def is_counted(self) -> bool:
        """Whether the rollups can tell how many events match: it asks for category, type and severity alone."""
        if self.positions is not None:
            return False
        return self.exact.keys() <= _COUNTED_NAMES and _fields(self.node) <= _COUNTED


def _fields(node: Node) -> set[Field | None]:
    """The fields that `node` looks at, None for those that the rollups do not tell."""
    match node:
        case Text() | Regex() | Since() | Until() | Compare(op=Op.REGEX):
            return {None}
        case Not(operand):
            return _fields(operand)
        case And(operands) | Or(operands):
            return set[Field | None]().union(*map(_fields, operands))
        case Exists(field) | Compare(field):
            return {None if isinstance(field, Path) else field}


EVERY_EVENT = EventFilter()

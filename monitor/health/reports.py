"""Which events report health, how they say it, and of what: `*.health_changed`, and what a mapping adds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from store.event import Event, Severity
from store.query.metadata import written
from store.query.patterns import glob
from store.query.syntax import Field

HEALTH_SUFFIX = ".health_changed"
_TYPES_MAX = 2000
"""Event types of which it is remembered whether they report health."""

Subject = tuple[str, str | None]
"""What a state is of: resource type and id; the id is None when the event names none."""


class State(StrEnum):
    """How a component is. Declared worst first, which is the order `rank` gives."""

    DOWN = "down"
    DEGRADED = "degraded"
    UNKNOWN = "unknown"
    UP = "up"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _STATE_RANK[self]


_STATE_RANK = {state: rank for rank, state in enumerate(State)}
_BY_STATUS = {
    **dict.fromkeys(("up", "healthy", "ok", "online"), State.UP),
    **dict.fromkeys(("degraded", "slow", "warning"), State.DEGRADED),
    **dict.fromkeys(("down", "unhealthy", "failed", "offline", "error"), State.DOWN),
}
_BY_SEVERITY = {Severity.INFO: State.UP, Severity.WARNING: State.DEGRADED, Severity.ERROR: State.DOWN}


def folded(value: object) -> str | None:
    """A value as states are looked up by: text without its case, `2`, `true`; None for what is no single value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = None if value is None else written(value)
    return None if text is None else text.strip().casefold()


@dataclass(frozen=True, slots=True)
class HealthType:
    """Event types that report health: those that fit `pattern`, where `*` stands for any text.

    The state stands in `place`: the status, the severity, or keys into the metadata. `states` has states by `folded`
    values, and `otherwise` stands for values that it does not have. Without `states` the usual words are read; a status
    that is none of them leaves it to the severity.
    """

    pattern: str
    place: Field | tuple[str, ...] = Field.STATUS
    states: Mapping[str, State] | None = None
    otherwise: State = State.UNKNOWN

    def state_of(self, event: Event) -> State:
        """The state that `event` reports."""
        value = folded(self._value(event))
        if self.states is not None:
            return self.otherwise if value is None else self.states.get(value, self.otherwise)
        if self.place != Field.SEVERITY and value in _BY_STATUS:
            return _BY_STATUS[value]
        if self.place in {Field.STATUS, Field.SEVERITY} and event.severity is not None:
            return _BY_SEVERITY[event.severity]
        return self.otherwise

    def _value(self, event: Event) -> Any:
        if self.place == Field.STATUS:
            return event.status
        if self.place == Field.SEVERITY:
            return event.severity
        value: Any = event.metadata
        for key in self.place:
            # A list is not entered, and what is not there is no value.
            value = value.get(key) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return value  # pyright: ignore[reportUnknownVariableType]


@dataclass(frozen=True, slots=True)
class HealthMapping:
    """The event types that report health: those of `types`, the first that fits, and then `*.health_changed`."""

    types: tuple[HealthType, ...] = ()
    _known: dict[str, HealthType | None] = field(
        default_factory=dict[str, "HealthType | None"], compare=False
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        """What the types of its events fit, where `*` stands for any text."""
        return tuple(dict.fromkeys((*(known.pattern for known in self.types), _SHIPPED.pattern)))

    def type_of(self, event_type: str) -> HealthType | None:
        """How events of this type report health; None when they do not."""
        try:
            return self._known[event_type]
        except KeyError:
            pass
        if len(self._known) >= _TYPES_MAX:
            self._known.clear()
        fitting = (known for known in (*self.types, _SHIPPED) if glob(known.pattern)(event_type))
        found = self._known[event_type] = next(fitting, None)
        return found


_SHIPPED = HealthType(f"*{HEALTH_SUFFIX}")
_active = HealthMapping()


def active_mapping() -> HealthMapping:
    """The mapping of this process."""
    return _active


def activate(types: Iterable[HealthType]) -> None:
    """Make `types`, and after them `*.health_changed`, what reports health in this process."""
    global _active
    _active = HealthMapping(tuple(types))


def is_health_event(event: Event) -> bool:
    """Whether `event` reports the state of a component."""
    return _active.type_of(event.event_type) is not None


def state_of(event: Event) -> State:
    """The state an event reports: as the mapping says, else by its status, else by its severity, else unknown."""
    return (_active.type_of(event.event_type) or _SHIPPED).state_of(event)


def component_of(event: Event) -> Subject:
    """The component a health event is about: its resource, else the first word of its type."""
    kind = event.resource_type or event.event_type.partition(".")[0]
    return kind, event.resource_id


def health_query() -> str:
    """The query that selects the events that report health, as it is written."""
    return f"type:{','.join(_active.patterns)}"

"""What a rule tells its alerts apart by: values of fields, or of places in the metadata."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

from monitor.health.components import Subject, component_of
from store.event import Event
from store.query.metadata import value_at, written
from store.query.syntax import Field, Path

Key = tuple[Field | Path, ...]
"""What to group by: one field, or several of which the first counts that the event has."""
Value = str | Subject | None
"""A value of a key: a resource as (type, id); a text; None where the event has neither.

Of a key with several fields a resource among them, what is no resource has the empty type, which no resource has.
"""
Group = tuple[Value, ...]
"""The values of the keys of a rule, in their order."""
GROUP_KEYS_MAX = 3
GROUPS_MAX = 1000
"""Groups that a rule follows at a time, unless it says otherwise."""
_Reader = Callable[[Event], Value]
Memory = TypeVar("Memory")


class Grouping:
    """Tells the group of an event."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._readers = tuple(map(_reader, keys))

    def __call__(self, event: Event) -> Group:
        """The values of the keys. With a key of its own, a resource that is not named is the first word of the type."""
        readers = self._readers
        if not readers:
            return ()
        if len(readers) == 1:
            return (readers[0](event),)
        return tuple(read(event) for read in readers)


class Groups(Generic[Memory]):
    """What is remembered of each group, at most `limit` of them: the one touched longest ago is forgotten."""

    def __init__(self, limit: int, new: Callable[[], Memory]) -> None:
        self._limit = limit
        self._new = new
        self._memories: OrderedDict[Group, Memory] = OrderedDict()
        self.forgotten = 0
        """How many groups were forgotten."""

    def __len__(self) -> int:
        return len(self._memories)

    def __iter__(self) -> Iterator[Group]:
        return iter(self._memories)

    def get(self, group: Group) -> Memory | None:
        """What is remembered of `group`; None when it was never touched or is forgotten."""
        return self._memories.get(group)

    def touch(self, group: Group) -> Memory:
        """The memory of `group`, which is the newest one now. `shed` is to be asked for what that pushed out."""
        memory = self._memories.get(group)
        if memory is None:
            memory = self._memories[group] = self._new()
        else:
            self._memories.move_to_end(group)
        return memory

    def shed(self) -> tuple[Group, ...]:
        """The group that there is no room for any more, taken out."""
        if len(self._memories) <= self._limit:
            return ()
        group, _ = self._memories.popitem(last=False)
        self.forgotten += 1
        return (group,)


def key_name(key: Key) -> str:
    """The key as a rule names it: `resource`, `@error.code`, `resource|actor_id`."""
    return "|".join(str(field) for field in key)


def value_text(value: Value) -> str:
    """A value as operators write it; empty where there is none. Raw event text."""
    if isinstance(value, tuple):
        kind, identifier = value
        return "/".join(part for part in (kind, identifier) if part)
    return value or ""


def value_name(value: Value) -> str:
    """The id alone of a resource that has one, else all of the value. Raw event text."""
    return value[1] if isinstance(value, tuple) and value[1] is not None else value_text(value)


def resource_of(keys: Sequence[Key], group: Group) -> Subject | None:
    """The resource among the values of a group; None when there is none."""
    for key, value in zip(keys, group, strict=True):
        if Field.RESOURCE in key and isinstance(value, tuple) and value[0]:
            return value
    return None


def fingerprint(rule: str, group: Group) -> str:
    """What names an alert: its rule and its group, different for any two of them."""
    if not group:
        return rule
    if len(group) == 1:
        return f"{rule}:{_place(group[0])}"
    # A comma within a value must not make one alert of two.
    return f"{rule}:{','.join(_place(value).replace('%', '%25').replace(',', '%2C') for value in group)}"


def _place(value: Value) -> str:
    if not isinstance(value, tuple):
        return value or ""
    kind, identifier = value
    # Nor must a slash within a type.
    place = kind.replace("%", "%25").replace("/", "%2F")
    return place if identifier is None else f"{place}/{identifier}"


def _reader(key: Key) -> _Reader:
    if len(key) == 1:
        return component_of if key[0] is Field.RESOURCE else _field_reader(key[0])
    readers = tuple(_field_reader(field) for field in key)
    in_place_of_resource = Field.RESOURCE in key

    def first(event: Event) -> Value:
        for read in readers:
            if (value := read(event)) is not None:
                return ("", value) if in_place_of_resource and isinstance(value, str) else value
        return ("", None) if in_place_of_resource else None

    return first


def _named_resource(event: Event) -> Subject | None:
    return None if event.resource_type is None and event.resource_id is None else component_of(event)


_FIELD_READERS: dict[Field, _Reader] = {
    Field.TYPE: lambda event: event.event_type,
    Field.CATEGORY: lambda event: event.category,
    Field.SEVERITY: lambda event: event.severity and str(event.severity),
    Field.STATUS: lambda event: event.status,
    Field.ACTOR: lambda event: event.actor,
    Field.ACTOR_ID: lambda event: event.actor_id,
    Field.RESOURCE: _named_resource,
    Field.RESOURCE_TYPE: lambda event: event.resource_type,
    Field.RESOURCE_ID: lambda event: event.resource_id,
}
GROUP_FIELDS = tuple(_FIELD_READERS)
"""The fields that events can be grouped by."""


def _field_reader(field: Field | Path) -> _Reader:
    if isinstance(field, Path):
        keys = field.keys
        return lambda event: written(value_at(event.metadata, keys)) or None
    return _FIELD_READERS[field]

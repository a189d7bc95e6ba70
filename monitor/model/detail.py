"""An event as a list of values: its fields, then its metadata as a tree whose branches fold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import to_json

from monitor.masking import shown_metadata
from monitor.model.filter import Facet
from monitor.zone import Zone
from store.event import Event
from store.query.metadata import written
from store.query.syntax import Field, Path

Place = tuple[str | int, ...]
"""Where a value stands: the name of a field, or `METADATA` and the keys and numbers on the way to it."""
METADATA = "metadata"
ASKED_MAX = 500
"""Characters of a value that a query is made of: the text of one has at most 1,000."""


@dataclass(frozen=True, slots=True)
class Item:
    """A value of an event as it may be shown; all text is raw.

    `facet` is what to filter by of a field; None where there is nothing. `hidden` is the value that it stands for,
    where that is another one, in a list of its own.
    """

    place: Place
    value: Any
    facet: Facet | None = None
    hidden: tuple[Any, ...] = ()

    @property
    def label(self) -> str:
        """The name of the field, the key, or `[2]` for a place in a list."""
        last = self.place[-1]
        return f"[{last}]" if isinstance(last, int) else last

    @property
    def is_field(self) -> bool:
        """Whether it stands outside of the metadata."""
        return self.place[0] != METADATA

    @property
    def is_branch(self) -> bool:
        """Whether there are values below it."""
        value: object = self.value
        return isinstance(value, (dict, list)) and value not in ({}, [])

    @property
    def text(self) -> str:
        """The whole value: a text as it is, anything else as JSON has it; empty when there is none."""
        if isinstance(self.value, str):
            return self.value
        return to_json(self.value).decode()

    @property
    def asked(self) -> Facet | str:
        """What to filter by for this value, or in words why that is not possible."""
        if self.is_field:
            none = f"the {self.label} is nothing to filter by" if self.value else f"it has no {self.label}"
            return self.facet or none
        if any(isinstance(key, int) for key in self.place):
            return "a place in a list cannot be asked for; a word in the filter finds what is in it"
        value = written(*(self.hidden or (self.value,)))
        if value is None or len(self.place) == 1:
            return "objects and lists have no value to filter by; what is in an object has"
        keys = cast("tuple[str, ...]", self.place[1:])
        if len(value) + sum(map(len, keys)) > ASKED_MAX:
            return "the value is too long to filter by; a word of it in the filter finds it"
        return Facet(Path(keys), value)


def detail_items(event: Event, zone: Zone, folded: AbstractSet[Place] = frozenset()) -> list[Item]:
    """The values of `event` from top to bottom, without those below a branch that is `folded`."""
    zone = zone.absolute

    def field(name: str, value: str | None, field: Field) -> Item:
        return Item((name,), str(value or ""), Facet.of(event, field))

    position = f"{event.position:,}" if event.position is not None else "not in the store yet"
    return [
        Item(("time",), zone.full(event.inserted_at)),
        field("type", event.event_type, Field.TYPE),
        field("category", event.category, Field.CATEGORY),
        field("severity", event.severity, Field.SEVERITY),
        field("status", event.status, Field.STATUS),
        field("actor", event.actor, Field.ACTOR),
        field("resource", event.resource, Field.RESOURCE),
        Item(("secondary",), event.secondary_resource or "", _secondary(event)),
        field("id", str(event.id), Field.ID),
        Item(("position",), position),
        *_unfolded(Item((METADATA,), shown_metadata(event)), event.metadata, folded),
    ]


def branches(items: Iterable[Item]) -> frozenset[Place]:
    """The places of those that fold, but for the metadata as a whole."""
    return frozenset(item.place for item in items if item.is_branch and len(item.place) > 1)


def _secondary(event: Event) -> Facet | None:
    if event.secondary_resource is None or event.secondary_resource_type is None:
        return None
    return Facet(Field.RESOURCE, event.secondary_resource)


def _unfolded(item: Item, real: Any, folded: AbstractSet[Place]) -> Iterator[Item]:
    """`item` and what is below it; `real` is the value that it shows, or stands for."""
    yield item
    if not item.is_branch or item.place in folded:
        return
    shown: object = item.value
    is_object = isinstance(shown, dict)
    below = cast("dict[str, Any]", shown).items() if is_object else enumerate(cast("list[Any]", shown))
    for key, value in below:
        # A key that has been replaced is none of the event's: nothing can be asked for there.
        inner = value if shown is real or (is_object and key not in real) else real[key]
        hidden = () if inner is value or inner == value else (inner,)
        yield from _unfolded(Item((*item.place, key), value, hidden=hidden), inner, folded)

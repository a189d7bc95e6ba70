"""What events tell of a resource in their metadata: what people call it, and the facts that its page shows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from monitor.masking import shown_metadata
from store.metadata_place import MISSING, value_at

if TYPE_CHECKING:
    from store.event import Event

TITLES: tuple[str, ...] = ("title", "name")
"""Where events say what people call a resource, unless they say otherwise."""
FACTS: tuple[str, ...] = (
    "indexer",
    "client",
    "provider",
    "protocol",
    "quality",
    "size_bytes",
    "year",
    "season",
    "path",
    "reason",
)
"""What else a page tells of it."""
PLACES_MAX = 50
VALUE_MAX = 60
"""Characters of a fact that are shown."""


class PlaceError(ValueError):
    """What is no place in metadata. The message is one line."""


def read_places(text: str) -> tuple[str, ...]:
    """The places that a list of them names, separated by commas: `year`, or `file.size`.

    Raises:
        PlaceError: one of them is no place, or there are too many.
    """
    names = [name.strip() for name in text.split(",")]
    places = tuple(dict.fromkeys(name for name in names if name))
    for place in places:
        if not all(place.split(".")):
            raise PlaceError(f"{place!r} is no place in metadata; write it like year or file.size")
    if len(places) > PLACES_MAX:
        raise PlaceError(f"{len(places)} places, over {PLACES_MAX}")
    return places


@dataclass(frozen=True, slots=True)
class ToldPlaces:
    """Where metadata tells of resources: the first of `titles` that there is, and all `facts`, in their order."""

    titles: tuple[str, ...] = TITLES
    facts: tuple[str, ...] = FACTS

    def title(self, events: Iterable[Event]) -> str | None:
        """What the newest of `events` that says so calls it."""
        for event in events:
            metadata = shown_metadata(event)
            for place in self.titles:
                value = value_at(metadata, place.split("."))
                if isinstance(value, str) and value.strip():
                    return value.strip()
        return None

    def told(self, events: Iterable[Event]) -> dict[str, Any]:
        """What `events`, newest first, say at each place: the newest of what is neither null nor empty."""
        missing = {place: place.split(".") for place in self.facts}
        found: dict[str, Any] = {}
        for event in events:
            if not missing:
                break
            metadata = shown_metadata(event)
            for place, keys in list(missing.items()):
                value = value_at(metadata, keys)
                if value is not MISSING and value not in (None, "", [], {}):
                    found[place] = value
                    del missing[place]
        return {place: found[place] for place in self.facts if place in found}


def told_text(value: Any) -> str:
    """A fact as it is shown: raw event text, no longer than `VALUE_MAX`."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= VALUE_MAX else f"{text[: VALUE_MAX - 1]}…"


_active = [ToldPlaces()]


def activate(places: ToldPlaces) -> None:
    """Have the pages of this process look there."""
    _active[0] = places


def active() -> ToldPlaces:
    """Where the pages of this process look."""
    return _active[0]

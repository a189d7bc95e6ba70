"""What a catalogue site features at a place. Plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import AwareDatetime, TypeAdapter, ValidationError


@dataclass(frozen=True, slots=True)
class FeaturedItem:
    """What is shown at a place, and since when."""

    place: str
    title: str | None
    resource_type: str | None
    resource_id: str | None
    since: AwareDatetime

    @classmethod
    def all_from(cls, value: object) -> list[FeaturedItem] | None:
        """The items of which `value` has the `plain` values; None when it is no list of such."""
        try:
            return _items().validate_python(value)
        except ValidationError:
            return None

    def plain(self) -> dict[str, Any]:
        """As values that JSON has."""
        return {
            "place": self.place,
            "title": self.title,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "since": self.since.isoformat(),
        }


@cache
def _items() -> TypeAdapter[list[FeaturedItem]]:
    # Made when it is needed: to make it costs more than the first paint may wait for.
    return TypeAdapter(list[FeaturedItem])

"""How long events, their counts and dead letters are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from pydantic import TypeAdapter, ValidationError

from store.event import Category

FOR_EVER = math.inf
"""As a number of days: nothing is deleted."""
_FIRST = datetime.min.replace(tzinfo=UTC)
_CATEGORY: TypeAdapter[str] = TypeAdapter(Category)


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How many days things are kept; fractions and `FOR_EVER` are allowed, zero is not.

    Args:
        days: events of every category that `by_category` does not name.
        by_category: category to its own days, longer or shorter.
        rollup_days: the counts by minute; None keeps them for ever. They outlive the events that they count.
        dead_letter_days: events that could not be stored.

    Raises:
        ValueError: with one line that names the value.
    """

    days: float = 90
    by_category: Mapping[str, float] = field(default_factory=dict[str, float])
    rollup_days: float | None = None
    dead_letter_days: float = 90

    def __post_init__(self) -> None:
        by_category: dict[str, float] = {}
        for name, days in self.by_category.items():
            try:
                # Events keep it in lower case.
                category = _CATEGORY.validate_python(name)
            except ValidationError:
                raise ValueError(f"{ascii(name)[:80]} cannot be a category") from None
            if category in by_category:
                raise ValueError(f"category {category!a} is given twice")
            by_category[category] = _valid(f"the days of category {category!a}", days)
        object.__setattr__(self, "by_category", MappingProxyType(by_category))
        object.__setattr__(self, "days", _valid("days", self.days))
        object.__setattr__(self, "dead_letter_days", _valid("dead_letter_days", self.dead_letter_days))
        if self.rollup_days is None:
            return
        object.__setattr__(self, "rollup_days", _valid("rollup_days", self.rollup_days))
        longest = max(self.days, *by_category.values(), 0)
        if self.rollup_days < longest:
            kept = "for ever" if math.isinf(longest) else f"for {longest:g} days"
            raise ValueError(f"rollup_days is {self.rollup_days:g}, but some events are kept {kept}")

    def cutoffs(self, reference: datetime) -> Cutoffs:
        """What is kept at the moment `reference` reaches back to these moments."""
        return Cutoffs(
            default=_before(reference, self.days),
            by_category={name: _before(reference, days) for name, days in self.by_category.items()},
            rollups=None if self.rollup_days is None else _before(reference, self.rollup_days),
            dead_letters=_before(reference, self.dead_letter_days),
        )


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """The moments before which things are deleted; None where everything is kept."""

    default: datetime | None
    by_category: Mapping[str, datetime | None]
    rollups: datetime | None
    dead_letters: datetime | None

    @property
    def oldest(self) -> datetime | None:
        """Before this, events of every category are deleted."""
        moments = [self.default, *self.by_category.values()]
        known = [moment for moment in moments if moment is not None]
        return min(known) if len(known) == len(moments) else None


def _valid(what: str, days: object) -> float:
    # NaN is not above 0 either.
    if isinstance(days, bool) or not isinstance(days, (int, float)) or not days > 0:
        raise ValueError(f"{what}: a number above 0 is needed, not {ascii(days)[:40]}")
    try:
        return float(days)
    except OverflowError:
        return FOR_EVER


def _before(reference: datetime, days: float) -> datetime | None:
    try:
        moment = reference - timedelta(days=days)
    except OverflowError:
        return None
    return moment if moment > _FIRST else None

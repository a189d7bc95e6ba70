"""The figures of one period, as they are worked out, stored and cached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator, Field, PlainSerializer, TypeAdapter, ValidationError

from store.figures.period import Period

TOP = 20
"""Entries of each list."""


def _period(value: object) -> object:
    named = value.upper() if isinstance(value, str) else ""
    return Period[named] if named in Period.__members__ else value


NamedPeriod = Annotated[
    Period, BeforeValidator(_period), PlainSerializer(lambda period: period.name.lower(), return_type=str)
]
Count = Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list: the values of its fields, how many events have them, and how many of those are errors.

    A field is None where an event has none.
    """

    names: tuple[str | None, ...]
    number: int
    errors: Count = 0


Entries = tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Lists:
    """What took a look at each event of the period.

    `failing` and `busiest` are resources by (type, id); `actors` are by (type, id), `providers` by name, `searches` and
    `fruitless` by what was searched for, `clicked` are recommendations by place. `top` has, by counter, the resources
    that it went up most for. `shown` is how many recommendations were shown, as far as that was recorded. With
    `is_exact` false there were more resources, actors or searches than are kept apart: numbers may be too low.
    """

    failing: Entries
    busiest: Entries
    actors: Entries
    providers: Entries
    searches: Entries
    fruitless: Entries
    clicked: Entries
    clicks: Count
    shown: Count
    top: dict[str, Entries]
    is_exact: bool = True


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of `period`, whose minutes since 1970 go from `since` on; `lists` is None until they are known.

    `events` and `errors` are numbers by bar, oldest first. `hours` has the number of each hour since 1970 that had any;
    none for the hour, which is no part of a day. `categories` have their errors.
    """

    period: NamedPeriod
    computed_at: AwareDatetime
    since: int
    events: tuple[Count, ...]
    errors: tuple[Count, ...]
    hours: dict[int, Count]
    categories: Entries
    lists: Lists | None = None


@cache
def _adapter() -> TypeAdapter[Figures]:
    # Made when it is needed: to make it costs more than the first paint may wait for.
    return TypeAdapter(Figures)


def to_json(figures: Figures) -> str:
    """`figures` as JSON."""
    return _adapter().dump_json(figures).decode()


def from_json(text: str | bytes) -> Figures | None:
    """Figures from JSON; None for text that holds none, which something else may have put there."""
    try:
        figures = _adapter().validate_json(text)
    except (ValidationError, RecursionError):
        return None
    fits = len(figures.events) == len(figures.errors) == figures.period.bars
    return figures if fits else None

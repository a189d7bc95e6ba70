"""The figures of a period: how much happened, what failed, who was busy, what was searched for. Plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from monitor.model.filter import Facet
from monitor.model.subjects import ActorName, ResourceName
from store.event import Event
from store.query.syntax import Compare, Field, Node, Op, Path, all_of

TOP = 20
"""Entries of each list."""
SEARCHED = "search.performed"
FRUITLESS = "no_results"
MinuteCount = tuple[int, str | None, int]
"""First minute of a bar, severity, number."""
Target = ResourceName | ActorName | Facet | Node
"""What an entry leads to: a page, or a filter of the timeline."""


class Period(Enum):
    """How far back: a name, minutes, and minutes of a bar."""

    HOUR = ("hour", 60, 2)
    DAY = ("day", 24 * 60, 30)
    WEEK = ("week", 7 * 24 * 60, 4 * 60)
    MONTH = ("30 days", 30 * 24 * 60, 24 * 60)

    @property
    def label(self) -> str:
        """Its name, as in `the last hour`."""
        return self.value[0]

    @property
    def bar(self) -> int:
        """Minutes of a bar."""
        return self.value[2]

    @property
    def bars(self) -> int:
        """How many bars it has."""
        return self.value[1] // self.value[2]

    def span(self, minute: int) -> tuple[int, int]:
        """The minutes since 1970 that it has up to and with `minute`: from the first up to and without the last."""
        until = minute // self.bar * self.bar + self.bar
        return until - self.bars * self.bar, until

    def step(self, steps: int) -> Period:
        """The one that is so many longer, or shorter (negative); the longest or shortest where there is none."""
        periods = list(Period)
        return periods[max(0, min(len(periods) - 1, periods.index(self) + steps))]


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry of a list. `name` is raw event text. `errors` is how many of the `number` are, where that is known."""

    name: str
    number: int
    target: Target
    errors: int | None = None


@dataclass(frozen=True, slots=True)
class Trend:
    """Numbers of events and of errors by bar, oldest first."""

    events: Sequence[int]
    errors: Sequence[int]

    @classmethod
    def of(cls, period: Period, since: int, counts: Iterable[MinuteCount]) -> Trend:
        """Of counts by minute, from the minute `since` on."""
        events, errors = [0] * period.bars, [0] * period.bars
        for minute, severity, number in counts:
            place = (minute - since) // period.bar
            if 0 <= place < period.bars:
                events[place] += number
                if severity == "error":
                    errors[place] += number
        return cls(events, errors)


Combined = Sequence[tuple[tuple[str | None, ...], int]]
"""Values of some fields together, and how many events have them."""


def categories(counted: Combined) -> tuple[Ranked, ...]:
    """Categories with their errors, of counts by category and severity, the largest first."""
    numbers: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for (name, severity), number in counted:
        if name is not None:
            numbers[name] += number
            errors[name] += number if severity == "error" else 0
    return tuple(
        Ranked(name, number, Facet(Field.CATEGORY, name), errors[name])
        for name, number in numbers.most_common(TOP)
    )


def resources(counted: Combined) -> tuple[Ranked, ...]:
    """Resources, of counts by type and id; what has no id is no single resource."""
    named = [
        (ResourceName(kind, identifier), number)
        for (kind, identifier), number in counted
        if kind is not None and identifier is not None
    ]
    return tuple(Ranked(name.text, number, name) for name, number in named[:TOP])


def actors(counted: Combined) -> tuple[Ranked, ...]:
    """Actors, of counts by type and id."""
    named = [
        (ActorName(f"{kind}:{identifier}" if identifier is not None else kind), number)
        for (kind, identifier), number in counted
        if kind is not None
    ]
    return tuple(Ranked(name.text, number, name) for name, number in named[:TOP])


def searches(events: Iterable[Event]) -> tuple[tuple[Ranked, ...], tuple[Ranked, ...]]:
    """What was searched for, and what of it was not found, the most frequent first. Case does not count."""
    asked: Counter[str] = Counter()
    fruitless: Counter[str] = Counter()
    written: dict[str, str] = {}
    for event in events:
        query = event.metadata.get("query")
        if not isinstance(query, str) or not query.strip():
            continue
        key = query.strip().casefold()
        written.setdefault(key, query.strip())
        asked[key] += 1
        fruitless[key] += event.status == FRUITLESS
    return (
        tuple(_searched(written[key], number) for key, number in asked.most_common(TOP)),
        tuple(_searched(written[key], number) for key, number in fruitless.most_common(TOP) if number),
    )


def _searched(text: str, number: int) -> Ranked:
    named = Compare(Field.TYPE, Op.EQ, SEARCHED)
    # However it was written: what contains it holds all that was counted.
    return Ranked(text, number, all_of(named, Compare(Path(("query",)), Op.CONTAINS, text)))

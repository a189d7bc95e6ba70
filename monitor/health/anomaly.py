"""The rule of the unusual: much more, or much less, happens than at this time of day on earlier days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.health.buckets import BucketWatch
from monitor.health.rule import Kind, Rule, Watch
from monitor.health.usual import SLOT, Usual, slot_start
from store.event import Event
from store.query.moments import write_span
from store.query.predicate import compile_predicate
from store.sampling import whole_weight

_SPREAD_SHARE = 0.1
"""The least spread, as a share of what is usual: days that are all alike leave room for a busier one."""


class Direction(StrEnum):
    """What is unusual."""

    HIGH = "high"
    LOW = "low"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Anomaly(Kind):
    """Holds when the events of `window` are further from what is usual then than `factor` times the usual distance.

    What is usual is the median of the same time of earlier days, the usual distance the median of theirs from it: a few
    days out of the ordinary change neither. There must be `minimum` events: of those in the window for too many, of
    those that are usual for too few. While nobody can say what is usual, it does not hold.
    """

    window: timedelta
    direction: Direction = Direction.HIGH
    factor: float = 4
    minimum: int = 20

    def __post_init__(self) -> None:
        if not self.factor > 0 or self.minimum < 1 or self.window <= timedelta():
            raise ValueError(
                "a factor above 0, a minimum of at least 1 and a window of some length are needed"
            )

    @property
    def asks_usual(self) -> bool:
        """It does."""
        return True

    @property
    def reach(self) -> timedelta:
        """The window."""
        return self.window

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The window, and the factor as threshold."""
        return (("window", write_span(self.window)), ("threshold", f"{self.factor:g}"))

    @property
    def title(self) -> str:
        """That it is unusual."""
        return "{rule}: {count} events, which is unusual"

    @property
    def meaning(self) -> str:
        """When it holds."""
        how = {Direction.HIGH: "more", Direction.LOW: "fewer", Direction.BOTH: "more or fewer"}[
            self.direction
        ]
        return (
            f"{how} within {write_span(self.window)} than usual then, "
            f"by {self.factor:g} times the usual distance, of at least {self.minimum:,}"
        )

    def watch(self, rule: Rule, usual: Usual | None) -> Watch:
        """A new watch over all events of the rule."""
        return _AnomalyWatch(self, rule, usual)


class _AnomalyWatch(BucketWatch):
    def __init__(self, kind: Anomaly, rule: Rule, usual: Usual | None) -> None:
        super().__init__(rule, kind.window)
        self._matches = compile_predicate(rule.query)
        self._query, self._kind, self._usual = rule.query, kind, usual
        self.needs_all = kind.direction != Direction.HIGH

    def share(self, event: Event) -> tuple[int, int] | None:
        if not self._matches(event):
            return None
        weight = whole_weight(event)
        return (weight, weight)

    def holds(self, at: datetime, part: int, whole: int) -> bool:
        kind = self._kind
        norm = self._usual.norm(self._query, at) if self._usual else None
        if norm is None:
            return False
        minutes = kind.window / timedelta(minutes=1)
        expected = norm.per_minute * minutes
        distance = kind.factor * max(norm.spread * minutes, _SPREAD_SHARE * expected)
        if kind.direction != Direction.LOW and whole >= kind.minimum and whole > expected + distance:
            return True
        return kind.direction != Direction.HIGH and expected >= kind.minimum and whole < expected - distance

    def also_at(self, first: datetime, last: datetime) -> Iterable[datetime]:
        """Where another time of day begins."""
        moment = slot_start(first) + SLOT
        while moment <= last:
            yield moment
            moment += SLOT

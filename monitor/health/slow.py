"""The rule of durations: what usually takes little time takes long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.buckets import BucketWatch
from monitor.health.rule import Kind, Rule, Watch
from monitor.health.usual import Usual
from store.event import Event
from store.query.metadata import value_at
from store.query.moments import write_span
from store.query.predicate import compile_predicate
from store.query.syntax import Path
from store.sampling import whole_weight


@dataclass(frozen=True, slots=True)
class Slow(Kind):
    """Holds when the `quantile` of what stands at `duration` is above `above`, among `minimum` or more in `window`.

    That is, when more than the rest is above it: 5 of 100 for a quantile of 0.95. What is no number does not count.
    """

    duration: Path
    above: float
    window: timedelta
    quantile: float = 0.95
    minimum: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.quantile < 1 or self.minimum < 1 or self.window <= timedelta():
            raise ValueError(
                "a quantile between 0 and 1, a minimum of at least 1 and a window of some length are needed"
            )

    @property
    def reach(self) -> timedelta:
        """The window."""
        return self.window

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The window, and the duration as threshold."""
        return (
            ("window", write_span(self.window)),
            ("threshold", f"{self.above:g}"),
            ("quantile", f"{self.quantile:g}"),
        )

    @property
    def title(self) -> str:
        """How slow."""
        return "{rule}: above {threshold} within {window} {group}"

    @property
    def meaning(self) -> str:
        """When it holds."""
        return (
            f"{self.duration} above {self.above:g} at the quantile {self.quantile:g} "
            f"within {write_span(self.window)}, of at least {self.minimum:,}"
        )

    def watch(self, rule: Rule, usual: Usual | None) -> Watch:
        """A new watch, which looks at each group by itself."""
        return _SlowWatch(self, rule)


class _SlowWatch(BucketWatch):
    def __init__(self, kind: Slow, rule: Rule) -> None:
        super().__init__(rule, kind.window)
        self._matches = compile_predicate(rule.query)
        self._keys, self._above = kind.duration.keys, kind.above
        self._rest, self._minimum = 1 - kind.quantile, kind.minimum

    def share(self, event: Event) -> tuple[int, int] | None:
        if not self._matches(event):
            return None
        value = value_at(event.metadata, self._keys)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return None
        weight = whole_weight(event)
        return (weight if value > self._above else 0, weight)

    def holds(self, at: datetime, part: int, whole: int) -> bool:
        return whole >= self._minimum and part > self._rest * whole

"""The rule of shares: too many of what was begun, or of all there is, go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.buckets import BucketWatch
from monitor.health.rule import Kind, Rule, Watch
from monitor.health.usual import Usual
from store.event import Event
from store.query.moments import write_span
from store.query.parser import describe
from store.query.predicate import compile_predicate
from store.query.syntax import Node
from store.sampling import whole_weight


@dataclass(frozen=True, slots=True)
class Ratio(Kind):
    """Holds when the rule's events are `ratio` or more of those of `of`, of which there are `minimum` in `window`."""

    of: Node
    ratio: float
    window: timedelta
    minimum: int = 10

    def __post_init__(self) -> None:
        if not self.ratio > 0 or self.minimum < 1 or self.window <= timedelta():
            raise ValueError(
                "a ratio above 0, a minimum of at least 1 and a window of some length are needed"
            )

    @property
    def queries(self) -> tuple[Node, ...]:
        """What the share is of."""
        return (self.of,)

    @property
    def reach(self) -> timedelta:
        """The window."""
        return self.window

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The window, and the ratio in percent as threshold."""
        return (("window", write_span(self.window)), ("threshold", f"{100 * self.ratio:g} %"))

    @property
    def title(self) -> str:
        """What share is too much."""
        return "{rule}: {threshold} or more within {window} {group}"

    @property
    def meaning(self) -> str:
        """When it holds."""
        of, window = describe(self.of) or "*", write_span(self.window)
        return f"{100 * self.ratio:g} % or more of {of} within {window}, of at least {self.minimum:,}"

    def watch(self, rule: Rule, usual: Usual | None) -> Watch:
        """A new watch, which compares each group by itself."""
        return _RatioWatch(self, rule)


class _RatioWatch(BucketWatch):
    def __init__(self, kind: Ratio, rule: Rule) -> None:
        super().__init__(rule, kind.window)
        self._is_part, self._is_whole = compile_predicate(rule.query), compile_predicate(kind.of)
        self._ratio, self._minimum = kind.ratio, kind.minimum

    def share(self, event: Event) -> tuple[int, int] | None:
        part, whole = self._is_part(event), self._is_whole(event)
        if not (part or whole):
            return None
        weight = whole_weight(event)
        return (weight if part else 0, weight if whole else 0)

    def holds(self, at: datetime, part: int, whole: int) -> bool:
        return whole >= self._minimum and part >= self._ratio * whole

"""All rules with what they have seen: hands each event to those that it may concern."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from monitor.health.grouping import Group
from monitor.health.interest import may_concern
from monitor.health.rule import Rule, Watch
from monitor.health.usual import Usual
from store.event import Event, Severity

ALERTS = "alerts"
"""The category of events about alerts, which no rule is given: alerts must not feed on themselves."""
_KINDS_MAX = 2000
"""Combinations of type, category and severity of which it is remembered what rules they concern."""
KNOWN_MAX = 32_768
"""Events that are known by their ids, for rules that add up and cannot tell them."""


class Watched:
    """A rule, what it has seen, and which groups of it may be others since it was last asked."""

    __slots__ = ("observe", "rule", "touched", "watch")

    def __init__(self, rule: Rule, watch: Watch) -> None:
        self.rule = rule
        self.watch = watch
        self.observe = watch.observe
        self.touched: set[Group] = set()

    def taken(self) -> set[Group]:
        """The groups, which count as asked for from now on."""
        touched, self.touched = self.touched, set()
        return touched


class _SeenOnce:
    """The ids of the latest events, at least `KNOWN_MAX` of them once there were as many."""

    __slots__ = ("_before", "_latest")

    def __init__(self) -> None:
        self._latest: set[int] = set()
        self._before: set[int] = set()

    def is_new(self, identifier: int) -> bool:
        """Whether it is not among them; it is now."""
        if identifier in self._latest or identifier in self._before:
            return False
        self._latest.add(identifier)
        if len(self._latest) >= KNOWN_MAX:
            self._before, self._latest = self._latest, set()
        return True


class _Concerned(NamedTuple):
    """The rules that one kind of events may concern."""

    exact: tuple[Watched, ...]
    adding: tuple[Watched, ...]
    """Those that need each event once."""


class Watching:
    """The watches of `rules`."""

    def __init__(self, rules: Iterable[Rule], usual: Usual | None = None) -> None:
        self.watched: Sequence[Watched] = tuple(Watched(rule, rule.watch(usual)) for rule in rules)
        self._concerned: dict[tuple[str, str, Severity | None], _Concerned] = {}
        self._seen = _SeenOnce()

    @property
    def forgotten(self) -> int:
        """How many groups were forgotten because rules follow too many."""
        return sum(watched.watch.forgotten for watched in self.watched)

    def begin(self, moment: datetime) -> Iterator[tuple[Watched, Iterable[Group]]]:
        """From `moment` on all events are given; tell what is another now."""
        for watched in self.watched:
            if groups := watched.watch.begin(moment):
                yield watched, groups

    def observe(self, events: Iterable[Event]) -> Iterator[tuple[Watched, Iterable[Group]]]:
        """Take in events, and tell which groups of which rules may be others now, each once."""
        changed: list[Watched] = []
        for event in events:
            exact, adding = self._concerned_by(event)
            for watched in exact:
                if groups := watched.observe(event):
                    if not watched.touched:
                        changed.append(watched)
                    watched.touched.update(groups)
            if adding and self._seen.is_new(event.id.int):
                for watched in adding:
                    if groups := watched.observe(event):
                        if not watched.touched:
                            changed.append(watched)
                        watched.touched.update(groups)
        for watched in changed:
            yield watched, watched.taken()

    def _concerned_by(self, event: Event) -> _Concerned:
        """The rules that events of this one's kind may concern: most kinds concern few."""
        kind = (event.event_type, event.category, event.severity)
        concerned = self._concerned.get(kind)
        if concerned is None:
            if len(self._concerned) >= _KINDS_MAX:
                self._concerned.clear()
            watched = (
                ()
                if event.category == ALERTS
                else tuple(each for each in self.watched if may_concern(each.rule, event))
            )
            concerned = self._concerned[kind] = _Concerned(
                tuple(each for each in watched if not each.watch.counts_all),
                tuple(each for each in watched if each.watch.counts_all),
            )
        return concerned

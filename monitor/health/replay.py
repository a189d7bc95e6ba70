"""What rules would have said of the past: events in the order of time in, alerts from beginning to end out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from monitor.health.components import shifted
from monitor.health.engine import fired
from monitor.health.grouping import Group, fingerprint
from monitor.health.rule import Episode, Rule
from monitor.health.title import title
from monitor.health.usual import Usual
from monitor.health.watching import Watched, Watching
from store.event import Event

CHUNK = 50
"""Events between two looks at the episodes: watches remember as many."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """An alert that would have fired: it held from `since` on; `until` is None when it still did at the end.

    `title` is raw event text.
    """

    fingerprint: str
    rule: Rule
    title: str
    since: datetime
    until: datetime | None
    count: int


class Replay:
    """Holds `rules` against the events from `since` on, of which all are given, in the order of time."""

    def __init__(self, rules: Sequence[Rule], since: datetime, usual: Usual | None = None) -> None:
        self._watching = Watching(rules, usual)
        self._over: dict[tuple[str, datetime], tuple[Rule, Group, Episode]] = {}
        self._open: dict[str, list[tuple[Rule, Group, Episode]]] = {}
        """What may still become another, by fingerprint."""
        self._newest = since
        for watched, groups in self._watching.begin(since):
            self._look(watched, groups)

    @property
    def forgotten(self) -> int:
        """How many groups were forgotten because rules follow too many: their alerts may be missing."""
        return self._watching.forgotten

    def apply(self, events: Iterable[Event]) -> None:
        """Take in the next events."""
        given = iter(events)
        while chunk := tuple(islice(given, CHUNK)):
            self._newest = chunk[-1].inserted_at
            for watched, groups in self._watching.observe(chunk):
                self._look(watched, groups)

    def alerts(self, until: datetime) -> list[Replayed]:
        """What would have fired before `until`, in the order of beginning."""
        told = [*self._over.values(), *(each for held in self._open.values() for each in held)]
        found = [
            _replayed(rule, group, episode, until)
            for rule, group, episode in told
            if _would_have_fired(rule, episode, until)
        ]
        return sorted(found, key=lambda alert: (alert.since, alert.fingerprint))

    def _look(self, watched: Watched, groups: Iterable[Group]) -> None:
        rule, watch = watched.rule, watched.watch
        for group in groups:
            name = fingerprint(rule.name, group)
            episodes = watch.episodes(group)
            if not episodes and name not in self._open:
                continue
            open_ones: list[tuple[Rule, Group, Episode]] = []
            for episode in episodes:
                known = (rule, group, episode)
                if episode.until is not None and episode.until <= self._newest:
                    if fired(rule, episode):
                        self._over[name, episode.since] = known
                else:
                    open_ones.append(known)
            if open_ones:
                self._open[name] = open_ones
            elif episodes:
                self._open.pop(name, None)


def _would_have_fired(rule: Rule, episode: Episode, until: datetime) -> bool:
    return fired(rule, episode) and shifted(episode.since, rule.hold) < until


def _replayed(rule: Rule, group: Group, episode: Episode, until: datetime) -> Replayed:
    ended = episode.until if episode.until is not None and episode.until <= until else None
    return Replayed(
        fingerprint(rule.name, group), rule, title(rule, group, episode), episode.since, ended, episode.count
    )

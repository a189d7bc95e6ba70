"""What rules would have said of the past: events in the order of time in, alerts from beginning to end out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain, islice

from monitor.health.components import shifted
from monitor.health.engine import Alert, AlertState, alert_of, fired
from monitor.health.grouping import Group, fingerprint
from monitor.health.rule import Episode, Rule
from monitor.health.usual import Usual
from monitor.health.watching import Watched, Watching
from store.event import Event

CHUNK = 50
"""Events between two looks at the episodes: watches remember as many."""


class Replay:
    """Holds `rules` against the events from `since` on, of which all are given, in the order of time."""

    def __init__(self, rules: Sequence[Rule], since: datetime, usual: Usual | None = None) -> None:
        self.since = since
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

    def handed_over(self) -> tuple[Watching, list[tuple[Watched, set[Group]]]]:
        """The watches, for somebody to go on with, and the groups that anything was found of."""
        found = {watched.rule.name: (watched, set[Group]()) for watched in self._watching.watched}
        for rule, group, _ in chain(self._over.values(), *self._open.values()):
            found[rule.name][1].add(group)
        return self._watching, list(found.values())

    def alerts(self, until: datetime) -> list[Alert]:
        """What would have fired before `until`, in the order of beginning; firing where it still did then."""
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


def _replayed(rule: Rule, group: Group, episode: Episode, until: datetime) -> Alert:
    is_over = episode.until is not None and episode.until <= until
    return alert_of(rule, group, episode, AlertState.RESOLVED if is_over else AlertState.FIRING)

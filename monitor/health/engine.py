"""The alert engine: events and the clock in, alerts out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.health.components import ComponentBoard, Subject, is_health_event
from monitor.health.rule import Episode, Rule, Watch
from monitor.health.rules import DEFAULT_RULES
from store.event import Event, Severity
from store.query.predicate import compile_predicate
from store.query.syntax import And, Compare, Field, Node, Or

_TYPES_MAX = 2000
"""Event types of which it is remembered what rules they concern."""
RESOLVED_MAX = 100
"""Resolved alerts kept, the ones resolved last."""


class AlertState(StrEnum):
    """Whether what an alert reports holds now; pending until it has held for as long as its rule asks."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert at one moment.

    `fingerprint` stays the same from episode to episode. `title`, `resource` and `labels`, which are the fields that
    its rule groups by with their values, are raw event text. `since` is when it began to hold. `resolved_at` is None
    while it holds. `count` is the number of events behind it. `runbook` is a URL, or empty.
    """

    fingerprint: str
    rule: str
    severity: Severity
    title: str
    resource: Subject | None
    state: AlertState
    since: datetime
    resolved_at: datetime | None
    count: int
    labels: tuple[tuple[str, str], ...] = ()
    runbook: str = ""


class AlertEngine:
    """Holds every rule against every event, and says what is firing and what was resolved lately.

    What fires depends on the set of events and on the time alone, not on the order of the events or on
    how often each is given: history may be fed before, after and among live events. An alert is one per
    rule and subject; a new episode takes the place of the one before.
    """

    def __init__(self, rules: Sequence[Rule] = DEFAULT_RULES, board: ComponentBoard | None = None) -> None:
        self._watches: tuple[tuple[Rule, Watch], ...] = tuple((rule, rule.watch()) for rule in rules)
        self._board = board
        self._concerned_by: dict[str, tuple[tuple[Rule, Watch], ...]] = {}
        self._episodes: dict[str, tuple[Rule, Episode]] = {}
        self._alerts: tuple[Alert, ...] = ()
        self._firing = 0
        self._next_due: datetime | None = None
        self._drawn_at: datetime | None = None
        self.forgotten = 0
        """Firing alerts given up because a rule follows too many subjects."""

    def apply(self, events: Iterable[Event], now: datetime) -> None:
        """Take in events, live ones and old ones in any order; the board, if there is one, gets them too."""
        by_type: defaultdict[str, list[Event]] = defaultdict(list)
        for event in events:
            by_type[event.event_type].append(event)
        for batch in by_type.values():
            if self._board is not None and is_health_event(batch[0]):
                self._board.apply(batch)
            for rule, watch in self._concerned(batch[0]):
                for subject in {subject for event in batch for subject in watch.observe(event)}:
                    self._drawn_at = None
                    self._renew(rule, subject, watch.episode(subject), now)
        self.tick(now)

    def _concerned(self, event: Event) -> tuple[tuple[Rule, Watch], ...]:
        """The rules that events of this one's type may concern: most types concern none."""
        concerned = self._concerned_by.get(event.event_type)
        if concerned is None:
            if len(self._concerned_by) >= _TYPES_MAX:
                self._concerned_by.clear()
            concerned = tuple(pair for pair in self._watches if _may_concern(pair[0].interest, event))
            self._concerned_by[event.event_type] = concerned
        return concerned

    def tick(self, now: datetime) -> None:
        """Let time pass. The clock may go backwards: alerts are what they were then."""
        if (
            self._drawn_at is not None
            and self._drawn_at <= now
            and (self._next_due is None or now < self._next_due)
        ):
            return
        self._drawn_at = now
        firing: list[Alert] = []
        resolved: list[Alert] = []
        for fingerprint, (rule, episode) in self._episodes.items():
            alert = _alert(fingerprint, rule, episode, now)
            (firing if alert.state == AlertState.FIRING else resolved).append(alert)
        firing.sort(key=lambda alert: (alert.since, alert.fingerprint), reverse=True)
        firing.sort(key=lambda alert: alert.severity.rank, reverse=True)
        resolved.sort(key=lambda alert: (alert.resolved_at or alert.since, alert.fingerprint), reverse=True)
        for alert in resolved[RESOLVED_MAX:]:
            del self._episodes[alert.fingerprint]
        self._alerts = (*firing, *resolved[:RESOLVED_MAX])
        self._firing = len(firing)
        ends = [self._episodes[alert.fingerprint][1].until for alert in firing]
        self._next_due = min((end for end in ends if end is not None), default=None)

    def alerts(self) -> tuple[Alert, ...]:
        """What fires, by severity and then newest first; after it what was resolved, latest first."""
        return self._alerts

    @property
    def firing(self) -> int:
        """How many alerts are firing."""
        return self._firing

    def next_due(self) -> datetime | None:
        """When time alone will change an alert, so that `tick` is worth calling; None when it cannot."""
        return self._next_due

    def _renew(self, rule: Rule, subject: Subject, episode: Episode | None, now: datetime) -> None:
        fingerprint = _fingerprint(rule, subject)
        if episode is not None:
            self._episodes[fingerprint] = (rule, episode)
            return
        known = self._episodes.pop(fingerprint, None)
        if known and _fires(known[1], now):
            self.forgotten += 1


def _may_concern(interest: Node, event: Event) -> bool:
    """Whether a rule with this interest may need events of the type of `event`, whatever else they say."""
    match interest:
        case Compare(Field.TYPE):
            return compile_predicate(interest)(event)
        case And(operands):
            return all(_may_concern(operand, event) for operand in operands)
        case Or(operands):
            return any(_may_concern(operand, event) for operand in operands)
        case _:
            return True


def _fires(episode: Episode, now: datetime) -> bool:
    return episode.until is None or now < episode.until


def _alert(fingerprint: str, rule: Rule, episode: Episode, now: datetime) -> Alert:
    fires = _fires(episode, now)
    return Alert(
        fingerprint=fingerprint,
        rule=rule.name,
        severity=rule.severity,
        title=episode.title,
        resource=episode.resource,
        state=AlertState.FIRING if fires else AlertState.RESOLVED,
        since=episode.since,
        resolved_at=None if fires else episode.until,
        count=episode.count,
    )


def _fingerprint(rule: Rule, subject: Subject) -> str:
    kind, identifier = subject
    # A slash within the type must not make one alert of two.
    place = kind.replace("%", "%25").replace("/", "%2F")
    return f"{rule.name}:{place}" if identifier is None else f"{rule.name}:{place}/{identifier}"

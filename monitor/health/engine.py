"""The alert engine: events and the clock in, alerts out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.health.components import ComponentBoard, Subject, is_health_event, shifted
from monitor.health.grouping import Group, fingerprint, key_name, resource_of, value_text
from monitor.health.rule import Episode, Rule
from monitor.health.title import title
from monitor.health.usual import Usual
from monitor.health.watching import Watched, Watching
from monitor.masking import shown_labels, without_labels
from store.event import Event, Severity

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

    @property
    def shown_labels(self) -> tuple[tuple[str, str], ...]:
        """The labels as they may be shown."""
        return shown_labels(self.labels)

    @property
    def shown_fingerprint(self) -> str:
        """The fingerprint as it may be shown."""
        return without_labels(self.fingerprint, self.labels)


@dataclass(slots=True)
class _Known:
    """What is known of one rule's group, and the alert that was made of it last."""

    rule: Rule
    group: Group
    episodes: Sequence[Episode]
    alert: Alert | None = None


class AlertEngine:
    """Holds every rule against every event, and says what is pending, what is firing and what was resolved lately.

    What fires depends on the set of events and on the time alone, not on the order of the events or on
    how often each is given: history may be fed before, after and among live events. An alert is one per
    rule and group; a new episode takes the place of the one before.
    """

    def __init__(
        self, rules: Sequence[Rule] = (), board: ComponentBoard | None = None, usual: Usual | None = None
    ) -> None:
        self.rules: Mapping[str, Rule] = {rule.name: rule for rule in rules}
        """The rules by name."""
        self._watching = Watching(rules, usual)
        self._board = board
        self._known: dict[str, _Known] = {}
        self._alerts: tuple[Alert, ...] = ()
        self._firing = 0
        self._next_due: datetime | None = None
        self._drawn_at: datetime | None = None
        self._began: datetime | None = None
        self.forgotten = 0
        """Firing alerts given up because a rule follows too many groups."""

    @property
    def forgotten_groups(self) -> int:
        """Groups given up because a rule follows too many, firing or not."""
        return self._watching.forgotten

    def begin(self, moment: datetime, now: datetime) -> None:
        """From `moment` on all events are given; of those before perhaps some, by which nothing can be compared."""
        self._began = moment
        for watched, groups in self._watching.begin(moment):
            self._renew(watched, groups, now)

    def take_over(
        self,
        watching: Watching,
        found: Iterable[tuple[Watched, Iterable[Group]]],
        moment: datetime,
        now: datetime,
    ) -> None:
        """Go on with `watching`, which was given all events from `moment` on and found something of these groups."""
        self._watching, self._began, self._known = watching, moment, {}
        self._drawn_at = None
        for watched, groups in found:
            self._renew(watched, groups, now)
        self.tick(now)

    def usual_is_known(self, now: datetime) -> None:
        """Look anew at what was compared with what is usual, which is known better now."""
        if self._began is not None:
            self.begin(self._began, now)
            self.tick(now)

    def apply(self, events: Iterable[Event], now: datetime) -> None:
        """Take in events, live ones and old ones in any order; the board, if there is one, gets them too."""
        given = tuple(events)
        if self._board is not None and (health := [event for event in given if is_health_event(event)]):
            self._board.apply(health)
        for watched, groups in self._watching.observe(given):
            self._renew(watched, groups, now)
        self.tick(now)

    def tick(self, now: datetime) -> None:
        """Let time pass. The clock may go backwards: alerts are what they were then."""
        if (
            self._drawn_at is not None
            and self._drawn_at <= now
            and (self._next_due is None or now < self._next_due)
        ):
            return
        self._drawn_at = now
        by_state: dict[AlertState, list[Alert]] = {state: [] for state in AlertState}
        due: list[datetime] = []
        for known in self._known.values():
            present = _present(known, now)
            due.extend(_due(known, now))
            if present is not None:
                by_state[present[1]].append(_alert(known, *present))
        firing, pending = by_state[AlertState.FIRING], by_state[AlertState.PENDING]
        resolved = by_state[AlertState.RESOLVED]
        for alerts in (firing, pending):
            alerts.sort(key=lambda alert: (alert.since, alert.fingerprint), reverse=True)
            alerts.sort(key=lambda alert: alert.severity.rank, reverse=True)
        resolved.sort(key=lambda alert: (alert.resolved_at or alert.since, alert.fingerprint), reverse=True)
        for alert in resolved[RESOLVED_MAX:]:
            if not _due(self._known[alert.fingerprint], now):
                del self._known[alert.fingerprint]
        self._alerts = (*firing, *pending, *resolved[:RESOLVED_MAX])
        self._firing = len(firing)
        self._next_due = min(due, default=None)

    def alerts(self) -> tuple[Alert, ...]:
        """What fires, by severity and then newest first; what is pending, likewise; what was resolved, latest first."""
        return self._alerts

    @property
    def firing(self) -> int:
        """How many alerts are firing."""
        return self._firing

    def next_due(self) -> datetime | None:
        """When time alone will change an alert, so that `tick` is worth calling; None when it cannot."""
        return self._next_due

    def _renew(self, watched: Watched, groups: Iterable[Group], now: datetime) -> None:
        rule, watch = watched.rule, watched.watch
        for group in groups:
            name = fingerprint(rule.name, group)
            episodes = watch.episodes(group)
            known = self._known.get(name)
            if known is None and not episodes:
                continue
            if known is not None and known.episodes == episodes:
                continue
            self._drawn_at = None
            if episodes:
                self._known[name] = _Known(rule, group, episodes)
                continue
            known = self._known.pop(name)
            present = _present(known, now)
            if present is not None and present[1] == AlertState.FIRING:
                self.forgotten += 1


def _present(known: _Known, now: datetime) -> tuple[Episode, AlertState] | None:
    """The latest episode that has begun, with its state; None when there is none, or it was too short to fire."""
    hold = known.rule.hold
    for episode in reversed(known.episodes):
        if episode.foreseen and episode.since > now:
            continue
        if episode.until is not None and episode.until <= now:
            return (episode, AlertState.RESOLVED) if fired(known.rule, episode) else None
        is_firing = not hold or now >= shifted(episode.since, hold)
        return episode, AlertState.FIRING if is_firing else AlertState.PENDING
    return None


def fired(rule: Rule, episode: Episode) -> bool:
    """Whether an episode that is over lasted long enough to fire."""
    return not rule.hold or episode.until is None or episode.until - episode.since > rule.hold


def _due(known: _Known, now: datetime) -> list[datetime]:
    """The moments to come at which its state is another."""
    moments: list[datetime] = []
    hold = known.rule.hold
    for episode in known.episodes:
        if episode.foreseen:
            moments.append(episode.since)
        if hold and fired(known.rule, episode):
            moments.append(shifted(episode.since, hold))
        if episode.until is not None:
            moments.append(episode.until)
    return [moment for moment in moments if moment > now]


def alert_of(rule: Rule, group: Group, episode: Episode, state: AlertState) -> Alert:
    """The alert that an episode of one group is."""
    return Alert(
        fingerprint=fingerprint(rule.name, group),
        rule=rule.name,
        severity=rule.severity,
        title=title(rule, group, episode),
        resource=resource_of(rule.group_by, group),
        state=state,
        since=episode.since,
        resolved_at=episode.until if state == AlertState.RESOLVED else None,
        count=episode.count,
        labels=tuple(
            (key_name(key), value_text(value)) for key, value in zip(rule.group_by, group, strict=True)
        ),
        runbook=rule.runbook,
    )


def _alert(known: _Known, episode: Episode, state: AlertState) -> Alert:
    made = known.alert
    if made is None or made.state != state or made.since != episode.since:
        made = known.alert = alert_of(known.rule, known.group, episode, state)
    return made

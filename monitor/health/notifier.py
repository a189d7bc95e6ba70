"""When to tell people of alerts: in groups, not at once, not again and again. Plain Python; the clock is passed in.

After Alertmanager (https://prometheus.io/docs/alerting/latest/configuration/, `group_wait`, `group_interval`,
`repeat_interval`): the first alert of a group is held back for a moment, so that what breaks together is told together;
a change in a group that was told of is told after a longer while; what does not change is repeated after a long one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from monitor.health.engine import Alert, AlertState

GROUPS_MAX = 1000
"""Groups remembered; more are told of together, under one name."""
ALL_OTHERS = "(other rules)"


class Noticed(Protocol):
    """An alert, and whether anyone is to be told of it: it fires, and nobody has taken it on or silenced it."""

    @property
    def episode(self) -> Alert:
        """The alert, with its beginning as all consoles know it."""
        ...

    @property
    def attention(self) -> bool:
        """Whether it fires and nothing mutes it."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the first alert of a group is held back, a change after that, and what does not change."""

    wait: timedelta = timedelta(seconds=10)
    interval: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(hours=4)
    rate: int = 10
    """Notifications within `rate_window`; what is beyond waits."""
    rate_window: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        if min(self.wait, self.interval, self.repeat) < timedelta() or self.rate < 1:
            raise ValueError("times are not negative, and a rate is at least 1")


@dataclass(frozen=True, slots=True)
class Notification:
    """What is to be told now of one group: what fires, worst first, and what was resolved since it was told."""

    group: str
    firing: tuple[Alert, ...]
    resolved: tuple[Alert, ...]
    repeated: int = 0
    """How often it was told before as it is now."""

    @property
    def title(self) -> str:
        """One line of raw event text: the one alert, or how many there are."""
        told = self.firing or self.resolved
        word = "firing" if self.firing else "resolved"
        more = f" and {len(told) - 1} more" if len(told) > 1 else ""
        return f"{word}: {told[0].title}{more}" if told else self.group


@dataclass(slots=True)
class _Group:
    """`due` is when the next change is told; `told` are the alerts that people believe to be firing."""

    due: datetime
    told_at: datetime | None = None
    reminders: int = 0
    told: dict[str, Alert] = field(default_factory=dict[str, Alert])


class Notifier:
    """Says what is to be told, rule by rule. Alerts of one rule are a group.

    Nothing is told of twice, but for what still fires after `Timing.repeat`. A clock that is set back delays nothing
    for longer than the longest of the times.
    """

    def __init__(self, timing: Timing | None = None) -> None:
        self._timing = timing or Timing()
        self._groups: dict[str, _Group] = {}
        self._sent: deque[datetime] = deque()
        self.held = 0
        """Notifications that wait because too many were sent lately."""

    def begin(self, noticed: Iterable[Noticed], now: datetime) -> None:
        """Take for told what fires already: whoever starts to look is not to hear of it as of news."""
        self.told_by_others((one for one in noticed if one.attention), now)

    def told_by_others(self, noticed: Iterable[Noticed], now: datetime) -> None:
        """Take these for told as firing, also where they are over by now: that is news then."""
        for one in noticed:
            group = self._groups[self._group_of(one.episode, now)]
            group.told[one.episode.fingerprint] = one.episode
            group.told_at = now

    def due(self, noticed: Iterable[Noticed], now: datetime) -> list[Notification]:
        """What is to be told now. `noticed` are all alerts, those that were resolved lately among them."""
        firing: dict[str, dict[str, Alert]] = {}
        states: dict[str, Alert] = {}
        for one in noticed:
            alert = one.episode
            states[alert.fingerprint] = alert
            if one.attention:
                firing.setdefault(self._group_of(alert, now), {})[alert.fingerprint] = alert
        found: list[Notification] = []
        self.held = 0
        for name, group in list(self._groups.items()):
            notification = self._due_of(name, group, firing.get(name, {}), states, now)
            if notification is None:
                if not group.told and name not in firing:
                    del self._groups[name]
            elif self._may_send(now):
                found.append(notification)
                self._sent.append(now)
                group.told_at = now
                group.due = now + self._timing.interval
                # What is muted by now stays: it is no news when it is heard again, and its end is.
                told = {each: alert for each, alert in group.told.items() if not self._is_over(alert)}
                group.told = told | {alert.fingerprint: alert for alert in notification.firing}
                group.reminders = notification.repeated
            else:
                self.held += 1
        return found

    def _group_of(self, alert: Alert, now: datetime) -> str:
        name = alert.rule if alert.rule in self._groups or len(self._groups) < GROUPS_MAX else ALL_OTHERS
        if name not in self._groups:
            self._groups[name] = _Group(now + self._timing.wait)
        return name

    def _due_of(
        self, name: str, group: _Group, firing: dict[str, Alert], states: dict[str, Alert], now: datetime
    ) -> Notification | None:
        """What is to be told of a group, if its time has come."""
        # A moment further off than any of the times is one of a clock that was ahead then.
        if group.due > now + max(self._timing.interval, self._timing.wait):
            group.due = now
        if group.told_at is not None and group.told_at > now:
            group.told_at = now
        # An end is kept until it is told, for the engine forgets what is over; what went without one is forgotten.
        group.told = {
            each: states.get(each, alert)
            for each, alert in group.told.items()
            if each in states or self._is_over(alert)
        }
        over = [alert for each, alert in group.told.items() if each not in firing and self._is_over(alert)]
        is_new = any(each not in group.told for each in firing)
        ordered = _worst_first(firing.values())
        if (over or is_new) and now >= group.due:
            return Notification(name, ordered, _worst_first(over))
        if group.told_at is not None and firing and now >= group.told_at + self._timing.repeat:
            return Notification(name, ordered, _worst_first(over), group.reminders + 1)
        return None

    @staticmethod
    def _is_over(alert: Alert | None) -> bool:
        return alert is not None and alert.state is AlertState.RESOLVED

    def _may_send(self, now: datetime) -> bool:
        while self._sent and not now - self._timing.rate_window < self._sent[0] <= now:
            self._sent.popleft()
        return len(self._sent) < self._timing.rate


def _worst_first(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    ordered: Sequence[Alert] = sorted(
        alerts, key=lambda alert: (alert.since, alert.fingerprint), reverse=True
    )
    return tuple(sorted(ordered, key=lambda alert: alert.severity.rank, reverse=True))

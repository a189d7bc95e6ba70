"""The alert rules. A rule is frozen data; its watch remembers what the rule needs of the events it saw.

A watch knows no clock: it says from when to when an alert holds, by event time, so that events give the
same alerts in whatever order and however often they arrive.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from monitor.health.components import (
    HEALTH_SUFFIX,
    SUBJECTS_MAX,
    Histories,
    SortKey,
    State,
    Subject,
    component_of,
    is_health_event,
    shifted,
    state_of,
)
from store.event import Event, Severity
from store.query.syntax import Compare, Field, Node, Op, Or

FAILED, EXECUTED = "job.failed", "job.executed"
COUNTED_MAX = 1000
"""Events a `CountWatch` keeps one by one; the episode they are part of is remembered beyond them."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A time during which an alert holds: from `since` to before `until`; None is no end in sight.

    `until` may be in the future: then the alert ends by itself unless more events come.
    `count` is the number of events behind it. `title` is raw event text.
    """

    title: str
    resource: Subject | None
    since: datetime
    until: datetime | None
    count: int


class Watch(Protocol):
    """What one rule has seen."""

    def observe(self, event: Event) -> tuple[Subject, ...]:
        """Take in any event; return the subjects whose `episode` may be another now."""
        ...

    def episode(self, subject: Subject) -> Episode | None:
        """The latest episode of `subject`; None when there was none or it is forgotten."""
        ...


class Rule(Protocol):
    """When to raise an alert."""

    @property
    def name(self) -> str:
        """Short, unique, stable: it is part of the fingerprint of its alerts."""
        ...

    @property
    def severity(self) -> Severity:
        """How bad its alerts are."""
        ...

    @property
    def interest(self) -> Node:
        """The query that selects the events the rule needs, and perhaps more."""
        ...

    @property
    def lookback(self) -> timedelta | None:
        """How far back events are worth reading at start; None for all there are."""
        ...

    def watch(self) -> Watch:
        """A new watch, which has seen nothing."""
        ...


def _of_type(event_type: str) -> Node:
    return Compare(Field.TYPE, Op.EQ, event_type)


@dataclass(frozen=True, slots=True)
class ComponentDown:
    """Fires for each component that is down, from its first such event; ends when it is up or degraded.

    An event that tells no state ends nothing: a doubtful recovery must not hide an outage.
    """

    name: str = "component-down"
    severity: Severity = Severity.ERROR
    interest: Node = field(default=Compare(Field.TYPE, Op.GLOB, f"*{HEALTH_SUFFIX}"))
    lookback: timedelta | None = timedelta(days=30)
    limit: int = SUBJECTS_MAX

    def watch(self) -> Watch:
        """A new watch over all components."""
        return _ComponentWatch(self.limit)


class _StateWatch(ABC):
    """A watch whose alerts hold while a subject is down."""

    def __init__(self, limit: int) -> None:
        self._histories = Histories(limit)

    def observe(self, event: Event) -> tuple[Subject, ...]:
        sighting = self.sighting(event)
        if sighting is None:
            return ()
        subject, state = sighting
        return self._histories.observe(subject, event.sort_key, state)

    def episode(self, subject: Subject) -> Episode | None:
        history = self._histories.get(subject)
        run = history.latest_run(State.DOWN) if history else None
        if run is None:
            return None
        return Episode(self.title(subject), self.resource(subject), run.since, run.until, run.count)

    @abstractmethod
    def sighting(self, event: Event) -> tuple[Subject, State] | None: ...

    @abstractmethod
    def title(self, subject: Subject) -> str: ...

    def resource(self, subject: Subject) -> Subject | None:
        return subject


class _ComponentWatch(_StateWatch):
    def sighting(self, event: Event) -> tuple[Subject, State] | None:
        if not is_health_event(event) or (state := state_of(event)) == State.UNKNOWN:
            return None
        return component_of(event), state

    def title(self, subject: Subject) -> str:
        return f"{_written(subject)} is down"


@dataclass(frozen=True, slots=True)
class JobFailed:
    """Fires for each job that failed, from the first failure since it last worked; ends when it works again.

    A job is the event's resource, else its actor's id, else all jobs without a name are one. A
    `job.executed` whose own status or severity says that it went wrong ends nothing.
    """

    name: str = "job-failed"
    severity: Severity = Severity.ERROR
    interest: Node = field(default=Or((_of_type(FAILED), _of_type(EXECUTED))))
    lookback: timedelta | None = timedelta(days=30)
    limit: int = SUBJECTS_MAX

    def watch(self) -> Watch:
        """A new watch over all jobs."""
        return _JobWatch(self.limit)


_BY_ACTOR = ""
"""Stands where the resource type would: the job is known by its actor only. No resource type is empty."""


class _JobWatch(_StateWatch):
    def sighting(self, event: Event) -> tuple[Subject, State] | None:
        if event.event_type == FAILED:
            return self._job(event), State.DOWN
        if event.event_type == EXECUTED and state_of(event) != State.DOWN:
            return self._job(event), State.UP
        return None

    @staticmethod
    def _job(event: Event) -> Subject:
        if event.resource_type is not None or event.resource_id is not None:
            return event.resource_type or "job", event.resource_id
        return _BY_ACTOR, event.actor_id

    def title(self, subject: Subject) -> str:
        kind, identifier = subject
        job = identifier if identifier is not None and kind in {"job", _BY_ACTOR} else _written(subject)
        return f"job {job} failed" if job else "a job failed"

    def resource(self, subject: Subject) -> Subject | None:
        return None if subject[0] == _BY_ACTOR else subject


@dataclass(frozen=True, slots=True)
class TooMany:
    """Fires when `threshold` events of one type fall within `window`, from the one that makes them too many.

    Ends when fewer are left within the window. Events count by their own time; ones dated in the future
    count at once, since a producer's clock that runs ahead is likelier than an early event.
    """

    name: str
    title: str
    event_type: str
    threshold: int
    window: timedelta
    severity: Severity = Severity.ERROR
    lookback: timedelta | None = timedelta(hours=1)

    def __post_init__(self) -> None:
        if self.threshold < 1 or self.window <= timedelta():
            raise ValueError("a threshold of at least 1 and a window of some length are needed")

    @property
    def interest(self) -> Node:
        """All events of the type."""
        return _of_type(self.event_type)

    def watch(self) -> Watch:
        """A new watch over the one type."""
        return CountWatch(self)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """An episode while it is worked out. Its events are `before` forgotten ones and those from index `first` on."""

    since: datetime
    until: datetime
    first: int
    before: int


class CountWatch:
    """Watches one event type for `TooMany`. Its one subject is the type.

    Exact for the newest events, at least half of `kept`. Of those before, it remembers the last episode,
    so that an alert keeps its `since` however long it lasts; later news of that time is ignored.
    """

    def __init__(self, rule: TooMany, kept: int = COUNTED_MAX) -> None:
        self._rule = rule
        self._kept = max(kept, 4 * rule.threshold)
        self._keys: list[SortKey] = []
        self._forgotten_to: SortKey | None = None
        self._earlier: _Stretch | None = None

    def observe(self, event: Event) -> tuple[Subject, ...]:
        """Take in any event; the type is the subject that changes."""
        if event.event_type != self._rule.event_type:
            return ()
        key = event.sort_key
        if self._forgotten_to is not None and key <= self._forgotten_to:
            return ()
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            return ()
        self._keys.insert(place, key)
        if len(self._keys) > self._kept:
            self._forget(self._kept // 2)
        return ((self._rule.event_type, None),)

    def episode(self, subject: Subject) -> Episode | None:
        """The last time that there were too many."""
        stretch = self._latest(len(self._keys))
        if stretch is None:
            return None
        count = stretch.before + self._index_at(stretch.until) - stretch.first
        return Episode(self._rule.title, None, stretch.since, stretch.until, count)

    def _latest(self, end: int) -> _Stretch | None:
        """The last stretch that the events before index `end` make.

        The event at `i` is one too many when it and the `threshold - 1` before it fall within the window; that
        holds until the first of them leaves it. Such times join into a stretch when the next begins by then.
        """
        keys, back, window = self._keys, self._rule.threshold - 1, self._rule.window
        last = end - 1
        while last >= back and keys[last][0] - keys[last - back][0] >= window:
            last -= 1
        if last < back:
            return self._earlier
        until = shifted(keys[last - back][0], window)
        onset = last
        for i in range(last - 1, back - 1, -1):
            if keys[onset][0] - keys[i - back][0] > window:
                break
            if keys[i][0] - keys[i - back][0] < window:
                onset = i
        else:
            earlier = self._earlier
            if earlier and earlier.until >= keys[onset][0]:
                return _Stretch(earlier.since, until, earlier.first, earlier.before)
        return _Stretch(keys[onset][0], until, onset - back, 0)

    def _forget(self, cut: int) -> None:
        """Forget the events before index `cut`, but for the last stretch that they have a part in."""
        stretch = self._latest(cut + self._rule.threshold - 1)
        if stretch:
            gone = min(cut, self._index_at(stretch.until)) - stretch.first
            stretch = _Stretch(stretch.since, stretch.until, 0, stretch.before + gone)
        self._earlier = stretch
        self._forgotten_to = self._keys[cut - 1]
        del self._keys[:cut]

    def _index_at(self, moment: datetime) -> int:
        return bisect_left(self._keys, (moment, -1))


def _written(subject: Subject) -> str:
    kind, identifier = subject
    return kind if identifier is None else f"{kind}/{identifier}"


DEFAULT_RULES: tuple[Rule, ...] = (
    ComponentDown(),
    JobFailed(),
    TooMany(
        name="downloads-failing",
        title="downloads are failing",
        event_type="download.failed",
        threshold=5,
        window=timedelta(minutes=5),
    ),
)
"""The rules of a console that was told no others."""

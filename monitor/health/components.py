"""The state of each component, from the events that report it, in whatever order they come."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from monitor.health.reports import (
    HEALTH_SUFFIX,
    State,
    Subject,
    component_of,
    is_health_event,
    state_of,
)
from store.event import Event

__all__ = (
    "FLAP_WINDOW",
    "HEALTH_SUFFIX",
    "OBSERVATIONS_MAX",
    "SUBJECTS_MAX",
    "Component",
    "ComponentBoard",
    "Histories",
    "Run",
    "SortKey",
    "State",
    "StateHistory",
    "Subject",
    "component_of",
    "is_health_event",
    "shifted",
    "state_of",
)

SUBJECTS_MAX = 1000
"""Components, or jobs, remembered at a time."""
OBSERVATIONS_MAX = 64
"""Observations of one subject kept one by one; what is older is kept as one summary."""
FLAP_WINDOW = timedelta(hours=1)

SortKey = tuple[datetime, int]
"""`Event.sort_key`."""


def shifted(moment: datetime, by: timedelta) -> datetime:
    """`moment + by`, held within what a datetime can express: events may claim any time."""
    try:
        return moment + by
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC) if by > timedelta() else datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Run:
    """A time during which a subject stayed in one state; `until` is None while it lasts."""

    state: State
    since: datetime
    until: datetime | None
    count: int


@dataclass(slots=True)
class _Earlier:
    """The last run among the observations that are no longer kept one by one."""

    state: State
    first: SortKey
    last: SortKey
    count: int = 1
    interrupted: bool = False
    """Another state is known before `first`, so that nothing older can lengthen the run."""


class StateHistory:
    """The states one subject was seen in, ordered by event time whatever order they arrive in.

    Exact for the newest `OBSERVATIONS_MAX` observations. Of older ones it keeps the last run, so that
    "down since" survives any number of repetitions; events that arrive later than that count as far as known.
    """

    __slots__ = ("_earlier", "_keys", "_states")

    def __init__(self) -> None:
        self._keys: list[SortKey] = []
        self._states: list[State] = []
        self._earlier: _Earlier | None = None

    def observe(self, key: SortKey, state: State) -> bool:
        """Take in one observation; False for one that is known already."""
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            return False
        self._keys.insert(place, key)
        self._states.insert(place, state)
        if len(self._keys) > OBSERVATIONS_MAX:
            self._summarise(self._keys.pop(0), self._states.pop(0))
        return True

    def _summarise(self, key: SortKey, state: State) -> None:
        earlier = self._earlier
        if earlier is None:
            self._earlier = _Earlier(state, key, key)
        elif key > earlier.last:
            if state == earlier.state:
                earlier.last = key
                earlier.count += 1
            else:
                self._earlier = _Earlier(state, key, key, interrupted=True)
        elif key < earlier.first and not earlier.interrupted:
            if state == earlier.state:
                earlier.first = key
                earlier.count += 1
            else:
                earlier.interrupted = True

    def is_continued_by(self, key: SortKey, state: State) -> bool:
        """Whether an observation is the newest and says what the one before said."""
        return key > self._keys[-1] and state == self._states[-1]

    def observations(self) -> Iterator[tuple[SortKey, State]]:
        """What is kept, oldest first; of the summary, its beginning."""
        if self._earlier:
            yield self._earlier.first, self._earlier.state
        yield from zip(self._keys, self._states, strict=True)

    @property
    def state(self) -> State:
        """The present state: the newest observation's."""
        return self._states[-1]

    @property
    def last_seen(self) -> datetime:
        """The time of the newest observation."""
        return self._keys[-1][0]

    def runs_of(self, state: State) -> list[Run]:
        """All known runs of `state`, oldest first."""
        runs: list[Run] = []
        until: datetime | None = None
        for run in self._runs():
            if run.state == state:
                runs.append(Run(state, run.since, until, run.count))
            until = run.since
        return runs[::-1]

    def present_run(self) -> Run:
        """The run that lasts now."""
        return next(self._runs())

    def changes_since(self, moment: datetime) -> int:
        """How often the state changed after `moment`."""
        changes = 0
        newer: datetime | None = None
        for run in self._runs():
            if newer is not None and newer > moment:
                changes += 1
            newer = run.since
            if newer <= moment:
                break
        return changes

    def _runs(self) -> Iterator[Run]:
        """All known runs, newest first, each as if it lasted still."""
        states, keys = self._states, self._keys
        end = len(states)
        while end:
            start = end - 1
            while start and states[start - 1] == states[end - 1]:
                start -= 1
            earlier = self._earlier
            if start == 0 and earlier and earlier.state == states[0]:
                yield Run(states[0], earlier.first[0], None, earlier.count + end)
                return
            yield Run(states[start], keys[start][0], None, end - start)
            end = start
        if self._earlier:
            yield Run(self._earlier.state, self._earlier.first[0], None, self._earlier.count)


Owner = TypeVar("Owner", bound=Hashable)


class Histories(Generic[Owner]):
    """State histories by what they are of, at most `limit` of them.

    When full, the subject that was touched longest ago is forgotten, one that is up before any other:
    what is broken must not be pushed out by what is well. `forgotten` counts them.
    """

    def __init__(self, limit: int = SUBJECTS_MAX) -> None:
        self._limit = limit
        self._well: dict[Owner, StateHistory] = {}
        self._unwell: dict[Owner, StateHistory] = {}
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._well) + len(self._unwell)

    def __iter__(self) -> Iterator[tuple[Owner, StateHistory]]:
        yield from self._unwell.items()
        yield from self._well.items()

    def get(self, subject: Owner) -> StateHistory | None:
        """The history of `subject`, unless it was never seen or is forgotten."""
        return self._unwell.get(subject) or self._well.get(subject)

    def observe(self, subject: Owner, key: SortKey, state: State) -> tuple[Owner, ...]:
        """Take in one observation; return the subjects whose history is another now, forgotten ones included."""
        history = self._unwell.pop(subject, None) or self._well.pop(subject, None) or StateHistory()
        changed = history.observe(key, state)
        # A dict keeps the order of insertion: taken out and put back, the subject is the newest touched.
        (self._well if history.state == State.UP else self._unwell)[subject] = history
        if len(self) > self._limit:
            group = self._well or self._unwell
            oldest = next(iter(group))
            del group[oldest]
            self.forgotten += 1
            return (subject, oldest)
        return (subject,) if changed else ()


@dataclass(frozen=True, slots=True)
class Component:
    """One component at one moment. `kind` and `identifier` are raw event text."""

    kind: str
    identifier: str | None
    state: State
    since: datetime
    last_seen: datetime
    flaps: int

    @property
    def name(self) -> str:
        """As operators write it: `client/qbt`, or `indexer` when the events name no resource id."""
        return self.kind if self.identifier is None else f"{self.kind}/{self.identifier}"


class ComponentBoard:
    """All components, as far as their events are known."""

    def __init__(self, limit: int = SUBJECTS_MAX) -> None:
        self._histories: Histories[Subject] = Histories(limit)

    @property
    def forgotten(self) -> int:
        """How many components were dropped because there are too many."""
        return self._histories.forgotten

    def apply(self, events: Iterable[Event]) -> bool:
        """Take in events, of which only health events count; say whether anything changed."""
        changed = False
        for event in events:
            if is_health_event(event):
                touched = self._histories.observe(component_of(event), event.sort_key, state_of(event))
                changed = changed or bool(touched)
        return changed

    def observations(self) -> Iterator[tuple[Subject, SortKey, State]]:
        """All that is known of all components, for who begins to look at them."""
        for subject, history in self._histories:
            for key, state in history.observations():
                yield subject, key, state

    def components(self, now: datetime | None = None) -> tuple[Component, ...]:
        """The components, worst first, then by name.

        `flaps` counts state changes within `FLAP_WINDOW` before `now`, or before the newest event of all.
        """
        if now is None:
            now = max(
                (history.last_seen for _, history in self._histories),
                default=datetime.min.replace(tzinfo=UTC),
            )
        components = [_component(subject, history, now) for subject, history in self._histories]
        return tuple(sorted(components, key=lambda component: (component.state.rank, component.name)))


def _component(subject: Subject, history: StateHistory, now: datetime) -> Component:
    run = history.present_run()
    flaps = history.changes_since(shifted(now, -FLAP_WINDOW))
    return Component(*subject, run.state, run.since, history.last_seen, flaps)

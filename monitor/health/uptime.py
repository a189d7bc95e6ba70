"""How each component was over the last day and the last 30 days, from its health events in whatever order they come."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from monitor.health.components import SUBJECTS_MAX, SortKey
from monitor.health.reports import State, Subject, component_of, is_health_event, state_of
from monitor.zone import lasted
from store.event import Event

DAY, MONTH = timedelta(days=1), timedelta(days=30)
CELLS = 96
"""Slices of the last day: a quarter of an hour each."""
CELL_SIGNS = {State.UP: "▁", State.DEGRADED: "▄", State.DOWN: "▇", State.UNKNOWN: " "}
"""The worse, the higher: what a strip says without colours. Strips of adjacent lines stay apart."""
OBSERVATIONS_MAX = 500
"""Observations of one component that are kept."""
_KEPT_ONE_BY_ONE = OBSERVATIONS_MAX // 2
_CUT = OBSERVATIONS_MAX // 10
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_DAY, _MONTH = DAY // _MICROSECOND, MONTH // _MICROSECOND
_CELL = _DAY // CELLS
_WHOLE = 0.99
"""The share of a span from which on it counts as known."""
_BY_RANK = (State.DOWN, State.DEGRADED, State.UP, State.UNKNOWN)
_KNOWN_RANK = {state: rank for rank, state in enumerate(_BY_RANK)}


def worst(states: Iterable[State]) -> State:
    """The worst of what is known; unknown when nothing is."""
    return min(states, key=_KNOWN_RANK.__getitem__, default=State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Uptime:
    """How long a component was seen to be up or degraded (`working`) of the time that is `known` of a span; seconds."""

    working: float
    known: float
    span: timedelta

    @property
    def share(self) -> float | None:
        """From 0 to 1; None when nothing is known."""
        return self.working / self.known if self.known > 0 else None

    @property
    def is_whole(self) -> bool:
        """Whether nearly all of the span is known."""
        return self.known >= _WHOLE * self.span.total_seconds()

    def __str__(self) -> str:
        """`99.98 %`, `99.98 % of 6 d` when no more is known, `–`. It is 100 % only when nothing was down."""
        share = self.share
        if share is None:
            return "–"
        hundredths = math.floor(share * 10_000)
        text = f"{share:.0%}".replace("%", " %") if share in {0.0, 1.0} else f"{hundredths / 100:.2f} %"
        return text if self.is_whole else f"{text} of {lasted(int(self.known))}"


@dataclass(frozen=True, slots=True)
class ComponentHealth:
    """One component at one moment. `kind` and `identifier` are raw event text.

    `since` is when its state began, as far as is known, and `previous` the state before; None when no other is known.
    `flaps` are the changes of the last day, `strip` its `CELLS` slices, oldest first: the worst that is known of each.
    """

    kind: str
    identifier: str | None
    state: State
    since: datetime
    previous: State | None
    day: Uptime
    month: Uptime
    flaps: int
    strip: tuple[State, ...]

    @property
    def name(self) -> str:
        """As operators write it: `client/qbt`, or `indexer` when the events name no resource id."""
        return self.kind if self.identifier is None else f"{self.kind}/{self.identifier}"


@dataclass(frozen=True, slots=True)
class ComponentGroup:
    """The components of one resource type, worst first."""

    kind: str
    components: tuple[ComponentHealth, ...]


def grouped(components: Iterable[ComponentHealth]) -> tuple[ComponentGroup, ...]:
    """Components by their resource type; worst first within and among the groups, then by name."""
    by_kind = groupby(
        sorted(components, key=lambda one: (one.kind, one.state.rank, one.name)), key=lambda one: one.kind
    )
    groups = [ComponentGroup(kind, tuple(members)) for kind, members in by_kind]
    return tuple(sorted(groups, key=lambda group: (group.components[0].state.rank, group.kind)))


def coarser(strip: Sequence[State], cells: int) -> tuple[State, ...]:
    """A strip in fewer cells, of which each is the worst of those that it stands for."""
    step = len(strip) // cells
    return tuple(worst(strip[start : start + step]) for start in range(0, step * cells, step))


_Key = tuple[int, int]
"""`Event.sort_key`, with the moment in microseconds since 1970."""


class _Track:
    """What was observed of one component, by time.

    Exact up to `OBSERVATIONS_MAX`, whatever the order. Beyond that, of the older half only changes are kept, and then
    the oldest are given up: what came before them is not known.
    """

    __slots__ = ("_floor", "_keys", "_states")

    def __init__(self) -> None:
        self._keys: list[_Key] = []
        self._states: list[State] = []
        self._floor: _Key | None = None

    def observe(self, key: _Key, state: State) -> bool:
        """Take in one observation; False for one that is known, or too old."""
        if self._floor is not None and key <= self._floor:
            return False
        place = bisect_left(self._keys, key)
        if place < len(self._keys) and self._keys[place] == key:
            return False
        self._keys.insert(place, key)
        self._states.insert(place, state)
        if len(self._keys) > OBSERVATIONS_MAX:
            self._thin()
        return True

    def _thin(self) -> None:
        keys, states = self._keys, self._states
        older = len(keys) - _KEPT_ONE_BY_ONE
        kept = [place for place in range(older) if place == 0 or states[place] != states[place - 1]]
        if older - len(kept) >= _CUT:
            keys[:older] = [keys[place] for place in kept]
            states[:older] = [states[place] for place in kept]
        else:
            self._floor = keys[_CUT - 1]
            del keys[:_CUT], states[:_CUT]

    @property
    def state(self) -> State:
        return self._states[-1]

    @property
    def newest(self) -> _Key:
        return self._keys[-1]

    def runs(self) -> Iterator[tuple[State, int]]:
        """Each time that it stayed in one state, and when that began; newest first."""
        end = len(self._keys)
        while end:
            start = end - 1
            while start and self._states[start - 1] == self._states[end - 1]:
                start -= 1
            yield self._states[start], self._keys[start][0]
            end = start


class HealthRecord:
    """The components and how they were, as far as their events of the last 30 days, and the ones before, were given.

    Events may come in any order and more than once. When there are too many components, those that are up and were
    heard of longest ago are forgotten; `forgotten` counts them.
    """

    def __init__(self, limit: int = SUBJECTS_MAX) -> None:
        self._limit = limit
        self._tracks: dict[Subject, _Track] = {}
        self.forgotten = 0

    def apply(self, events: Iterable[Event]) -> bool:
        """Take in events, of which only those that report health count; whether anything changed."""
        changed = False
        for event in events:
            if is_health_event(event):
                changed |= self.observe(component_of(event), event.sort_key, state_of(event))
        return changed

    def observe(self, subject: Subject, key: SortKey, state: State) -> bool:
        """Take in one observation; whether it was new."""
        track = self._tracks.get(subject)
        if track is None:
            track = self._tracks[subject] = _Track()
        changed = track.observe((_microseconds(key[0]), key[1]), state)
        # In one go for many, since each means looking at all.
        if len(self._tracks) > self._limit + self._limit // 10:
            self._forget()
        return changed

    def _forget(self) -> None:
        kept = sorted(
            self._tracks.items(), key=lambda item: (item[1].state != State.UP, item[1].newest), reverse=True
        )
        self.forgotten += len(kept) - self._limit
        self._tracks = dict(kept[: self._limit])

    def components(self, now: datetime) -> tuple[ComponentHealth, ...]:
        """The components as they are at `now`, in no order."""
        return tuple(_health(subject, track, _microseconds(now)) for subject, track in self._tracks.items())


def _health(subject: Subject, track: _Track, now: int) -> ComponentHealth:
    # Slices begin at fixed times, so that the strip stands still while time goes on.
    strip_from = -(-now // _CELL) * _CELL - CELLS * _CELL
    ranks = [_KNOWN_RANK[State.UNKNOWN]] * CELLS
    day, month = _Sum(now - _DAY), _Sum(now - _MONTH)
    newest: list[tuple[State, int]] = []
    flaps, until, changed_at = 0, now, None
    for state, began in track.runs():
        if changed_at is not None:
            # Of the oldest run that is known, the beginning is no change.
            flaps += now - _DAY < changed_at <= now
        changed_at = began
        if len(newest) < 2:
            newest.append((state, began))
        elif until <= now - _MONTH:
            break
        if began < until:
            if state != State.UNKNOWN:
                day.add(state, began, until)
                month.add(state, began, until)
                rank = _KNOWN_RANK[state]
                for place in range(max(0, (began - strip_from) // _CELL), -((strip_from - until) // _CELL)):
                    # As `worst` has it, which would cost as much as all the rest.
                    if rank < ranks[place]:
                        ranks[place] = rank
            until = began
    state, since = newest[0]
    return ComponentHealth(
        *subject,
        state,
        _EPOCH + since * _MICROSECOND,
        newest[1][0] if len(newest) > 1 else None,
        day.uptime(DAY),
        month.uptime(MONTH),
        flaps,
        tuple([_BY_RANK[rank] for rank in ranks]),
    )


class _Sum:
    """How long a component was seen, and was not down, from a moment on; microseconds."""

    __slots__ = ("_begins", "_known", "_working")

    def __init__(self, begins: int) -> None:
        self._begins = begins
        self._known = self._working = 0

    def add(self, state: State, began: int, until: int) -> None:
        lasted_for = max(0, until - max(began, self._begins))
        self._known += lasted_for
        if state != State.DOWN:
            self._working += lasted_for

    def uptime(self, span: timedelta) -> Uptime:
        return Uptime(self._working / 1e6, self._known / 1e6, span)


def _microseconds(moment: datetime) -> int:
    """Since 1970, exact."""
    return (moment - _EPOCH) // _MICROSECOND

"""Everything the console knows, brought up to date by what the feed hands on. One owner, no screen."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from monitor.health.alerting import Alerting
from monitor.health.components import ComponentBoard
from monitor.health.rule import Rule
from monitor.health.usual import UsualRates
from monitor.model.arrivals import Arrivals, FeedStatus, Refusal, Tally
from monitor.model.counts import MinuteCounts
from monitor.model.facets import FacetCounts
from monitor.model.gaps import Gap
from monitor.model.histogram import HistogramCounts
from monitor.model.marks import Marks
from monitor.model.rates import RateMeter
from monitor.model.seen import Seen
from monitor.model.skew import ClockSkew
from monitor.model.timeline import CAPACITY, WHOLE, Timeline
from store.query.syntax import Node

LATE_AFTER = timedelta(seconds=10)
REFUSALS_KEPT = 100
_inserted_at = attrgetter("inserted_at")


class ConsoleModel:
    """Timeline, counts, facets, histogram, rate, components and alerts.

    `now` is the wall clock, `tick` seconds of a monotonic one; both are passed in. `rules` say what is an alert.
    """

    def __init__(self, capacity: int = CAPACITY, rules: Sequence[Rule] = ()) -> None:
        self.timeline = Timeline(capacity, WHOLE if capacity > CAPACITY else None)
        self.counts = MinuteCounts()
        seen = Seen(self.counts, self.timeline)
        self.facets = FacetCounts(seen)
        self.histogram = HistogramCounts(seen)
        self.rate = RateMeter()
        self.board = ComponentBoard()
        self._usual = UsualRates()
        self.alerts = Alerting(rules, self.board, self._usual)
        self.marks = Marks()
        self.status = FeedStatus()
        self.tally = Tally()
        self.opened = False
        self.newest_at: datetime | None = None
        """`inserted_at` of the latest event."""
        self._newest_age = self._newest_tick = 0.0
        self.skew = ClockSkew()
        self.late = 0
        """Events that arrived after ones that happened `LATE_AFTER` later."""
        self.refusals: deque[tuple[datetime, Refusal]] = deque(maxlen=REFUSALS_KEPT)
        """The last messages that were no events, and when they came."""
        self.lag: float | None = None
        """Seconds from the newest event of the last live batch to its arrival."""
        self._gaps: OrderedDict[int, Gap] = OrderedDict()

    def watch_by(self, rules: Sequence[Rule]) -> None:
        """Hold these rules against what comes, before anything has come."""
        self.alerts = Alerting(rules, self.board, self._usual)

    def learn_usual(self, counts: Mapping[Node, Mapping[int, float]], now: datetime) -> None:
        """Take in what is usual, as counts by slot of the queries that rules asked for."""
        for query, by_slot in counts.items():
            self._usual.learn(query, by_slot)
        self.alerts.usual_is_known(now)

    def newest_age(self, tick: float) -> float | None:
        """Seconds since the latest event happened. It goes on evenly, also when the wall clock is set meanwhile."""
        return None if self.newest_at is None else self._newest_age + max(0.0, tick - self._newest_tick)

    def _note_newest(self, newest: datetime, now: datetime, tick: float) -> None:
        self.newest_at = newest
        self._newest_age = max(0.0, (now - newest).total_seconds())
        self._newest_tick = tick

    @property
    def gaps(self) -> list[Gap]:
        """The latest gaps, as they were told last."""
        return list(self._gaps.values())

    @property
    def open_gaps(self) -> int:
        """Gaps that may still hide events. What was left to the store is told by its row."""
        return sum(gap.is_open for gap in self._gaps.values())

    def forget(self) -> None:
        """Let go of what is kept besides the window: bookmarks, and messages that were refused."""
        self.marks.clear()
        self.refusals.clear()

    def apply(self, arrivals: Arrivals, now: datetime, tick: float) -> None:
        """Take in one frame."""
        self.status = arrivals.status
        self.tally = arrivals.tally
        if arrivals.opening is not None:
            opening = arrivals.opening
            self.timeline.open_with(opening.newest, has_older=opening.has_older)
            self.counts.seed(opening.rollups, now)
            self.facets.reopen()
            self.histogram.reopen()
            past = (*opening.history, *opening.newest)
            begins = min((event.inserted_at for event in opening.newest), default=now)
            self.alerts.open(past, begins if opening.has_older else None, now)
            if opening.newest:
                self._note_newest(min(now, max(event.inserted_at for event in opening.newest)), now, tick)
            self.opened = True
        self.refusals.extend((now, refusal) for refusal in arrivals.refusals)
        self.skew.heard(arrivals.heard, now, tick)
        self.timeline.unconfirmed |= arrivals.unconfirmed
        if arrivals.events:
            if self.newest_at is not None:
                late = self.newest_at - LATE_AFTER
                self.late += sum(event.inserted_at < late for event in arrivals.events)
            self.timeline.add(arrivals.events)
            self.counts.add(arrivals.events, now)
            self.facets.add(arrivals.events, now)
            self.histogram.add(arrivals.events, now)
            newest = max(map(_inserted_at, arrivals.events))
            # A producer whose clock runs ahead must not make a dead stream look alive.
            newest = min(newest, now)
            # What was noted may be in the future of a clock that was set back: now is as late as can be told.
            latest = newest if self.newest_at is None else max(newest, min(self.newest_at, now))
            if latest != self.newest_at:
                self._note_newest(latest, now, tick)
            self.lag = (now - newest).total_seconds()
        self.alerts.apply(arrivals.events, now)
        self.rate.add(len(arrivals.events), tick)
        if arrivals.confirmed or arrivals.missing:
            self.timeline.confirm(arrivals.confirmed, arrivals.missing)
        for correction in arrivals.corrections:
            self.timeline.correct(correction.key, correction.event)
        for gap in arrivals.gaps:
            self._gaps[gap.number] = gap
            if len(self._gaps) > 1000:
                self._gaps.popitem(last=False)
            self.timeline.show_gap(gap)

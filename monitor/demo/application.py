"""The simulated application: what happens next, how fast, and what happened before."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from random import Random
from typing import Unpack

from monitor.demo.jobs import SCHEDULES
from monitor.demo.stamped_records import StampedRecords
from monitor.demo.story import CYCLE, QUIET, Action, Story
from monitor.demo.traffic import Traffic
from monitor.demo.world import World
from store.event import Event
from store.recording import EventFields, Records

USUAL_RATE = 5.0
"""Events a second at which the story fills two minutes. Below it the whole world goes slower, so that
jobs and incidents keep their share of the events; above it there is more traffic around the same story."""
TURN_STEPS = 100
"""Steps after which `run` sleeps, however much is overdue: a stop is noticed, and the recorder keeps up."""
SLEEP_MIN = 0.005
"""Seconds that `run` sleeps at least: at a high rate, what is due by then is done in one go."""
SLEEP_MAX = 0.25
"""Seconds after which a sleeping `run` looks at `stop` again."""
LAG_MAX = 5.0
"""Seconds of delay that are caught up with. A longer one, a suspended laptop say, is skipped."""
HISTORY_RATE = 5000 / (6 * 3600)
"""Events a second of the simulated past."""
_HISTORY_SEED = 1 << 32
"""Keeps the past's random numbers, and so its download ids, apart from the present's."""
POLL_INTERVAL = 1.0
"""Seconds between two passes of the download monitor."""
QUIET_SHARE = 0.15
"""Traffic in the quiet minute, relative to the average."""


class SimulatedApplication:
    """A media application, its users and its troubles, all decided by `seed`.

    `rate` is in events a second, on average. The same seed, rate and calls give the same sequence of events;
    with `start`, which must be aware, their times are the same too, else they are the time of day.

    Raises:
        ValueError: `rate` is not a number above 0, or `start` is naive.
    """

    def __init__(self, recorder: Records, *, seed: int, rate: float, start: datetime | None = None) -> None:
        if not 0 < rate < math.inf:
            raise ValueError(f"rate must be a number above 0, not {rate}")
        if start is not None and start.tzinfo is None:
            raise ValueError("start must have a time zone")
        self._start = start
        self._random = Random(seed)
        self._records = StampedRecords(recorder, self._now)
        self.world = World.build(self._records, self._random)
        self._traffic = Traffic(self.world)
        self._story = Story(self.world)
        # Both in world time, which runs slower than time does when there are few events.
        self._pace = min(1.0, rate / USUAL_RATE)
        self._world_rate = rate / self._pace
        self._mean_rhythm: float | None = None
        self._agenda: list[tuple[float, int, Action]] = []
        self._entries = 0
        self._begin(0.0)

    def step(self) -> list[Event]:
        """Do what is due next, without waiting for its time; returns the events made, none perhaps."""
        at, action = self._traffic_at, self._traffic.act
        scheduled = self._agenda[0][0] <= at
        if scheduled:
            at, _, action = heappop(self._agenda)
        self._elapsed = max(self._elapsed, at)
        action()
        events = self._records.take()
        # What is scheduled takes its place from the everyday traffic, so that the average holds.
        charge = len(events) if scheduled else max(1, len(events))
        self._traffic_at += charge * self._random.uniform(0.3, 1.7) / (self._world_rate * self._intensity())
        return events

    async def run(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        stop: asyncio.Event,
    ) -> None:
        """Do everything at its time until `stop` is set. `clock` is monotonic, in seconds."""
        began = clock() - self._elapsed / self._pace
        while not stop.is_set():
            passed = clock() - began
            if passed - self._next_at / self._pace > LAG_MAX:
                passed = self._next_at / self._pace
                began = clock() - passed
            for _ in range(TURN_STEPS):
                if self._next_at > passed * self._pace:
                    break
                self.step()
            wait = began + self._next_at / self._pace - clock()
            await sleep(min(max(wait, SLEEP_MIN), SLEEP_MAX))

    def rewind(self, hours: float) -> None:
        """Begin again `hours` before `start`, with the rhythm of the day.

        Raises:
            ValueError: the application has no `start`.
        """
        if self._start is None:
            raise ValueError("only an application with a start can be rewound")
        self._mean_rhythm = _mean_rhythm(self._start, hours * 3600)
        self._begin(-hours * 3600 * self._pace)

    @property
    def in_the_past(self) -> bool:
        """Whether the next step is due before `start`."""
        return self._next_at < 0

    @property
    def _next_at(self) -> float:
        """When the next step is due, in world seconds."""
        return min(self._traffic_at, self._agenda[0][0])

    def _begin(self, at: float) -> None:
        """Let the world begin at world second `at`; the cycles of the story are counted from second 0."""
        self._agenda.clear()
        self._elapsed = self._traffic_at = at
        self._latest: datetime | None = None
        self._schedule_cycle(math.floor(at / CYCLE))
        self._repeat(at, POLL_INTERVAL, lambda: self.world.downloads.poll(POLL_INTERVAL))
        for schedule in SCHEDULES:
            self._repeat(at + schedule.first, schedule.every, self._job(schedule.name))

    def _job(self, name: str) -> Action:
        return lambda: self.world.jobs.run(name)

    def _schedule(self, at: float, action: Action) -> None:
        self._entries += 1
        heappush(self._agenda, (at, self._entries, action))

    def _repeat(self, at: float, every: float, action: Action) -> None:
        def act_and_repeat() -> None:
            self._repeat(at + every, every, action)
            action()

        self._schedule(at, act_and_repeat)

    def _schedule_cycle(self, number: int) -> None:
        begin = number * CYCLE

        self._schedule(begin + CYCLE, lambda: self._schedule_cycle(number + 1))
        for offset, action in self._story.beats(number):
            if begin + offset >= self._elapsed:
                self._schedule(begin + offset, action)

    def _now(self) -> datetime:
        """The time of the next event. In simulated time no two are the same, so that they keep their order."""
        if self._start is None:
            return datetime.now(UTC)
        moment = self._start + timedelta(seconds=self._elapsed / self._pace)
        if self._latest is not None:
            moment = max(moment, self._latest + timedelta(microseconds=1))
        self._latest = moment
        return moment

    def _intensity(self) -> float:
        """Traffic at this moment, relative to the average."""
        quiet_begin, quiet_end = QUIET
        length = quiet_end - quiet_begin
        if quiet_begin <= self._elapsed % CYCLE < quiet_end:
            intensity = QUIET_SHARE
        else:
            intensity = (CYCLE - QUIET_SHARE * length) / (CYCLE - length)
        if self._mean_rhythm is not None and self._start is not None:
            moment = self._start + timedelta(seconds=self._elapsed / self._pace)
            intensity *= _rhythm(moment) / self._mean_rhythm
        return intensity


def seed_history(hours: float, *, seed: int, end: datetime | None = None) -> list[Event]:
    """A plausible past: the events of the `hours` before `end` (now when None), oldest first, not stored.

    The same world in slow motion, busier in the evening; about 830 events an hour. Nothing is down at its end.

    Raises:
        ValueError: `end` is naive.
    """
    past = SimulatedApplication(
        _Nowhere(), seed=_HISTORY_SEED + seed, rate=HISTORY_RATE, start=end or datetime.now(UTC)
    )
    past.rewind(hours)
    events: list[Event] = []
    while past.in_the_past:
        events += past.step()
    return events


class _Nowhere:
    """Takes what is recorded, and keeps nothing."""

    def record(self, event_type: str, /, **fields: Unpack[EventFields]) -> bool:
        return True


def _rhythm(moment: datetime) -> float:
    """How busy the application is at a time of day: most at eight in the evening, least in the morning."""
    hour = moment.hour + moment.minute / 60
    return 1 + 0.6 * math.cos(2 * math.pi * (hour - 20) / 24)


def _mean_rhythm(end: datetime, seconds: float) -> float:
    """The mean of `_rhythm` over the `seconds` before `end`."""
    samples = [_rhythm(end - timedelta(seconds=seconds * (part + 0.5) / 48)) for part in range(48)]
    return sum(samples) / len(samples)

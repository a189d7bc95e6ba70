"""The jobs of a worker, one entry each. Light enough for a console, which says what is not being done without one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from monitor.worker.context import Context

ALERTS = "alerts"
LOOKS_PER_INTERVAL = 20
LOOK_MIN, LOOK_MAX = 1.0, 60.0
"""Seconds between two looks at whether a job is due."""
GOES_ON_LOOK = 5.0
"""The same for one that goes on for ever: so soon another worker takes it over once its lease has run out."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job, by its name in the store.

    It is begun `every` so often by one worker of all; one that goes on until it is ended has no interval, and is begun
    again where it ended. `does` says what it does, `undone` what is the matter where nobody does it, each in a few
    words. `module`, which no console imports, has `async def work(context) -> str`: it does the job once and says in a
    line what was done, or raises. With `bridges_outages` it goes on while the store is away, also beyond its lease.
    """

    name: str
    every: timedelta
    does: str
    undone: str
    module: str
    bridges_outages: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether it has no interval."""
        return not self.every

    @property
    def look_every(self) -> float:
        """Seconds between two looks at whether it is due."""
        if self.goes_on:
            return GOES_ON_LOOK
        return min(LOOK_MAX, max(LOOK_MIN, self.every.total_seconds() / LOOKS_PER_INTERVAL))

    def load(self) -> Callable[[Context], Awaitable[str]]:
        """What does the work."""
        return cast("Callable[[Context], Awaitable[str]]", import_module(self.module).work)


JOBS = (
    Job(
        "counters",
        timedelta(minutes=5),
        does="counts what was recorded since, as evtop counters flush does",
        undone="counters are not flushed",
        module="monitor.worker.counters",
    ),
    Job(
        "snapshots",
        timedelta(minutes=30),
        does="works out the figures of dashboards beforehand",
        undone="dashboards work their figures out themselves",
        module="monitor.worker.snapshots",
    ),
    Job(
        "index",
        timedelta(minutes=1),
        does="brings the full-text index up to the last events, as evtop db index does",
        undone="rare words are looked for among all events",
        module="monitor.worker.index",
    ),
    Job(
        "retention",
        timedelta(days=1),
        does="deletes what is older than EVTOP_RETENTION_DAYS, as evtop prune does",
        undone="nothing old is deleted",
        module="monitor.worker.retention",
    ),
    Job(
        ALERTS,
        timedelta(),
        does="holds the rules against what happens, records what fires, tells people",
        undone="alerts are recorded, and people told, only while a console is open",
        module="monitor.worker.alerts",
        bridges_outages=True,
    ),
)
"""All of them."""


def job_named(name: str) -> Job | None:
    """The job of that name."""
    return next((job for job in JOBS if job.name == name), None)

"""Looks from time to time whether a job is due, and runs it when no other worker has it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from monitor.errors import internal_error
from monitor.worker.registry import Job
from monitor.worker.run import Outcome, Run, RunEnd
from store.errors import StoreError
from store.leases import JobState, Leases

JITTER = 0.2
"""By which share of their distance looks are spread, so that workers started together do not ask together."""
CLOCK_LOOK, CLOCK_STEP = 5.0, 2.0
"""Seconds between two looks at whether the clock was set, and by how many it must have been."""
Begin = Callable[[Job, JobState], Awaitable[str]]


class Schedule:
    """Runs `jobs` for as long as it is run itself. `begin` does a job, given how it was before.

    When to look is APScheduler's to say; whether a job is due is told by the store, so that neither the start of a
    worker nor another worker makes a job come too early, or too late.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        leases: Leases,
        begin: Begin,
        *,
        began: Callable[[Job], None],
        ended: Callable[[RunEnd], None],
        store_failed: Callable[[str], None],
    ) -> None:
        self._jobs = tuple(jobs)
        self._leases = leases
        self._begin = begin
        self._began = began
        self._ended = ended
        self._store_failed = store_failed
        self._runs: dict[str, asyncio.Task[None]] = {}

    @property
    def running(self) -> frozenset[str]:
        """The names of the jobs that run here now."""
        return frozenset(self._runs)

    async def run(self) -> None:
        """Look and run until cancelled; what runs then is ended in order.

        Raises:
            StoreError: the jobs cannot be written down in the store.
        """
        # Neither has types.
        schedulers: Any = import_module("apscheduler.schedulers.asyncio")
        triggers: Any = import_module("apscheduler.triggers.interval")
        await self._leases.register(job.name for job in self._jobs)
        # A look that takes longer than it should is no news; what comes of it is told here.
        logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
        scheduler: Any = schedulers.AsyncIOScheduler(timezone=UTC)
        for job in self._jobs:
            every = job.look_every
            scheduler.add_job(
                self._look,
                triggers.IntervalTrigger(seconds=every, jitter=every * JITTER, timezone=UTC),
                args=[job],
                id=job.name,
                next_run_time=datetime.now(UTC),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
        scheduler.start()
        try:
            await self._mind_the_clock(scheduler)
        finally:
            scheduler.shutdown(wait=False)
            await self._end_all()

    async def _mind_the_clock(self, scheduler: Any) -> None:
        """Look anew when this machine's clock was set: APScheduler would wait until it is as late as it was."""
        ahead = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_LOOK)
            before, ahead = ahead, time.time() - time.monotonic()
            if abs(ahead - before) > CLOCK_STEP:
                for job in self._jobs:
                    scheduler.modify_job(job.name, next_run_time=datetime.now(UTC))

    async def _end_all(self) -> None:
        for task in self._runs.values():
            task.cancel()
        await asyncio.gather(*self._runs.values(), return_exceptions=True)

    async def _look(self, job: Job) -> None:
        """Begin the job if it is due and nobody has it."""
        if job.name in self._runs:
            return
        try:
            state = await self._leases.state(job.name)
            self._store_failed("")
            if state is None:
                # Someone has emptied the table.
                await self._leases.register([job.name])
            elif not state.is_due(job.every):
                return
            before = await self._leases.take(job.name, job.every)
        except StoreError as error:
            self._store_failed(str(error))
            return
        if before is not None:
            task = asyncio.create_task(self._run(job, before), name=f"job {job.name}")
            self._runs[job.name] = task
            task.add_done_callback(lambda _: self._runs.pop(job.name, None))

    async def _run(self, job: Job, before: JobState) -> None:
        self._began(job)
        since = time.monotonic()
        try:
            self._ended(await Run(job, self._leases, lambda: self._begin(job, before))())
        except asyncio.CancelledError:
            self._ended(RunEnd(job, Outcome.STOPPED, "this worker ends", time.monotonic() - since))
            raise
        except Exception as error:
            logging.getLogger(__name__).error("%s: %s", job.name, internal_error(error))

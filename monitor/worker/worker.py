"""The worker: store, bus and jobs put together, for good or for one run of one job."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from monitor.alert_watch import AlertWatch
from monitor.backend import Backend
from monitor.health.rule import Rule
from monitor.notify.chosen import Telling
from monitor.settings import Settings
from monitor.worker.context import Context
from monitor.worker.figures import Figures
from monitor.worker.registry import JOBS, Job
from monitor.worker.run import Outcome, Run, RunEnd
from monitor.worker.schedule import Schedule
from store.leases import JobState, Leases


class Worker:
    """Runs jobs on an open `backend`. `say` is given a line of raw text for each run, and of trouble with the store."""

    def __init__(
        self,
        settings: Settings,
        backend: Backend,
        leases: Leases,
        rules: Sequence[Rule],
        telling: Telling,
        say: Callable[[str], None],
        figures: Figures,
    ) -> None:
        self._settings = settings
        self._backend = backend
        self._leases = leases
        self._rules = rules
        self._telling = telling
        self._say = say
        self._figures = figures
        self._trouble = ""

    async def run(self, jobs: Sequence[Job] = JOBS) -> None:
        """Run `jobs` as they are due, beside other workers, until cancelled.

        Raises:
            StoreError: the store cannot be used, or may only be read.
        """
        schedule = Schedule(
            jobs,
            self._leases,
            lambda job, before: self._work(job, before, once=False),
            began=self._began,
            ended=self._ended,
            store_failed=self._store_failed,
        )
        await schedule.run()

    async def run_once(self, job: Job) -> RunEnd | JobState | None:
        """Run `job` now, however long ago it was run before, unless it is being run.

        Returns:
            How it ended; where it was not run, how the job is.

        Raises:
            StoreError: the store cannot be used, or may only be read.
        """
        await self._leases.register([job.name])
        before = await self._leases.take(job.name)
        if before is None:
            return await self._leases.state(job.name)
        end = await Run(job, self._leases, lambda: self._work(job, before, once=True))()
        self._tell(end)
        return end

    async def _work(self, job: Job, before: JobState, *, once: bool) -> str:
        return await job.load()(
            Context(
                self._settings,
                self._backend,
                self._leases,
                self._rules,
                self._telling,
                lambda: datetime.now(UTC),
                time.monotonic,
                before,
                once,
                self._watching,
            )
        )

    def _watching(self, watch: AlertWatch | None) -> None:
        self._figures.watch = watch

    def _began(self, job: Job) -> None:
        self._figures.began(job)
        if job.goes_on:
            self._say(f"{job.name}: begun")

    def _ended(self, end: RunEnd) -> None:
        self._figures.ended(end)
        self._tell(end)

    def _tell(self, end: RunEnd) -> None:
        word = "" if end.outcome is Outcome.DONE else f"{end.outcome}: "
        self._say(f"{end.job.name}: {word}{end.said} ({end.seconds:.1f} s)")

    def _store_failed(self, reason: str) -> None:
        """Say once that the store is away, and once that it is back."""
        self._figures.store_error = reason
        if bool(reason) != bool(self._trouble):
            self._say(reason or "the store is back")
        self._trouble = reason

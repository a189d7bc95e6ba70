"""What a worker has done since it was started, and what watches alerts in it: counted here, shown by `exposition`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from monitor.alert_watch import AlertWatch
from monitor.worker.registry import Job
from monitor.worker.run import Outcome, RunEnd


class Figures:
    """Counts by the name of the job. Times are seconds: `last_success` since 1970, by this machine's clock."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self.runs: Counter[tuple[str, Outcome]] = Counter()
        self.seconds: Counter[str] = Counter()
        self.last_seconds: dict[str, float] = {}
        self.last_success: dict[str, float] = {}
        self.running: set[str] = set()
        self.store_error = ""
        """Why the store could not be asked whether a job is due, raw text; empty when it could."""
        self.watch: AlertWatch | None = None
        """What watches alerts here; None while another worker does, or none."""

    def began(self, job: Job) -> None:
        """A run begins."""
        self.running.add(job.name)

    def ended(self, end: RunEnd) -> None:
        """A run has ended."""
        name = end.job.name
        self.running.discard(name)
        self.runs[name, end.outcome] += 1
        self.seconds[name] += end.seconds  # pyright: ignore[reportArgumentType] - a Counter adds what it is given
        self.last_seconds[name] = end.seconds
        if end.outcome is Outcome.DONE:
            self.last_success[name] = self._now()

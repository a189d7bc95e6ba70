"""The worker: which jobs are done, and which are not."""

from __future__ import annotations

from monitor.doctor.finding import Finding, Result
from monitor.worker.duties import report, trouble, undone
from store.database import Database
from store.errors import StoreError
from store.leases import Leases


async def examine_worker(database: Database) -> Finding:
    """What the store says of its jobs. That there is no worker is no fault: not every store needs one."""
    try:
        jobs = await Leases(database).states()
    except StoreError as error:
        return Finding(
            "worker", "jobs", Result.WARNING, str(error), "who may read the store should read `jobs`, too"
        )
    if trouble(jobs):
        advice = "start `evtop worker` again; `evtop worker --once JOB` tries one job and says what is wrong"
        return Finding("worker", "jobs", Result.WARNING, f"{trouble(jobs)}: {report(jobs)}", advice)
    advice = "`evtop worker` does it, or `evtop worker --once JOB` by cron" if undone(jobs) else None
    return Finding("worker", "jobs", Result.OK, report(jobs), advice)

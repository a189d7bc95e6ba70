"""What the jobs in the store say of workers: what is being done, what is not, and what went wrong. Plain Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from monitor.worker.registry import JOBS, Job
from monitor.zone import lasted
from store.leases import JobState

ONCE_WITHIN = timedelta(minutes=15)
"""How long a single run of a job that otherwise goes on is good for: cron may begin it every few minutes."""
GRACE = timedelta(minutes=10)
"""How much later than it should a job may come."""
TAKEN_OVER_WITHIN = timedelta(minutes=1)
"""After which another worker should have begun what one that was killed had begun."""
NEWS_FOR = timedelta(days=7)
"""So long after the last run it is news that there is none any more: then nobody expects one."""
Jobs = Mapping[str, JobState]


def is_done(job: Job, state: JobState | None) -> bool:
    """Whether the job is run as often as it should be, by workers or by cron."""
    if state is None or state.began_at is None:
        return False
    if state.holder is not None:
        return True
    allowed = ONCE_WITHIN if job.goes_on else 2 * job.every + GRACE
    return state.ended_at is not None and state.asked_at - state.began_at < allowed


def undone(jobs: Jobs) -> list[Job]:
    """The jobs that nobody does."""
    return [job for job in JOBS if not is_done(job, jobs.get(job.name))]


def report(jobs: Jobs) -> str:
    """Which jobs ran when, and what is not being done for want of a worker, in one line of raw text."""
    left = undone(jobs)
    if len(left) == len(JOBS):
        return f"none: {'; '.join(job.undone for job in left)}"
    said = [_said(job, jobs[job.name]) for job in JOBS if job not in left]
    return "; ".join([*said, *(job.undone for job in left)])


def trouble(jobs: Jobs) -> str:
    """What somebody should look at, in two or three words; empty when there is nothing."""
    return next(_troubles(jobs), "")


def _troubles(jobs: Jobs) -> Iterator[str]:
    for job in JOBS:
        state = jobs.get(job.name)
        if state is None or state.began_at is None or state.holder is not None:
            continue
        seen_at = max(filter(None, (state.began_at, state.ended_at, state.last_held_until)))
        if not timedelta() <= state.asked_at - seen_at < NEWS_FOR:
            continue
        if state.is_broken_off and state.asked_at - seen_at > TAKEN_OVER_WITHIN:
            yield "worker gone"
        elif state.failure is not None and not state.is_broken_off:
            yield f"{job.name} failed"


def _said(job: Job, state: JobState) -> str:
    if state.holder is not None:
        return f"{job.name} by {state.holder}"
    since = state.ended_at or state.began_at or state.asked_at
    ago = lasted(max(0, round((state.asked_at - since).total_seconds())))
    return (
        f"{job.name} {ago} ago" if state.failure is None else f"{job.name} failed {ago} ago: {state.failure}"
    )

"""What is said of workers, by the jobs in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.worker.duties import NEWS_FOR, is_done, report, trouble, undone
from monitor.worker.registry import JOBS, LOOK_MAX, LOOK_MIN, Job, job_named
from store.leases import JobState
from tests.events import at

NOW = at(1_000_000)
MINUTE = timedelta(minutes=1)


def job(name: str) -> Job:
    found = job_named(name)
    assert found is not None
    return found


def ended(name: str, ago: timedelta, failure: str | None = None) -> JobState:
    return JobState(name, NOW, began_at=NOW - ago, ended_at=NOW - ago, failure=failure)


def held(name: str, ago: timedelta = MINUTE) -> JobState:
    return JobState(
        name,
        NOW,
        holder="web-1:7:ab",
        held_until=NOW + MINUTE,
        began_at=NOW - ago,
        last_held_until=NOW + MINUTE,
    )


def killed(name: str, ago: timedelta) -> JobState:
    return JobState(name, NOW, began_at=NOW - 2 * ago, last_held_until=NOW - ago)


def jobs(*states: JobState) -> dict[str, JobState]:
    return {state.name: state for state in states}


def test_without_a_worker_it_is_said_what_is_not_done() -> None:
    for known in ({}, jobs(*(JobState(one.name, NOW) for one in JOBS))):
        assert undone(known) == list(JOBS)
        assert trouble(known) == ""
        said = report(known)
        assert said.startswith("none: ")
        assert all(one.undone in said for one in JOBS)


def test_with_one_it_is_said_what_is_done_and_since_when() -> None:
    known = jobs(
        held("alerts"),
        held("snapshots"),
        ended("retention", timedelta(hours=3)),
        ended("counters", timedelta(minutes=4)),
        ended("index", timedelta(seconds=30)),
    )
    assert undone(known) == []
    assert report(known) == (
        "counters 4 min ago; snapshots by web-1:7:ab; index 30 s ago; retention 3 h ago; alerts by web-1:7:ab"
    )
    part = jobs(ended("retention", timedelta(hours=3)))
    assert report(part).startswith("retention 3 h ago; ")
    assert job("counters").undone in report(part)


@pytest.mark.parametrize(
    ("name", "ago", "done"),
    [
        ("retention", timedelta(hours=47), True),
        ("retention", timedelta(hours=49), False),
        ("counters", timedelta(minutes=19), True),
        ("counters", timedelta(minutes=21), False),
        # Cron begins it every few minutes.
        ("alerts", timedelta(minutes=10), True),
        ("alerts", timedelta(minutes=20), False),
    ],
)
def test_a_job_is_done_while_it_comes_as_often_as_it_should(name: str, ago: timedelta, done: bool) -> None:
    assert is_done(job(name), ended(name, ago)) == done


def test_a_worker_that_was_killed_is_gone_until_another_one_has_taken_over() -> None:
    gone = killed("alerts", 2 * MINUTE)
    assert trouble(jobs(gone)) == "worker gone"
    assert trouble(jobs(killed("alerts", timedelta(seconds=50)))) == ""
    assert trouble(jobs(held("alerts"))) == ""
    # Nobody expects one any more.
    assert trouble(jobs(killed("alerts", NEWS_FOR))) == ""
    # One that was ended in order was meant to.
    assert trouble(jobs(ended("alerts", timedelta(hours=1)))) == ""


def test_a_failure_is_trouble_until_it_is_over() -> None:
    failed = ended("retention", MINUTE, "the disk is full")
    assert trouble(jobs(failed)) == "retention failed"
    assert "retention failed 1 min ago: the disk is full" in report(jobs(failed))
    assert trouble(jobs(replace(held("retention"), failure="the disk is full"))) == ""
    assert trouble(jobs(ended("retention", MINUTE))) == ""
    assert trouble(jobs(ended("retention", NEWS_FOR + MINUTE, "the disk is full"))) == ""


def test_jobs_are_told_apart_and_looked_at_often_enough() -> None:
    names = [one.name for one in JOBS]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 64 and ":" not in name for name in names)
    for one in JOBS:
        assert LOOK_MIN <= one.look_every <= LOOK_MAX
        assert one.goes_on or one.look_every <= one.every.total_seconds() / 10
        assert callable(one.load())
    assert job_named("nothing") is None

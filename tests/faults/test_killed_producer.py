"""The application is killed at any moment: fault 4."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from random import Random
from time import sleep

import pytest

from tests.faults.child import Producer
from tests.faults.final_phase import drained, fresh_passes
from tests.faults.judge import evidence, judge
from tests.faults.oracle import accepted_in
from tests.waiting import wait_until

pytestmark = pytest.mark.fault

_AT_ONCE = 3


def test_what_was_flushed_survives_each_kill(tmp_path: Path, seed: int) -> None:
    _kill_many(tmp_path, seed, kills=6)


@pytest.mark.long_fault
@pytest.mark.timeout(1_800)
def test_what_was_flushed_survives_two_hundred_kills(tmp_path: Path, seed: int) -> None:
    _kill_many(tmp_path, seed, kills=200)


def _kill_many(tmp_path: Path, seed: int, kills: int) -> None:
    """Kill producers that write ahead, between any two of: record, spool, commit, flush. Others go on meanwhile."""
    chance = Random(seed)
    path = tmp_path / "events.db"
    url, spool = f"sqlite:///{path}", str(tmp_path / "spool")
    durable = {"spool": spool, "write_ahead": True, "fsync": "always"}
    killed: list[Producer] = []
    for round_number in range(kills // _AT_ONCE):
        crowd = [
            Producer(
                tmp_path, f"killed-{round_number}-{n}", url, chance.randrange(2**32), linger=0.01, **durable
            )
            for n in range(_AT_ONCE)
        ]
        with ExitStack() as stack:
            for each in crowd:
                stack.enter_context(each)
                each.set_up().ask("record_until_killed", seed=chance.randrange(2**32))
            for each in crowd:
                wait_until(lambda each=each: accepted_in(each.journal), 20, "events are recorded")
            if chance.random() < 0.3:
                # What was flushed is on the disk alone, then.
                other = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None, timeout=10)))
                other.execute("BEGIN IMMEDIATE")
            for each in crowd:
                # The moment of the kill is the chance in this test.
                sleep(chance.uniform(0, 0.15))
                each.kill()
        killed += crowd
    with Producer(tmp_path, "last", url, chance.randrange(2**32), **durable).set_up() as last:
        last.ask("start")
        promises = [each.promises() for each in killed]
        obligations = set[object]().union(*(each.durable for each in promises))
        wait_until(lambda: _is_empty(tmp_path / "spool"), 30 + kills, "what was left is stored")
        drained(last)
        fresh_passes(last)
        verdict = judge(evidence(url), [*promises, last.promises()], durable_only=True)
        assert verdict, verdict
        assert len(obligations) >= 20 * len(killed), "hardly anything was recorded"
        assert last.close()


def _is_empty(spool: Path) -> bool:
    """Whether no segment is left; those who empty it remove their folders meanwhile."""
    try:
        return not list(spool.rglob("*.spool"))
    except FileNotFoundError:
        return False


def test_without_a_spool_a_kill_costs_no_more_than_the_queue_holds(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    queue, batch, events = 300, 100, 2_000
    path = tmp_path / "events.db"
    url = f"sqlite:///{path}"
    with Producer(
        tmp_path, "killed", url, seed, queue_events=queue, batch_events=batch
    ).set_up() as application:
        application.record(events, 2_000)
        wait_until(
            lambda: accepted_in(application.journal) >= chance.randrange(200, 600), 30, "events are recorded"
        )
        wait_until(lambda: application.stats()["stored"] > 0, 30, "some are stored")
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as other:
            other.execute("BEGIN IMMEDIATE")
            wait_until(lambda: application.stats()["dropped"], 30, "the queue is full")
            application.recorded()
            application.kill()
        promises, found = application.promises(), evidence(url)
    lost = promises.accepted.keys() - found.ids
    assert 0 < len(lost) <= queue + batch
    assert found.ids <= promises.issued()
    assert promises.refused
    verdict = judge(found, [promises])
    assert verdict.missing == lost
    assert not verdict.forged | verdict.altered | verdict.repeated
    assert verdict.miscounted == 0

"""Leases of jobs: one holder at a time, none too early, whatever is killed when; on every database."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sa_event
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.leases import LEASE, TRY_AGAIN_AFTER, TRY_AGAIN_MIN, JobState, Leases, new_holder
from store.server_clock import store_clock
from store.tables import jobs

HOUR = timedelta(hours=1)
JOB = "retention"


@dataclass
class Clock:
    """A clock that the test sets."""

    moment: datetime = datetime(2026, 11, 22, 10, tzinfo=UTC)

    async def __call__(self, _: AsyncConnection) -> datetime:
        return self.moment

    def go_on(self, by: timedelta) -> None:
        self.moment += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def leases(database: Database, clock: Clock) -> Leases:
    made = Leases(database, "first", clock=clock)
    await made.register([JOB])
    return made


@pytest.fixture
async def other(database: Database, clock: Clock, leases: Leases) -> Leases:
    return Leases(database, "second", clock=clock)


async def state_of(leases: Leases) -> JobState:
    found = await leases.state(JOB)
    assert found is not None
    return found


async def test_a_job_is_taken_by_one_and_given_back(leases: Leases, other: Leases, clock: Clock) -> None:
    before = await leases.take(JOB, HOUR)
    assert before is not None
    assert (before.began_at, before.holder) == (None, None)
    assert await other.take(JOB, HOUR) is None
    assert await other.take(JOB) is None
    began = clock.moment
    clock.go_on(timedelta(seconds=5))
    held = await state_of(other)
    assert (held.holder, held.began_at, held.held_until) == ("first", began, began + LEASE)
    assert not held.is_due(timedelta())
    assert await leases.end(JOB)
    ended = await state_of(other)
    assert (ended.holder, ended.ended_at, ended.failure) == (None, clock.moment, None)
    assert await other.take(JOB, HOUR) is None
    clock.go_on(HOUR - timedelta(seconds=5))
    assert await other.take(JOB, HOUR) is not None


async def test_a_lease_that_is_renewed_goes_on_and_one_that_is_not_runs_out(
    leases: Leases, other: Leases, clock: Clock
) -> None:
    await leases.take(JOB, HOUR)
    for _ in range(5):
        clock.go_on(LEASE - timedelta(microseconds=1))
        assert await other.take(JOB) is None
        assert await leases.renew(JOB)
    clock.go_on(LEASE)
    assert (await state_of(other)).is_broken_off
    # What was broken off is begun again at once, however short a while ago it began.
    before = await other.take(JOB, HOUR)
    assert before is not None
    assert before.last_held_until == clock.moment
    assert not await leases.renew(JOB)
    assert not await leases.end(JOB)
    assert not await leases.let_go(JOB)
    assert (await state_of(leases)).holder == "second"


async def test_nobody_took_it_meanwhile_so_it_goes_on(leases: Leases, clock: Clock) -> None:
    await leases.take(JOB, HOUR)
    clock.go_on(10 * LEASE)
    assert await leases.renew(JOB)
    assert (await state_of(leases)).holder == "first"


async def test_what_failed_is_tried_again_sooner(leases: Leases, other: Leases, clock: Clock) -> None:
    await leases.take(JOB, HOUR)
    await leases.end(JOB, "the disk\x1b[31m is full\nand more" + "x" * 1000)
    failed = await state_of(leases)
    assert failed.failure == "the disk\\x1b[31m is full"
    assert await other.take(JOB, HOUR) is None
    clock.go_on(TRY_AGAIN_AFTER)
    assert await other.take(JOB, HOUR) is not None
    await other.end(JOB)
    assert (await state_of(leases)).failure is None
    await other.take(JOB)
    await other.end(JOB, "no luck")
    assert await leases.take(JOB, timedelta()) is None
    clock.go_on(TRY_AGAIN_MIN)
    assert await leases.take(JOB, timedelta()) is not None


async def test_what_is_let_go_of_is_taken_over_at_once(leases: Leases, other: Leases) -> None:
    await leases.take(JOB, HOUR)
    assert await leases.let_go(JOB)
    assert (await state_of(other)).is_broken_off
    assert await other.take(JOB, HOUR) is not None


async def test_a_clock_that_was_ahead_holds_nothing_up(leases: Leases, other: Leases, clock: Clock) -> None:
    await leases.take(JOB, HOUR)
    clock.go_on(-24 * HOUR)
    # The holder may be alive: it has as long as any to renew it.
    assert await other.take(JOB) is None
    assert (await state_of(other)).held_until == clock.moment + LEASE
    clock.go_on(LEASE)
    assert await other.take(JOB, HOUR) is not None
    await other.end(JOB)
    clock.go_on(-24 * HOUR)
    assert await leases.take(JOB, HOUR) is not None


async def test_rows_are_made_once_however_many_begin(database: Database, clock: Clock) -> None:
    names = [f"job-{number}" for number in range(5)]
    await asyncio.gather(*(Leases(database, f"w{n}", clock=clock).register(names) for n in range(4)))
    found = await Leases(database, "w", clock=clock).states()
    assert list(found) == names
    assert await Leases(database, "w", clock=clock).states(["job-3", "none"]) == {
        "job-3": JobState("job-3", clock.moment)
    }


async def test_it_goes_by_the_clock_of_the_database(database: Database) -> None:
    leases = Leases(database, "first")
    await leases.register([JOB])
    await leases.take(JOB)
    async with database.read() as connection:
        now = await store_clock(connection)
    began = (await state_of(leases)).began_at
    assert began is not None
    assert abs(now - began) < timedelta(minutes=1)


def test_a_holder_says_where_it_runs_and_is_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h\x1b[0m" + "x" * 300)
    first, second = new_holder(), new_holder()
    assert first != second
    assert len(first) <= 128
    assert first.isprintable()


# Killed at every step


class _KilledError(Exception):
    pass


@contextmanager
def killed_at(statement: int) -> Generator[None]:
    """Whatever is to be done as the `statement`th one does not come to be, nor does its transaction."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        if seen == statement:
            raise _KilledError
        seen += 1

    sa_event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        yield
    finally:
        sa_event.remove(sa.Engine, "before_cursor_execute", count)


async def _row(database: Database) -> Any:
    async with database.read() as connection:
        return (await connection.execute(sa.select(jobs))).one()


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("what", ["take", "renew", "end", "let_go"])
async def test_what_is_killed_on_the_way_has_changed_nothing(
    database: Database, leases: Leases, other: Leases, clock: Clock, what: str, held: bool
) -> None:
    if held:
        await leases.take(JOB)
    if what == "take":
        clock.go_on(2 * LEASE)
    does: Callable[[str], Awaitable[object]] = getattr(leases, what)
    before = await _row(database)
    for statement in range(20):
        try:
            with killed_at(statement):
                done = await does(JOB)
        except _KilledError:
            assert await _row(database) == before
            continue
        assert bool(done) == (held or what == "take")
        break
    else:
        raise AssertionError("it never came to its end")
    assert statement > 0
    # Killed right after its commit, it holds nobody up for longer than a lease lasts.
    clock.go_on(LEASE)
    assert await other.take(JOB) is not None


# Whatever happens, in any order


@dataclass
class Believed:
    """What one worker believes: until when it has the job."""

    leases: Leases
    until: datetime | None = None

    def has_it(self, now: datetime) -> bool:
        return self.until is not None and self.until > now


class Walk:
    """Several workers that do anything at any time, held against a plain account of what was done."""

    def __init__(self, database: Database, clock: Clock, seed: int) -> None:
        self.random = random.Random(seed)
        self.clock = clock
        self.workers = [Believed(Leases(database, f"worker-{number}", clock=clock)) for number in range(3)]
        self.state = JobState(JOB, clock.moment)
        self.row_holder: str | None = None
        """Who is noted to have it, whether or not that has run out."""
        self.taken = 0

    async def step(self) -> None:
        worker = self.random.choice(self.workers)
        name = self.random.choice(
            ["take"] * 4 + ["renew"] * 4 + ["end", "fail", "let_go", "die", "die_on_the_way"]
        )
        await getattr(self, f"_{name}")(worker)
        self.clock.go_on(timedelta(seconds=self.random.choice([0, 1, 9, 29, 30, 31, 400])))
        believing = [one for one in self.workers if one.has_it(self.clock.moment)]
        assert len(believing) <= 1
        self._forget_what_ran_out()
        found = await worker.leases.state(JOB)
        assert found == self.state

    def _forget_what_ran_out(self) -> None:
        now = self.clock.moment
        self.state = replace(self.state, asked_at=now)
        if self.state.held_until is not None and self.state.held_until <= now:
            self.state = replace(self.state, holder=None, held_until=None)

    async def _take(self, worker: Believed) -> None:
        every = self.random.choice([timedelta(), timedelta(minutes=1), HOUR])
        self._forget_what_ran_out()
        due, now = self.state.is_due(every), self.clock.moment
        before = await worker.leases.take(JOB, every)
        assert (before is not None) == due
        if before is None:
            return
        assert before == self.state
        assert not any(one.has_it(now) for one in self.workers if one is not worker)
        self.taken += 1
        worker.until = now + LEASE
        self.state = replace(
            self.state,
            holder=worker.leases.holder,
            held_until=worker.until,
            last_held_until=worker.until,
            began_at=now,
        )
        self.row_holder = worker.leases.holder

    async def _renew(self, worker: Believed) -> None:
        is_held = await worker.leases.renew(JOB)
        assert is_held == self._is_its(worker)
        if is_held:
            worker.until = self.clock.moment + LEASE
            self.state = replace(
                self.state,
                holder=worker.leases.holder,
                held_until=worker.until,
                last_held_until=worker.until,
            )
        else:
            worker.until = None

    async def _end(self, worker: Believed, failure: str | None = None) -> None:
        is_its = self._is_its(worker)
        assert await worker.leases.end(JOB, failure) == is_its
        worker.until = None
        if is_its:
            self._nobody_has_it()
            self.state = replace(self.state, ended_at=self.clock.moment, failure=failure)

    async def _fail(self, worker: Believed) -> None:
        await self._end(worker, "no luck")

    async def _let_go(self, worker: Believed) -> None:
        is_its = self._is_its(worker)
        assert await worker.leases.let_go(JOB) == is_its
        worker.until = None
        if is_its:
            self._nobody_has_it()

    async def _die(self, worker: Believed) -> None:
        """Killed, and another process in its place."""
        worker.until = None
        worker.leases = Leases(
            worker.leases._database,  # pyright: ignore[reportPrivateUsage]
            f"{worker.leases.holder}'",
            clock=self.clock,
        )

    async def _die_on_the_way(self, worker: Believed) -> None:
        """Killed before what it was about to do came to be."""
        what = self.random.choice([worker.leases.take, worker.leases.renew, worker.leases.end])
        with pytest.raises(_KilledError), killed_at(0):
            await what(JOB)
        await self._die(worker)

    def _is_its(self, worker: Believed) -> bool:
        return self.row_holder == worker.leases.holder

    def _nobody_has_it(self) -> None:
        self.row_holder = None
        self.state = replace(self.state, holder=None, held_until=None, last_held_until=None)


@pytest.mark.parametrize("seed", range(3))
async def test_one_has_it_at_a_time_whatever_happens(database: Database, clock: Clock, seed: int) -> None:
    walk = Walk(database, clock, seed)
    await walk.workers[0].leases.register([JOB])
    for step in range(150):
        try:
            await walk.step()
        except AssertionError as error:
            error.add_note(f"seed {seed}, step {step}")
            raise
    assert walk.taken > 10


async def test_of_many_that_ask_at_once_one_gets_it(migrated_url: str, database: Database) -> None:
    opened = [await Database.open(migrated_url) for _ in range(5)]
    try:
        leases = [Leases(one, f"worker-{number}") for number, one in enumerate(opened)]
        await leases[0].register([JOB])
        for _ in range(8):
            taken = await asyncio.gather(*(one.take(JOB) for one in leases))
            [holder] = [one for one, before in zip(leases, taken, strict=True) if before is not None]
            renewed = await asyncio.gather(*(one.renew(JOB) for one in leases))
            assert renewed == [one is holder for one in leases]
            ended = await asyncio.gather(*(one.end(JOB) for one in leases))
            assert ended == renewed
    finally:
        for one in opened:
            await one.close()

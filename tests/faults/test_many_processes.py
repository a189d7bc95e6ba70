"""Eight processes on one new store at once: writers, migrators, retention jobs. Fault 20."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from store.database import Database
from store.migrations import HEAD
from tests.database_server import DatabaseServer
from tests.faults.child import Producer, StoreWorker
from tests.faults.conftest import Size
from tests.faults.final_phase import drained, fresh_passes
from tests.faults.judge import evidence, judge

pytestmark = pytest.mark.fault

WRITERS = 4
KEPT_DAYS = 30
AGE_DAYS = 60


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'events.db'}"
    server: DatabaseServer = request.getfixturevalue("postgres")
    return server.create_database()


def test_eight_processes_at_once_neither_fail_nor_lose_nor_count_twice(
    size: Size, url: str, tmp_path: Path, seed: int
) -> None:
    events = size.either(500, 5_000)
    with ExitStack() as stack:
        # Every second event of the writers is old enough to be deleted.
        writers = [
            stack.enter_context(
                Producer(
                    tmp_path,
                    f"writer-{n}",
                    url,
                    seed + n,
                    old_days=AGE_DAYS,
                    spool=str(tmp_path / f"spool-{n}"),
                )
            )
            for n in range(WRITERS)
        ]
        migrators = [stack.enter_context(StoreWorker(tmp_path, f"migrator-{n}", url)) for n in range(2)]
        pruners = [stack.enter_context(StoreWorker(tmp_path, f"pruner-{n}", url)) for n in range(2)]
        for each in (*writers, *migrators, *pruners):
            each.set_up()
        # Nothing has opened the store so far: all eight do so now.
        for migrator in migrators:
            migrator.tell("open")
        for pruner in pruners:
            pruner.tell("prune", days=KEPT_DAYS, passes=size.either(10, 60))
        for writer in writers:
            writer.record(events, 500)
        assert [migrator.answer() for migrator in migrators] == [{"version": HEAD}] * 2
        for writer in writers:
            writer.recorded()
            assert writer.flush(20)
        for writer in writers:
            drained(writer)
            fresh_passes(writer)
        deleted = sum(pruner.answer()["deleted"] for pruner in pruners)
        # What was recorded after the last look of both.
        deleted += pruners[0].ask("prune", days=KEPT_DAYS, passes=1)["deleted"]
        stats = [writer.stats() for writer in writers]
        for each in (*writers, *migrators, *pruners):
            assert "lock" not in each.log, each.log
    found, promises = evidence(url), [writer.promises() for writer in writers]
    verdict = judge(found, promises)
    old = {each.source.identifier(n) for each in promises for n in range(each.claimed) if n % 2}
    assert verdict.missing == old
    assert not verdict.forged | verdict.altered | verdict.repeated
    assert (verdict.miscounted, found.pruned, deleted) == (0, len(old), len(old))
    assert found.counted == sum(each["stored"] for each in stats) == WRITERS * (events + 1)
    for each in stats:
        assert (each["balance"], each["retries"], each["duplicates"], each["dropped"]) == (0, 0, 0, {}), each
    assert asyncio.run(_versions(url)) == [HEAD]


async def _versions(url: str) -> list[str]:
    database = await Database.connect(url)
    try:
        async with database.read() as connection:
            return list(
                (await connection.execute(text("SELECT version_num FROM evtop_schema_version"))).scalars()
            )
    finally:
        await database.close()


def test_a_writer_that_is_frozen_in_the_middle_holds_up_nobody_else_for_good(
    tmp_path: Path, seed: int
) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with (
        Producer(tmp_path, "frozen", url, seed, spool=str(tmp_path / "a")).set_up() as frozen,
        Producer(tmp_path, "other", url, seed + 1, spool=str(tmp_path / "b")).set_up() as other,
    ):
        frozen.record(2_000, 2_000)
        other.record(100)
        other.recorded()
        drained(other)
        for _ in range(5):
            # Some of these moments are within a transaction, whose lock stays with the frozen process.
            frozen.pause()
            other.record(200, 2_000)
            other.recorded()
            assert other.flush(3)
            frozen.resume()
        frozen.recorded()
        for each in (frozen, other):
            drained(each)
            fresh_passes(each)
        found = evidence(url)
        verdict = judge(found, [frozen.promises(), other.promises()])
        assert verdict, verdict
        assert len(found.delivered) == 2_000 + 1 + 1_100 + 1
        assert all(not each.stats()["dropped"] for each in (frozen, other))

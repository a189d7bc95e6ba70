"""A reader keeps SQLite's write-ahead log from being emptied while events are written: fault 21."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.events import EventStore
from tests.bench.pace import quantile
from tests.faults.child import StoreWorker
from tests.faults.conftest import Note
from tests.waiting import until
from tests.watch import watching

pytestmark = pytest.mark.fault

RATE = 2_000
LOG_BYTES = 64 * 1024 * 1024
COMMIT_SECONDS = 0.25
"""What a commit may take on a machine that has other work too. The figure to reach is 0.05 for 99 of 100."""
READ_SECONDS = 1.0
"""What a read transaction of the console may take: it keeps the log too."""
LONG_DISK_BYTES = 20_000_000_000
"""What the log and the store have grown to after ten minutes, with room to spare."""
PATIENCE = 30.0
"""Seconds until the log has grown, or has been copied."""


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each read transaction of this process took, in seconds."""
    took: list[float] = []
    read = Database.read

    @asynccontextmanager
    async def timed(self: Database) -> AsyncGenerator[AsyncConnection]:
        began = time.monotonic()
        async with read(self) as connection:
            yield connection
        took.append(time.monotonic() - began)

    monkeypatch.setattr(Database, "read", timed)
    return took


async def test_the_log_is_cut_off_after_a_long_reader(
    tmp_path: Path, seed: int, reads: list[float], note: Note
) -> None:
    # Large events, so that the log outgrows its limit in seconds.
    await _read_while_writing(tmp_path, seed, reads, note, pinned=2.5, after=2.5, padding=10_000, share=0.9)


@pytest.mark.long_fault
@pytest.mark.timeout(1_200)
async def test_the_log_is_cut_off_after_a_reader_of_ten_minutes(
    tmp_path: Path, seed: int, reads: list[float], note: Note
) -> None:
    if shutil.disk_usage(tmp_path).free < LONG_DISK_BYTES:
        pytest.skip(f"this test needs {LONG_DISK_BYTES / 1e9:.0f} GB of disk")
    await _read_while_writing(tmp_path, seed, reads, note, pinned=600, after=60, padding=0, share=0.99)


async def _read_while_writing(
    tmp_path: Path,
    seed: int,
    reads: list[float],
    note: Note,
    *,
    pinned: float,
    after: float,
    padding: int,
    share: float,
) -> None:
    """Write for `pinned` seconds with a reader that keeps the log, with padding, and for `after` seconds without.

    `share` of the commits and of the reads must be done in time: not those that wait for the disk while it copies
    what had gathered.
    """
    path = tmp_path / "events.db"
    url, log = f"sqlite:///{path}", path.with_name("events.db-wal")
    with StoreWorker(tmp_path, "writer", url).set_up() as writer:
        await asyncio.to_thread(writer.ask, "open")
        async with await EventStore.open(url) as store, watching(store.repository, None) as watch:
            with closing(sqlite3.connect(path, isolation_level=None)) as reader:
                reader.execute("BEGIN")
                assert reader.execute("SELECT count(*) FROM events").fetchone() == (0,)
                task = {"seconds": pinned + after, "rate": RATE, "padded": pinned, "padding": padding}
                writer.tell("append", seed=seed, since=time.time_ns() // 1_000_000, **task)
                await asyncio.sleep(pinned)
                await until(lambda: log.stat().st_size > LOG_BYTES, PATIENCE)
                longest = log.stat().st_size
            done = asyncio.create_task(asyncio.to_thread(writer.answer, pinned + after + 60))
            # The console goes on reading, and yet whoever wants the log for itself gets it.
            while not done.done():
                assert await asyncio.to_thread(_log_is_free, path)
                await asyncio.sleep(0.25)
            answer = await done
            assert watch.counted > 0
            left = log.stat().st_size
    note("commit_p99_ms", round(quantile(answer["took"], 0.99) * 1e3, 1))
    note("longest_read_ms", round(max(reads) * 1e3, 1))
    note("log_mb", f"{longest / 1e6:.0f}, then {left / 1e6:.0f}")
    assert len(reads) > pinned
    assert quantile(reads, share) <= READ_SECONDS
    assert quantile(answer["took"], share) <= COMMIT_SECONDS
    with closing(sqlite3.connect(path)) as connection:
        (stored,) = connection.execute("SELECT count(*) FROM events").fetchone()
    assert stored == answer["events"] >= RATE * pinned
    assert left <= LOG_BYTES


def _log_is_free(path: Path) -> bool:
    """Whether every reader lets go of the log, and what has gathered there is copied, in `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        while (left := deadline - time.monotonic()) > 0:
            # It waits for readers, and not for a checkpoint that is under way.
            connection.execute(f"PRAGMA busy_timeout = {int(left * 1000)}")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            if not busy:
                return True
            time.sleep(0.01)
    return False

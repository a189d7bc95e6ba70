"""What a dead process left in its spool is torn or damaged, and the next process starts on it: fault 5."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from store.recorder import Recorder, RecorderOptions
from store.recorder.disk import SpoolSettings
from store.spool.segment import HEADER_BYTES, RECORD_BYTES, RECORD_MAGIC
from tests.faults.child import Producer
from tests.faults.judge import Evidence, evidence, judge
from tests.faults.oracle import Promises
from tests.waiting import wait_until

pytestmark = pytest.mark.fault

EVENTS = 60
LAST = 3
"""Records at the end of the spool that are torn, at each of their bytes."""
START_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Left:
    """The spool of a process that was killed. `starts` are the offsets of its records, `ids` whose they are."""

    folder: Path
    segment: Path
    content: bytes
    starts: list[int]
    ids: list[UUID]
    promises: Promises
    stored_empty: Path

    def damaged(self, content: bytes, place: Path) -> Path:
        """A copy of the spool, with this in its segment."""
        root = shutil.copytree(self.folder, place)
        (root / self.segment.relative_to(self.folder)).write_bytes(content)
        return root

    def record_at(self, offset: int) -> int | None:
        """The number of the record that has this byte; None for the header of the segment."""
        return None if offset < HEADER_BYTES else sum(start <= offset for start in self.starts) - 1


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Made by a real process, killed while its database was away."""
    folder = tmp_path_factory.mktemp("left")
    nobody_listens = "postgresql://evtop@127.0.0.1:1/evtop"
    with Producer(
        folder, "dead", nobody_listens, 5, spool=str(folder / "spool"), write_ahead=True, fsync="always"
    ).set_up() as dead:
        dead.record(EVENTS)
        dead.recorded()
        assert dead.flush()
        assert dead.stats()["spooled"] == EVENTS
        dead.kill()
    (segment,) = (folder / "spool").rglob("*.spool")
    content = segment.read_bytes()
    starts = [at for at in range(len(content)) if content.startswith(RECORD_MAGIC, at)]
    promises = dead.promises()
    assert len(starts) == EVENTS == len(promises.durable)
    # A store that is up to date already: migrating one for each damage would take the time.
    empty = folder / "empty.db"
    with Recorder(f"sqlite:///{empty}") as recorder:
        recorder.record("probe.answered")
        assert recorder.flush()
    _delete_all(empty)
    return Left(folder / "spool", segment, content, starts, list(promises.accepted), promises, empty)


def _delete_all(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("events", "event_rollups"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE event_head SET position = 0")


def _bring_in(left: Left, content: bytes, place: Path) -> tuple[set[UUID], int]:
    """Start on a spool with this content. Returns the ids that came through, and how many were counted as lost."""
    root = left.damaged(content, place / "spool")
    database = shutil.copy(left.stored_empty, place / "events.db")
    began = time.monotonic()
    with Recorder(
        f"sqlite:///{database}", options=RecorderOptions(spool=SpoolSettings(folder=root))
    ) as recorder:
        recorder.start()
        wait_until(lambda: recorder.stats().recovered, START_SECONDS, "the spool is found")
        assert time.monotonic() - began <= START_SECONDS
        wait_until(lambda: not recorder.stats().spooled, 10, "the spool is drained")
        assert recorder.record("probe.answered", actor_id="fresh")
        assert recorder.flush()
        stats = recorder.stats()
    assert stats.balance == 0
    url = f"sqlite:///{database}"
    found = evidence(url)
    came_through = found.ids & left.promises.accepted.keys()
    assert len(found.delivered) == len(came_through) + 1 == stats.stored, "a fresh event, and no forged one"
    whole = [pair for pair in found.delivered if pair[0] in came_through]
    verdict = judge(Evidence(whole, found.letters, len(whole), 0), [left.promises])
    assert not verdict.forged | verdict.altered | verdict.repeated, verdict
    assert not found.letters
    return came_through, sum(stats.dropped.values())


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Damage is logged each time, and a thousand such lines would hide what a failure says."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def _tear(left: Left, tmp_path: Path, offsets: list[int]) -> None:
    for offset in offsets:
        torn = left.record_at(offset)
        assert torn is not None
        place = tmp_path / f"torn-{offset}"
        place.mkdir()
        whole, lost = _bring_in(left, left.content[:offset], place)
        assert whole == set(left.ids[:torn]), f"torn at {offset}"
        # Between two records, nothing says that there ever were more.
        assert lost == (offset not in left.starts), f"torn at {offset}"
        shutil.rmtree(place)


def _flip(left: Left, tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    for offset, bit in flips:
        content = bytearray(left.content)
        content[offset] ^= 1 << bit
        bad = left.record_at(offset)
        place = tmp_path / f"flipped-{offset}-{bit}"
        place.mkdir()
        whole, lost = _bring_in(left, bytes(content), place)
        expected = set(left.ids) - ({left.ids[bad]} if bad is not None else set())
        assert whole == expected, f"bit {bit} of byte {offset}"
        assert lost == (bad is not None), f"bit {bit} of byte {offset}"
        shutil.rmtree(place)


def test_a_tail_torn_at_some_byte_costs_one_counted_event_and_no_more(
    left: Left, tmp_path: Path, seed: int
) -> None:
    borders = [left.starts[-LAST], left.starts[-1] + RECORD_BYTES, len(left.content) - 1]
    chosen = Random(seed).sample(range(left.starts[-LAST], len(left.content)), 9)
    _tear(left, tmp_path, borders + chosen)


@pytest.mark.long_fault
@pytest.mark.timeout(1_800)
def test_a_tail_torn_at_any_byte_costs_one_counted_event_and_no_more(left: Left, tmp_path: Path) -> None:
    _tear(left, tmp_path, list(range(left.starts[-LAST], len(left.content))))


def test_a_flipped_bit_costs_one_counted_event_at_most(left: Left, tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    offsets = [chance.randrange(HEADER_BYTES), *chance.sample(range(len(left.content)), 11)]
    _flip(left, tmp_path, [(offset, chance.randrange(8)) for offset in offsets])


@pytest.mark.long_fault
@pytest.mark.timeout(1_800)
def test_a_bit_flipped_at_a_thousand_places_costs_one_counted_event_at_most(
    left: Left, tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    offsets = chance.sample(range(len(left.content)), 1_000)
    _flip(left, tmp_path, [(offset, chance.randrange(8)) for offset in offsets])


def test_damage_all_over_is_counted_event_by_event(left: Left, tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    bad = sorted(chance.sample(range(EVENTS), 20))
    content = bytearray(left.content)
    for number in bad:
        end = left.starts[number + 1] if number + 1 < EVENTS else len(content)
        content[chance.randrange(left.starts[number], end)] ^= 1 << chance.randrange(8)
    whole, lost = _bring_in(left, bytes(content), tmp_path)
    assert whole == set(left.ids) - {left.ids[number] for number in bad}
    # What is missing at the very end is one loss: nothing after it tells how many there were.
    at_the_end = next(n for n in range(EVENTS) if EVENTS - 1 - n not in bad)
    assert lost == len(bad) - max(0, at_the_end - 1)

"""The spool: what was appended comes back whole, once, in order, or is counted, whatever happens to its files."""

from __future__ import annotations

import errno
import logging
import os
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from store.spool import Files, FsyncPolicy, Spool, SpoolError
from store.spool.folder import LOCK_FILE
from store.spool.segment import HEADER_BYTES, RECORD_BYTES, RECORD_MAGIC, pack_header, pack_records

MIB = 1024 * 1024
SEED = 20_241_121


def payload(number: int, size: int = 0) -> bytes:
    return (b'{"n":%d,"t":"h\xc3\xa9' % number) + b"x" * size + b'"}'


def payloads(count: int, start: int = 0) -> list[bytes]:
    return [payload(number) for number in range(start, start + count)]


def drain(spool: Spool, count: int = 7) -> list[bytes]:
    drained: list[bytes] = []
    while records := spool.peek(count, MIB):
        drained += records
        spool.acknowledge(len(records))
    assert spool.is_empty
    return drained


def segments(spool_folder: Path) -> list[Path]:
    return sorted(spool_folder.glob("*.spool"))


def leave(root: Path, records: list[bytes], producer: str = "p", segment_bytes: int = 8 * MIB) -> Path:
    """A spool with `records`, one append each, as a process leaves it that could not drain it."""
    spool = Spool.open(root, producer, segment_bytes=segment_bytes, files=QuickFiles())
    for record in records:
        assert spool.append([record]) == 1
    spool.close()
    return spool.folder


class QuickFiles(Files):
    """Leaves out what only a power failure would tell, and what takes longest."""

    def sync(self, descriptor: int) -> None:
        pass

    def sync_folder(self, folder: Path) -> None:
        pass


class FaultyFiles(Files):
    """Fails when it is told to."""

    def __init__(self) -> None:
        self.failing: dict[str, int] = {}
        self.written_before_failing = 0
        self.synced = 0

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        if "write" in self.failing:
            super().write(descriptor, data[: self.written_before_failing], offset)
        self._fail("write")
        super().write(descriptor, data, offset)

    def truncate(self, descriptor: int, size: int) -> None:
        self._fail("truncate")
        super().truncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        self._fail("sync")
        self.synced += 1
        super().sync(descriptor)

    def remove(self, path: Path) -> None:
        self._fail("remove")
        super().remove(path)

    def _fail(self, operation: str) -> None:
        if operation in self.failing:
            number = self.failing[operation]
            raise OSError(number, os.strerror(number))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


# A queue


def test_records_come_back_in_order_over_many_segments(root: Path) -> None:
    spool = Spool.open(root, segment_bytes=300)
    records = payloads(200)
    for start in range(0, 200, 3):
        assert spool.append(records[start : start + 3]) == len(records[start : start + 3])
    assert len(segments(spool.folder)) > 10
    assert spool.pending == 200
    assert spool.peek(5, MIB) == spool.peek(5, MIB) == records[:5]
    assert drain(spool) == records
    assert (spool.pending, spool.pending_bytes, spool.lost) == (0, 0, 0)
    assert segments(spool.folder) == []
    spool.close()
    assert list(root.iterdir()) == []


def test_appending_and_reading_take_turns_in_one_segment(root: Path) -> None:
    spool = Spool.open(root)
    seen: list[bytes] = []
    spool.append(payloads(3))
    for number in range(3, 300, 2):
        spool.append(payloads(2, number))
        taken = spool.peek(2, MIB)
        spool.acknowledge(len(taken))
        seen += taken
    assert len(segments(spool.folder)) == 1
    assert seen + drain(spool) == payloads(301)
    spool.close()


def test_peek_holds_to_its_limits_but_always_gives_a_record(root: Path) -> None:
    spool = Spool.open(root)
    records = [payload(n, 100) for n in range(10)]
    spool.append(records)
    size = len(records[0])
    assert spool.peek(0, MIB) == []
    assert spool.pending == 10
    assert spool.peek(10, 3 * size) == records[:3]
    assert spool.peek(10, 3 * size - 1) == records[:2]
    assert spool.peek(10, 0) == records[:1]
    assert spool.peek(4, MIB) == records[:4]
    with pytest.raises(ValueError, match="11 records acknowledged"):
        spool.acknowledge(11)
    with pytest.raises(ValueError, match="-1 records"):
        spool.acknowledge(-1)
    assert drain(spool) == records
    spool.close()


def test_what_does_not_fit_is_not_taken_until_there_is_room(root: Path) -> None:
    spool = Spool.open(root, max_bytes=1000, segment_bytes=400)
    records = payloads(100)
    taken = spool.append(records)
    assert 0 < taken < 100
    assert spool.pending_bytes <= 1000 < spool.pending_bytes + RECORD_BYTES + len(records[taken])
    assert spool.pending_bytes == sum(path.stat().st_size for path in segments(spool.folder))
    assert spool.append(records[taken:]) == 0
    assert drain(spool) == records[:taken]
    assert spool.append(records[taken : taken + 5]) == 5
    assert drain(spool) == records[taken : taken + 5]
    spool.close()


def test_the_cap_counts_every_segment(root: Path) -> None:
    spool = Spool.open(root, max_bytes=5000, segment_bytes=300)
    taken = 0
    while spool.append([payload(taken)]):
        taken += 1
        on_disk = sum(path.stat().st_size for path in segments(spool.folder))
        assert spool.pending_bytes == on_disk <= 5000
    assert drain(spool) == payloads(taken)
    spool.close()


def test_a_record_that_is_no_text_is_refused_whole(root: Path) -> None:
    spool = Spool.open(root)
    with pytest.raises(ValueError, match="UTF-8"):
        spool.append([b"{}", b"x" + RECORD_MAGIC])
    assert spool.append([b"", b"{}"]) == 2
    assert drain(spool) == [b"", b"{}"]
    spool.close()


def test_folders_and_files_are_for_their_owner_only(root: Path) -> None:
    spool = Spool.open(root, "../a host:1\n")
    spool.append(payloads(1))
    assert spool.folder.parent == root
    for folder in (root, spool.folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in spool.folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    spool.close()


def test_a_closed_spool_says_so(root: Path) -> None:
    spool = Spool.open(root)
    spool.close()
    spool.close()
    for use in (lambda: spool.append([b"{}"]), lambda: spool.peek(1, 1), lambda: spool.acknowledge(0)):
        with pytest.raises(SpoolError, match="is closed"):
            use()


# Starting again


def test_a_spool_of_the_same_name_goes_on_where_the_last_one_was(root: Path) -> None:
    spool = Spool.open(root, "p", segment_bytes=200)
    spool.append(payloads(10))
    spool.append(payloads(10, 10))
    spool.peek(13, MIB)
    spool.acknowledge(13)
    spool.close()
    again = Spool.open(root, "p")
    assert again.pending == 7
    again.append(payloads(5, 20))
    assert drain(again) == payloads(12, 13)
    assert again.lost == 0
    again.close()


def test_a_namesake_gets_a_folder_of_its_own(root: Path) -> None:
    first, second = Spool.open(root, "p"), Spool.open(root, "p")
    first.append(payloads(3))
    second.append(payloads(3, 3))
    assert first.folder != second.folder
    assert (drain(first), drain(second)) == (payloads(3), payloads(3, 3))
    first.close()
    second.close()


def test_orphans_are_given_oldest_first_and_removed_when_empty(root: Path) -> None:
    folders = [leave(root, payloads(3, 3 * n), f"p{9 - n}") for n in range(3)]
    for age, folder in zip((300, 200, 100), folders, strict=True):
        os.utime(folder / LOCK_FILE, (1e9 - age, 1e9 - age))
    own = Spool.open(root, "own")
    drained: list[bytes] = []
    for orphan in Spool.orphans(root):
        drained += drain(orphan)
    assert drained == payloads(9)
    assert list(root.iterdir()) == [own.folder]
    own.close()


def test_an_orphan_that_is_not_drained_stays(root: Path) -> None:
    folder = leave(root, payloads(5))
    orphans = Spool.orphans(root)
    orphan = next(orphans)
    orphan.peek(2, MIB)
    orphan.acknowledge(2)
    assert list(Spool.orphans(root)) == []
    orphans.close()
    assert folder.exists()
    (again,) = [drain(orphan) for orphan in Spool.orphans(root)]
    assert again == payloads(3, 2)
    assert list(Spool.orphans(root / "none")) == []


ADOPTER = """
import sys
from pathlib import Path
from store.spool import Spool

print("ready", flush=True)
sys.stdin.readline()
for orphan in Spool.orphans(Path(sys.argv[1])):
    while records := orphan.peek(10, 1000):
        for record in records:
            print(record.decode(), flush=True)
        orphan.acknowledge(len(records))
"""


def python(program: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


def test_processes_that_adopt_at_once_share_the_orphans_out(root: Path) -> None:
    for number in range(40):
        leave(root, payloads(5, 5 * number), f"p{number}")
    adopters = [python(ADOPTER, root) for _ in range(3)]
    for adopter in adopters:
        assert adopter.stdout is not None
        assert adopter.stdout.readline() == b"ready\n"
    for adopter in adopters:
        assert adopter.stdin is not None
        adopter.stdin.write(b"\n")
        adopter.stdin.flush()
    outputs = [adopter.communicate(timeout=30)[0].splitlines() for adopter in adopters]
    assert [adopter.returncode for adopter in adopters] == [0, 0, 0]
    assert sorted(line for lines in outputs for line in lines) == sorted(payloads(200))
    assert list(root.iterdir()) == []


def test_opening_while_others_look_for_orphans_never_fails(root: Path) -> None:
    program = """
import sys
from pathlib import Path
from store.spool import Spool
for number in range(150):
    spool = Spool.open(Path(sys.argv[1]), "same")
    assert spool.append([b"{}"]) == 1
    assert spool.peek(1, 10) == [b"{}"], spool.pending
    list(Spool.orphans(Path(sys.argv[1])))
    spool.acknowledge(1)
    spool.close()
"""
    processes = [python(program, root) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert list(root.iterdir()) == []


# fork


def in_child(work: str, root: Path) -> int:
    """Exit status of a program that has a spool with five records, and forks."""
    program = f"""
import os, sys
from pathlib import Path
from store.spool import Spool, SpoolError
root = Path(sys.argv[1])
spool = Spool.open(root, "p")
spool.append([b"%d" % n for n in range(5)])
spool.peek(2, 100)
{work}
"""
    process = python(program, root)
    process.communicate(timeout=30)
    return process.returncode


def test_a_forked_child_neither_uses_nor_releases_the_spool_of_its_parent(root: Path) -> None:
    work = """
child = os.fork()
if child == 0:
    try:
        spool.append([b"child"])
    except SpoolError:
        spool.abandon_after_fork()
        spool.abandon_after_fork()
        spool.close()
        own = Spool.open(root, "p")
        os._exit(0 if own.folder != spool.folder and own.append([b"x"]) == 1 else 4)
    os._exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert [len(s.peek(9, 99)) for s in Spool.orphans(root)] == [1]
assert spool.append([b"5"]) == 1
spool.acknowledge(2)
assert spool.peek(9, 99) == [b"2", b"3", b"4", b"5"]
"""
    assert in_child(work, root) == 0


def test_a_lock_inherited_over_fork_ends_with_the_parent(root: Path) -> None:
    work = """
ready, started = os.pipe()
over, hold = os.pipe()
child = os.fork()
if child == 0:
    os.close(hold)
    spool.abandon_after_fork()
    os.write(started, b"x")
    os.read(over, 1)
    os._exit(0)
os.read(ready, 1)
print(child, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), 9)
"""
    program_root = root
    process = python(
        f"""
import os, sys
from pathlib import Path
from store.spool import Spool
spool = Spool.open(Path(sys.argv[1]), "p")
spool.append([b"%d" % n for n in range(5)])
{work}
""",
        program_root,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    child = int(process.stdout.readline())
    assert list(Spool.orphans(root)) == []
    process.stdin.write(b"\n")
    process.stdin.flush()
    assert process.wait(10) == -signal.SIGKILL
    os.kill(child, 0)
    assert [drain(orphan) for orphan in Spool.orphans(root)] == [[b"%d" % n for n in range(5)]]
    process.communicate(timeout=10)


def test_closing_unlocks_though_a_child_still_has_the_descriptor(root: Path) -> None:
    work = """
over, hold = os.pipe()
child = os.fork()
if child == 0:
    os.close(hold)
    os.read(over, 1)
    os._exit(0)
spool.close()
assert [o.pending for o in Spool.orphans(root)] == [5]
os.close(hold)
os.waitpid(child, 0)
"""
    assert in_child(work, root) == 0


# Damage


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A root with one spool of 60 records in three segments, a third of it acknowledged in two steps."""
    root = tmp_path / "left"
    spool = Spool.open(root, "p", segment_bytes=800)
    for start in range(0, 60, 5):
        spool.append(payloads(5, start))
    assert len(segments(spool.folder)) == 3
    for count in (2, 3):
        spool.peek(count, MIB)
        spool.acknowledge(count)
    spool.close()
    return root


def test_a_tail_torn_at_any_byte_costs_what_was_torn_and_no_more(left: Path, tmp_path: Path) -> None:
    last = segments(left / "p")[-1]
    size = last.stat().st_size
    lengths = [RECORD_BYTES + len(record) for record in payloads(60)]
    borders = {size - sum(lengths[60 - back :]): back for back in range(4)}
    for cut in range(size - sum(lengths[57:]), size):
        root = tmp_path / f"cut{cut}"
        shutil.copytree(left, root)
        os.truncate(root / "p" / last.name, cut)
        missing = next(back for border, back in sorted(borders.items(), reverse=True) if border <= cut)
        torn = cut not in borders
        spool = Spool.open(root, "p", files=QuickFiles())
        assert spool.append(payloads(3, 100)) == 3
        assert drain(spool) == payloads(55 - missing, 5) + payloads(3, 100), f"cut at {cut}"
        assert spool.lost == torn, f"cut at {cut}"
        spool.close()


@pytest.mark.thorough
def test_one_flipped_bit_costs_one_record_at_most(left: Path, tmp_path: Path) -> None:
    random = Random(SEED)
    files = [*segments(left / "p"), left / "p" / "cursor"]
    offsets = [(file, offset) for file in files for offset in range(file.stat().st_size)]
    wanted = payloads(55, 5)
    seen = 0
    for number in range(1000):
        file, offset = random.choice(offsets)
        bit = random.randrange(8)
        where = f"seed {SEED}, case {number}: bit {bit} of byte {offset} of {file.name}"
        original = file.read_bytes()
        damaged = bytearray(original)
        damaged[offset] ^= 1 << bit
        root = tmp_path / "flip"
        shutil.copytree(left, root)
        (root / "p" / file.name).write_bytes(damaged)
        spool = Spool.open(root, "p", files=QuickFiles())
        spool.append([b"later"])
        drained = drain(spool)
        assert drained.pop() == b"later", where
        assert spool.set_aside == 0, where
        if file.name == "cursor":
            # The older slot repeats what was acknowledged last, and nothing is lost.
            assert (spool.lost, drained[-55:]) == (0, wanted), where
            assert len(drained) <= 60, where
        else:
            hit = offset >= HEADER_BYTES
            missing = set(wanted) - set(drained)
            assert drained == [record for record in wanted if record not in missing], where
            # A damaged record that was acknowledged already is nobody's loss.
            assert len(missing) == spool.lost <= hit, where
            seen += spool.lost
        spool.close()
        shutil.rmtree(root)
    assert seen > 500


def test_a_crowd_of_damages_is_counted_exactly(left: Path) -> None:
    random = Random(SEED)
    for path in segments(left / "p")[:2]:
        damaged = bytearray(path.read_bytes())
        for offset in random.sample(range(HEADER_BYTES, len(damaged)), 5):
            damaged[offset] ^= 0xFF
        path.write_bytes(damaged)
    spool = Spool.open(left, "p")
    drained = drain(spool)
    assert 0 < spool.lost <= 10
    assert len(drained) + spool.lost == 55
    spool.close()


def test_every_damage_to_a_whole_file_is_survived(left: Path, tmp_path: Path) -> None:
    random = Random(SEED)
    noise = random.randbytes(3000)
    for index in range(3):
        for name, content in {
            "empty": b"",
            "zeros": bytes(5000),
            "noise": noise,
            "magics": RECORD_MAGIC * 1000,
            "header": pack_header(7)[:9],
            "lengths": (RECORD_MAGIC + b"\x00\x01\x00\x00") * 500,
        }.items():
            root = tmp_path / f"{name}{index}"
            shutil.copytree(left, root)
            victim = segments(root / "p")[index]
            victim.write_bytes(content)
            spool = Spool.open(root, "p", files=QuickFiles())
            spool.append([b"later"])
            drained = drain(spool)
            assert drained[-1] == b"later"
            rest = drained[:-1]
            assert rest == [record for record in payloads(55, 5) if record in rest]
            assert len(rest) >= 30
            assert spool.set_aside == (name in ("zeros", "noise", "magics", "lengths")), (name, index)
            assert victim.with_suffix(".unreadable").exists() == bool(spool.set_aside)
            if index < 2:
                assert spool.lost == 55 - len(rest), name
            spool.close()


def test_segments_of_an_unknown_format_are_set_aside_and_counted(
    left: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = segments(left / "p")[0]
    content = bytearray(path.read_bytes())
    header = b"\xff\xfeEv" + (2).to_bytes(2, "little") + content[6:14]
    path.write_bytes(header + crc32(header).to_bytes(4, "little") + content[HEADER_BYTES:])
    kept = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        spool = Spool.open(left, "p")
    assert "format version 2, not 1" in caplog.text
    drained = drain(spool)
    assert drained == payloads(len(drained), 60 - len(drained))
    assert (spool.set_aside, spool.lost) == (1, 55 - len(drained))
    spool.close()
    assert path.with_suffix(".unreadable").read_bytes() == kept
    assert list(Spool.orphans(left)) == []
    assert path.with_suffix(".unreadable").read_bytes() == kept


def test_a_lost_cursor_repeats_rather_than_loses(left: Path) -> None:
    (left / "p" / "cursor").unlink()
    spool = Spool.open(left, "p")
    assert drain(spool) == payloads(60)
    assert spool.lost == 0
    spool.close()


def test_a_lost_cursor_takes_no_removed_segment_for_a_loss(left: Path) -> None:
    spool = Spool.open(left, "p")
    taken = len(spool.peek(30, MIB))
    spool.acknowledge(taken)
    spool.close()
    assert len(segments(left / "p")) == 2
    (left / "p" / "cursor").unlink()
    again = Spool.open(left, "p")
    assert again.lost == 0
    drained = drain(again)
    assert again.lost == 0
    assert drained == payloads(len(drained), 60 - len(drained))
    assert len(drained) >= 25
    again.close()


def test_a_segment_that_vanishes_is_counted(left: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = Spool.open(left, "p")
    segments(left / "p")[1].unlink()
    drained = drain(spool)
    assert len(drained) + spool.lost == 55
    assert spool.lost > 5
    assert len(caplog.records) == 1
    spool.close()


def test_what_a_failed_write_left_behind_is_skipped(root: Path) -> None:
    files = FaultyFiles()
    spool = Spool.open(root, "p", files=files)
    spool.append(payloads(3))
    files.failing = {"write": errno.EIO, "truncate": errno.EIO}
    files.written_before_failing = len(pack_records(payloads(2, 100), 3)) + 4
    with pytest.raises(SpoolError, match="Input/output error"):
        spool.append(payloads(3, 100))
    files.failing = {}
    spool.append(payloads(3, 3))
    spool.close()
    assert len(segments(root / "p")) == 2
    again = Spool.open(root, "p")
    assert drain(again) == payloads(6)
    assert again.lost == 0
    again.close()


# A disk that refuses


@pytest.mark.parametrize("written", [0, 1, RECORD_BYTES, 60, 150])
def test_a_failed_append_keeps_nothing_of_it(root: Path, written: int) -> None:
    for before in (0, 3):
        files = FaultyFiles()
        spool = Spool.open(root, f"p{before}", files=files)
        if before:
            spool.append(payloads(before))
        sizes = [path.stat().st_size for path in segments(spool.folder)]
        files.failing, files.written_before_failing = {"write": errno.ENOSPC}, written
        with pytest.raises(SpoolError, match="No space left on device") as raised:
            spool.append(payloads(10, 50))
        assert "\n" not in str(raised.value)
        assert [path.stat().st_size for path in segments(spool.folder)] == sizes
        assert spool.pending == before
        files.failing = {}
        spool.append(payloads(3, before))
        assert drain(spool) == payloads(before + 3)
        assert spool.lost == 0
        spool.close()


def test_a_failed_fsync_keeps_nothing_of_the_append(root: Path) -> None:
    files = FaultyFiles()
    spool = Spool.open(root, "p", fsync=FsyncPolicy.ALWAYS, files=files)
    spool.append(payloads(2))
    files.failing = {"sync": errno.EIO}
    with pytest.raises(SpoolError):
        spool.append(payloads(2, 50))
    files.failing = {}
    spool.append(payloads(2, 2))
    assert drain(spool) == payloads(4)
    spool.close()


def test_interval_synchronises_when_it_is_due(root: Path) -> None:
    files, now = FaultyFiles(), 100.0
    spool = Spool.open(root, files=files, fsync_interval=0.5, clock=lambda: now)
    spool.sync_if_due()
    assert files.synced == 0
    spool.append(payloads(1))
    now = 100.4
    spool.append(payloads(1, 1))
    spool.sync_if_due()
    assert files.synced == 0
    now = 100.5
    spool.sync_if_due()
    spool.sync_if_due()
    assert files.synced == 1
    spool.append(payloads(1, 2))
    now = 101.0
    files.failing = {"sync": errno.EIO}
    with pytest.raises(SpoolError, match="cannot be synchronised"):
        spool.sync_if_due()
    spool.sync_if_due()
    files.failing = {}
    spool.append(payloads(1, 3))
    assert len(segments(spool.folder)) == 2
    assert drain(spool) == payloads(4)
    spool.close()


@pytest.mark.parametrize("policy", FsyncPolicy)
def test_it_synchronises_at_once_when_it_is_asked_to(root: Path, policy: FsyncPolicy) -> None:
    files = FaultyFiles()
    spool = Spool.open(root, files=files, fsync=policy, fsync_interval=60)
    spool.append(payloads(1))
    before = files.synced
    assert before == (policy is FsyncPolicy.ALWAYS)
    spool.sync()
    assert (files.synced > before) == (policy is not FsyncPolicy.NEVER)
    files.failing = {"sync": errno.EIO}
    if policy is not FsyncPolicy.NEVER:
        with pytest.raises(SpoolError, match="cannot be synchronised"):
            spool.sync()
    files.failing = {}
    assert drain(spool) == payloads(1)
    spool.close()
    with pytest.raises(SpoolError, match="closed"):
        spool.sync()


def test_trouble_in_acknowledging_is_said_once_and_repairs_itself(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = FaultyFiles()
    spool = Spool.open(root, "p", segment_bytes=100, files=files)
    for number in range(20):
        spool.append(payloads(1, number))
    files.failing = {"write": errno.EIO, "remove": errno.EROFS}
    for number in range(10):
        assert spool.peek(1, MIB) == [payload(number)]
        spool.acknowledge(1)
    assert sorted(record.getMessage().rsplit(": ")[-1] for record in caplog.records) == [
        "Input/output error",
        "Read-only file system",
    ]
    files.failing = {}
    assert drain(spool) == payloads(10, 10)
    assert segments(spool.folder) == []
    assert len(caplog.records) == 2
    spool.close()
    assert not spool.folder.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "evtop-test", str(place)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this test needs to be allowed to mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount")
@pytest.mark.parametrize("fsync", list(FsyncPolicy))
def test_a_full_disk_is_said_and_recovered_from(small_disk: Path, fsync: FsyncPolicy) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    spool = Spool.open(small_disk / "spool", segment_bytes=100_000, fsync=fsync)
    accepted: list[bytes] = []
    failures = 0
    for number in range(60):
        records = [payload(10 * number + n, 1000) for n in range(10)]
        try:
            assert spool.append(records) == 10
            accepted += records
        except SpoolError as error:
            failures += 1
            assert "No space left on device" in str(error)  # noqa: PT017
    assert failures > 5
    first = spool.peek(20, MIB)
    assert first == accepted[:20]
    spool.acknowledge(20)
    ballast.unlink()
    more = [payload(n, 1000) for n in range(1000, 1010)]
    assert spool.append(more) == 10
    assert drain(spool) == accepted[20:] + more
    assert spool.lost == 0
    spool.close()


def test_a_read_only_disk_is_said(small_disk: Path) -> None:
    spool = Spool.open(small_disk, "p")
    spool.append(payloads(3))
    spool.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SpoolError, match="Read-only file system"):
        Spool.open(small_disk, "q")
    assert list(Spool.orphans(small_disk)) == []
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert [drain(orphan) for orphan in Spool.orphans(small_disk)] == [payloads(3)]


def test_a_place_that_is_no_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for place in (tmp_path / "file", tmp_path / "file" / "spool"):
        with pytest.raises(SpoolError, match="no spool can be kept in"):
            Spool.open(place)


def test_a_folder_that_vanished_is_said(root: Path) -> None:
    spool = Spool.open(root, "p")
    spool.append(payloads(3))
    shutil.rmtree(spool.folder)
    for _ in range(2):
        with pytest.raises(SpoolError, match=r"removed|No such file"):
            spool.append(payloads(1))
    assert spool.peek(9, MIB) == []
    assert (spool.pending, spool.lost) == (0, 3)
    spool.close()
    again = Spool.open(root, "p")
    assert again.append(payloads(1)) == 1
    assert drain(again) == payloads(1)
    again.close()


def test_running_out_of_descriptors_is_said_and_recovered_from(root: Path) -> None:
    program = """
import os, resource, sys
from pathlib import Path
from store.spool import Spool, SpoolError
root = Path(sys.argv[1])
spool = Spool.open(root, "p", segment_bytes=100)
for number in range(10):
    spool.append([b"%d" % number] * 20)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
def fails(call):
    try:
        call()
    except SpoolError as error:
        return "Too many open files" in str(error)
    return False
assert fails(lambda: spool.peek(1, 10))
assert fails(lambda: spool.append([b"x"]))
assert fails(lambda: Spool.open(root, "q"))
assert list(Spool.orphans(root)) == []
for descriptor in held:
    os.close(descriptor)
assert spool.append([b"x"]) == 1
assert spool.pending == 201
assert len(spool.peek(1000, 100_000)) == 201
assert spool.lost == 0
spool.acknowledge(201)
spool.close()
"""
    process = python(program, root)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_file_size_limit_is_survived(root: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from store.spool import Spool, SpoolError
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
spool = Spool.open(Path(sys.argv[1]), "p")
accepted = failed = 0
for number in range(100):
    try:
        accepted += spool.append([b"%d" % (10 * number + n) + b"x" * 100 for n in range(10)])
    except SpoolError as error:
        assert "File too large" in str(error)
        failed += 1
assert accepted > 100 and failed > 50, (accepted, failed)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert spool.append([b"y"]) == 1
assert len(spool.peek(1000, 1_000_000)) == accepted + 1 and spool.lost == 0
"""
    if resource.getrlimit(resource.RLIMIT_FSIZE)[1] != resource.RLIM_INFINITY:
        pytest.skip("a limit on file sizes is set already")
    process = python(program, root)
    process.communicate(timeout=30)
    assert process.returncode == 0


# A process that is killed


KILLED = """
import os, sys
from pathlib import Path
from store.spool import FsyncPolicy, Spool
spool = Spool.open(Path(sys.argv[1]), sys.argv[2], fsync=FsyncPolicy.ALWAYS, segment_bytes=4000)
number = 0
while True:
    count = number % 7 + 1
    spool.append([b'{"n":%d}' % (number + n) for n in range(count)])
    number += count
    os.write(1, b"%d\\n" % number)
    if number % 5 == 0 and (taken := spool.peek(3, 1000)):
        assert taken[0].startswith(b'{"n":')
        os.write(1, b"-%d\\n" % len(taken))
        spool.acknowledge(len(taken))
"""


def test_kill_9_loses_nothing_whose_append_returned(root: Path) -> None:
    random = Random(SEED)
    for round_number in range(8):
        lines = random.randrange(1, 80)
        process = python(KILLED, root, f"p{round_number}")
        assert process.stdout is not None
        output = b""
        while output.count(b"\n") < lines:
            assert select.select([process.stdout], [], [], 20)[0], "the process says nothing"
            output += os.read(process.stdout.fileno(), 4096)
        process.kill()
        rest, _ = process.communicate(timeout=20)
        said = [int(line) for line in (output + rest).split(b"\n")[:-1]]
        appended = max(number for number in said if number > 0)
        acknowledged = -sum(number for number in said if number < 0)
        (drained,) = [drain(orphan) for orphan in Spool.orphans(root)]
        numbers = [int(record[5:-1]) for record in drained]
        where = f"seed {SEED}, round {round_number}"
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), where
        assert numbers[0] <= acknowledged, where
        assert appended <= numbers[-1] + 1 <= appended + 7, where
        assert list(root.iterdir()) == [], where


# Size and speed


@pytest.mark.thorough
def test_a_full_spool_is_opened_at_once_and_read_in_little_memory(root: Path) -> None:
    spool = Spool.open(root, "p", fsync=FsyncPolicy.NEVER)
    records = [payload(n, 450) for n in range(500)]
    count = 0
    while taken := spool.append(records):
        count += taken
    spool.abandon_after_fork()  # what is left is what a killed process leaves
    assert 250 * MIB < sum(path.stat().st_size for path in segments(root / "p")) <= 256 * MIB
    program = """
import resource, sys, time
from pathlib import Path
from store.spool import Spool
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.monotonic()
spool = Spool.open(Path(sys.argv[1]), "p")
first = spool.peek(500, 1_000_000)
took = time.monotonic() - start
for _ in range(20):
    for _ in range(20):
        spool.acknowledge(len(spool.peek(500, 1_000_000)))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(spool.pending + 200_000, len(first), took, grown)
"""
    process = python(program, root)
    output, _ = process.communicate(timeout=60)
    pending, first, took, grown = map(float, output.split())
    assert (pending, first) == (count, 500)
    assert took <= 6
    assert grown <= 16 * 1024

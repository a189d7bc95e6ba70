"""The spool against a model, on a disk that forgets at a crash what was not synchronised."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from store.spool import Files, FsyncPolicy, Spool, SpoolError
from store.spool.folder import LOCK_FILE

INTERVAL = 0.5
EVERYTHING = 1_000_000


@dataclass
class OnDisk:
    """A file: what would survive for sure, and what was done to it since."""

    path: Path
    durable: bytes = b""
    changes: list[tuple[int, bytes | None]] = field(default_factory=list[tuple[int, bytes | None]])

    def after_crash(self, random: Random) -> bytes:
        """A content that a disk could come back with: some changes lost, one of them torn."""
        content = bytearray(self.durable)
        in_order = random.random() < 0.5
        kept = random.randint(0, len(self.changes))
        for number, (offset, data) in enumerate(self.changes):
            if number >= kept if in_order else random.random() < 0.5:
                if in_order and number == kept and data is not None:
                    _overwrite(content, offset, data[: random.randrange(len(data) + 1)])
                continue
            if data is None:
                del content[offset:]
            else:
                _overwrite(content, offset, data)
        return bytes(content)


def _overwrite(content: bytearray, offset: int, data: bytes) -> None:
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class ForgetfulFiles(Files):
    """Real files, of which a crash keeps what was synchronised, and by chance some of the rest."""

    def __init__(self) -> None:
        self.free: int | None = None
        self.can_truncate = True
        self._files: dict[int, OnDisk] = {}
        self._names: list[tuple[str, Path, OnDisk]] = []

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        file = self._files[os.fstat(descriptor).st_ino] = OnDisk(path)
        self._names.append(("created", path, file))
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        fitting = data if self.free is None else data[: self.free]
        super().write(descriptor, fitting, offset)
        self._files[os.fstat(descriptor).st_ino].changes.append((offset, fitting))
        if len(fitting) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def truncate(self, descriptor: int, size: int) -> None:
        if not self.can_truncate:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().truncate(descriptor, size)
        self._files[os.fstat(descriptor).st_ino].changes.append((size, None))

    def sync(self, descriptor: int) -> None:
        file = self._files[os.fstat(descriptor).st_ino]
        file.durable = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        file.changes.clear()

    def sync_folder(self, folder: Path) -> None:
        self._names = [change for change in self._names if change[1].parent != folder]

    def remove(self, path: Path) -> None:
        if path.exists():
            self._names.append(("removed", path, self._files.pop(path.stat().st_ino)))
        super().remove(path)

    def rename(self, path: Path, target: Path) -> None:
        file = self._files[path.stat().st_ino]
        super().rename(path, target)
        self._names += [("removed", path, OnDisk(path, file.durable)), ("created", target, file)]
        file.path = target

    def crash(self, folder: Path, random: Random) -> None:
        """Put the files in `folder` into a state that they could be in after a power failure."""
        files = {file.path: file for file in self._files.values()}
        survived = random.randint(0, len(self._names))
        for change, path, file in reversed(self._names[survived:]):
            if change == "created":
                files.pop(path, None)
            else:
                files[path] = file
        for path in folder.iterdir():
            if path.name != LOCK_FILE:
                path.unlink()
        self._names.clear()
        self._files.clear()
        for path, file in files.items():
            content = file.after_crash(random)
            path.write_bytes(content)
            self._files[path.stat().st_ino] = OnDisk(path, content)


class SpoolMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="evtop-spool-model-"))
        self.files = ForgetfulFiles()
        self.now = 0.0
        self.number = 0
        self.pending: list[bytes] = []
        self.synchronised: set[bytes] = set()
        self.issued: set[bytes] = set()
        self.refused: set[bytes] = set()
        self.truncating_failed = False

    @initialize(fsync=st.sampled_from(FsyncPolicy))
    def start(self, fsync: FsyncPolicy) -> None:
        self.fsync = fsync
        self.spool = self.open()

    def open(self) -> Spool:
        return Spool.open(
            self.root,
            "p",
            segment_bytes=400,
            max_bytes=3000,
            fsync=self.fsync,
            fsync_interval=INTERVAL,
            clock=lambda: self.now,
            files=self.files,
        )

    @rule(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4))
    def append(self, sizes: list[int]) -> None:
        records = self.issue(sizes)
        taken = self.spool.append(records)
        assert taken <= len(records)
        # What could not be cut off counts once it is found again, and may be over the cap.
        assert taken == 0 or self.spool.pending_bytes <= 3000
        self.keep(records[:taken])

    @rule(
        sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4),
        free=st.integers(0, 250),
        can_truncate=st.booleans(),
    )
    def append_on_a_full_disk(self, sizes: list[int], free: int, can_truncate: bool) -> None:
        records = self.issue(sizes)
        self.files.free, self.files.can_truncate = free, can_truncate
        try:
            self.keep(records[: self.spool.append(records)])
        except SpoolError:
            self.refused.update(records)
            self.truncating_failed |= not can_truncate
        self.files.free, self.files.can_truncate = None, True

    def issue(self, sizes: list[int]) -> list[bytes]:
        records = [b'{"n":%08d,"t":"%s"}' % (self.number + n, b"x" * size) for n, size in enumerate(sizes)]
        self.number += len(records)
        self.issued.update(records)
        return records

    def keep(self, records: list[bytes]) -> None:
        self.pending += records
        if self.fsync is FsyncPolicy.ALWAYS:
            self.synchronised.update(records)

    @rule(count=st.integers(0, 12), max_bytes=st.integers(0, 500), share=st.integers(0, 3))
    def drain(self, count: int, max_bytes: int, share: int) -> None:
        records = self.spool.peek(count, max_bytes)
        assert records == self.pending[: len(records)]
        assert len(records) <= count
        assert len(records) <= 1 or sum(map(len, records)) <= max_bytes
        assert records or not count or not self.pending
        share = min(share, len(records))
        self.spool.acknowledge(share)
        del self.pending[:share]

    @rule(seconds=st.sampled_from([0.125, 0.5, 3600.0]))
    def synchronise(self, seconds: float) -> None:
        self.now += seconds
        self.spool.sync_if_due()
        if self.fsync is FsyncPolicy.INTERVAL and seconds >= INTERVAL:
            self.synchronised.update(self.accepted(self.pending))

    @rule()
    def restart(self) -> None:
        lost = self.spool.lost
        self.spool.close()
        self.spool = self.open()
        found = self.look_again(set(self.pending))
        if not self.truncating_failed:
            assert found == self.pending
            # A hole that no acknowledgement has passed yet is found again.
            assert self.spool.lost <= lost
        self.pending = found

    @rule(seed=st.integers(0, 2**32))
    def crash(self, seed: int) -> None:
        folder = self.spool.folder
        self.spool.abandon_after_fork()
        self.files.crash(folder, Random(seed))
        self.spool = self.open()
        found = self.look_again(self.synchronised & set(self.pending))
        if self.fsync is FsyncPolicy.ALWAYS:
            # A refused record that could not be cut off may come back, but nothing promises that it stays.
            assert self.accepted(found) == self.accepted(self.pending)
            assert self.refused or self.spool.lost == 0
        self.pending = found
        # What is on the disk after a crash is on the disk.
        self.synchronised.update(found)
        self.refused.clear()

    def accepted(self, records: list[bytes]) -> list[bytes]:
        return [record for record in records if record not in self.refused]

    def look_again(self, required: set[bytes]) -> list[bytes]:
        """All that the spool holds: what must be there, nothing that was never there, in order."""
        found = self.spool.peek(EVERYTHING, EVERYTHING)
        assert found == sorted(set(found))
        assert required <= set(found)
        assert set(found) <= self.issued
        assert self.spool.pending == len(found)
        return found

    @invariant()
    def counts(self) -> None:
        if hasattr(self, "spool"):
            assert self.spool.pending == len(self.pending)
            assert self.spool.is_empty == (not self.pending)
            on_disk = sum(path.stat().st_size for path in self.spool.folder.glob("*.spool"))
            if not self.truncating_failed:
                assert self.spool.pending_bytes == on_disk

    def teardown(self) -> None:
        try:
            if hasattr(self, "spool"):
                assert self.spool.peek(EVERYTHING, EVERYTHING) == self.pending
                self.spool.acknowledge(len(self.pending))
                assert self.spool.is_empty
                self.spool.close()
                assert self.truncating_failed or list(self.root.iterdir()) == []
        finally:
            shutil.rmtree(self.root)


TestSpoolModel: Any = SpoolMachine.TestCase
TestSpoolModel.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)

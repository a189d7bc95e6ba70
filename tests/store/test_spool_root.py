"""The root of the spools: what the host keeps there is left alone, nobody else gets in, and one cap holds for all."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
from pathlib import Path

import pytest

from store.spool import Spool, SpoolError
from store.spool.folder import LOCK_FILE
from tests.store.test_spool import MIB, FaultyFiles, QuickFiles, drain, leave, payload, payloads, segments

NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to someone else")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """All that is in `folder`, with modes and times."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in folder.rglob("*")
    }


def test_what_the_host_keeps_beside_the_spools_is_left_alone(root: Path) -> None:
    root.mkdir()
    root.chmod(0o755)
    for name in ("uploads", "cache", "locked", "p"):
        (root / name).mkdir()
    (root / "cache" / "cursor").write_bytes(b"of the host")
    (root / "locked" / "lock").touch()
    (root / "p" / "cursor").write_bytes(b"of the host")
    (root / "notes").write_text("no folder")
    before = snapshot(root)
    assert list(Spool.orphans(root)) == []
    spool = Spool.open(root, "p")
    assert spool.folder.name == "p.1"
    spool.append(payloads(3))
    assert [drain(orphan) for orphan in Spool.orphans(root)] == []
    assert drain(spool) == payloads(3)
    spool.close()
    assert snapshot(root) == before
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_the_folders_of_the_host_are_left_alone_though_spools_of_the_dead_are_taken_over(root: Path) -> None:
    leave(root, payloads(5), "dead")
    (root / "uploads").mkdir()
    assert [drain(orphan) for orphan in Spool.orphans(root)] == [payloads(5)]
    assert [path.name for path in root.iterdir()] == ["uploads"]


def test_a_root_is_made_for_its_owner_only(root: Path) -> None:
    before = os.umask(0)
    try:
        Spool.open(root).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o720])
def test_a_root_in_which_others_could_swap_folders_is_refused(
    root: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    leave(root, payloads(5))
    root.chmod(mode)
    with pytest.raises(SpoolError, match=r"others may write to it \(mode 0\d+\)") as raised:
        Spool.open(root, "q")
    assert "\n" not in str(raised.value)
    assert list(Spool.orphans(root)) == []
    assert "others may write to it" in caplog.text
    assert stat.S_IMODE(root.stat().st_mode) == mode
    root.chmod(0o1777)
    assert [drain(orphan) for orphan in Spool.orphans(root)] == [payloads(5)]


def test_a_root_behind_a_symbolic_link_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root.symlink_to("elsewhere")
    with pytest.raises(SpoolError, match="it is a symbolic link"):
        Spool.open(root)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@as_root
def test_a_root_of_another_user_is_refused(root: Path) -> None:
    root.mkdir(mode=0o700)
    os.chown(root, NOBODY, -1)
    with pytest.raises(SpoolError, match=f"it belongs to user {NOBODY}"):
        Spool.open(root)


@pytest.mark.parametrize("trick", ["a link", "writable", pytest.param("of another", marks=as_root)])
def test_a_forged_spool_is_neither_taken_over_nor_touched(root: Path, tmp_path: Path, trick: str) -> None:
    root.mkdir()
    root.chmod(0o1777)
    forged = leave(root, payloads(5), "p")
    match trick:
        case "a link":
            forged.rename(tmp_path / "victim")
            forged.symlink_to(tmp_path / "victim")
        case "writable":
            forged.chmod(0o777)
        case _:
            os.chown(forged, NOBODY, -1)
    before = snapshot(forged)
    assert list(Spool.orphans(root)) == []
    own = Spool.open(root, "p")
    assert own.folder != forged
    own.close()
    assert snapshot(forged) == before


def test_a_lock_that_is_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    folder = leave(root, payloads(5))
    (folder / LOCK_FILE).unlink()
    (folder / LOCK_FILE).symlink_to(tmp_path / "made")
    assert list(Spool.orphans(root)) == []
    assert not (tmp_path / "made").exists()


def test_a_lock_that_a_cleaner_removed_is_made_anew(root: Path) -> None:
    now = 0.0
    spool = Spool.open(root, "p", clock=lambda: now)
    spool.append(payloads(3))
    (spool.folder / LOCK_FILE).unlink()
    now = 5.0
    spool.append(payloads(3, 3))
    # Somebody has it still, and when it has died, it is found.
    assert list(Spool.orphans(root)) == []
    spool.abandon_after_fork()
    assert [drain(orphan) for orphan in Spool.orphans(root)] == [payloads(6)]


def test_a_folder_that_was_removed_is_known_to_be_gone(root: Path) -> None:
    spool = Spool.open(root, "p")
    spool.append(payloads(3))
    assert not spool.is_gone()
    shutil.rmtree(root)
    with pytest.raises(SpoolError):
        spool.append(payloads(3))
    assert spool.is_gone()
    spool.close()
    assert not spool.is_gone()


# One cap for all


def test_the_cap_holds_for_all_spools_of_the_root(root: Path) -> None:
    for life in range(20):
        # As a service does that starts again and again while the database is away.
        spool = Spool.open(root, f"p{life}", max_bytes=20_000)
        for number in range(40):
            spool.append([payload(number, 200)])
        spool.close()
    (root / "uploads").mkdir()
    (root / "uploads" / "large.spool").write_bytes(bytes(50_000))
    sizes = [path.stat().st_size for path in root.glob("p*/*.spool")]
    assert 15_000 < sum(sizes) <= 20_000


def test_there_is_room_again_when_what_others_left_is_drained(root: Path) -> None:
    leave(root, [payload(n, 1000) for n in range(10)], "dead")
    now = 0.0
    spool = Spool.open(root, "p", max_bytes=10_500, clock=lambda: now)
    assert spool.append([payload(0, 1000)]) == 0
    assert [len(drain(orphan)) for orphan in Spool.orphans(root)] == [10]
    now = 0.9
    assert spool.append([payload(0, 1000)]) == 0
    now = 1.0
    records = [payload(n, 1000) for n in range(20)]
    assert spool.append(records) == 10
    assert drain(spool) == records[:10]
    spool.close()


def test_what_others_hold_is_not_measured_at_each_append(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    iterdir = Path.iterdir

    def counted(path: Path):
        looks.append(path)
        return iterdir(path)

    now = 0.0
    spool = Spool.open(root, files=QuickFiles(), clock=lambda: now)
    monkeypatch.setattr(Path, "iterdir", counted)
    for number in range(1000):
        now += 0.01
        spool.append([payload(number)])
    assert 5 < looks.count(root) <= 11
    spool.close()


# What may not survive, and what need not be read


def test_a_failed_fsync_between_two_segments_leaves_a_doubt(root: Path) -> None:
    files = FaultyFiles()
    spool = Spool.open(root, "p", segment_bytes=100, fsync_interval=60, files=files)
    spool.append(payloads(10))
    assert not spool.is_doubtful
    files.failing = {"sync": errno.EIO}
    with pytest.raises(SpoolError, match="Input/output error"):
        spool.append(payloads(10, 10))
    files.failing = {}
    # There is nothing left to synchronise, and what was to be may be lost all the same.
    spool.sync()
    assert spool.is_doubtful
    assert spool.append(payloads(10, 10)) == 10
    assert spool.peek(9, MIB) == payloads(9)
    spool.acknowledge(9)
    assert spool.is_doubtful
    spool.acknowledge(1)
    assert not spool.is_doubtful
    spool.sync()
    assert drain(spool) == payloads(10, 10)
    spool.close()


def test_what_was_not_read_can_be_acknowledged(root: Path) -> None:
    spool = Spool.open(root, "p", segment_bytes=100)
    for number in range(30):
        spool.append(payloads(1, number))
    spool.acknowledge(11)
    assert (spool.pending, spool.peek(2, MIB)) == (19, payloads(2, 11))
    spool.acknowledge(7)
    assert (spool.pending, spool.lost) == (12, 0)
    spool.close()
    again = Spool.open(root, "p")
    # A damaged record in what is skipped is nobody's loss, and takes no later one with it.
    first = segments(again.folder)[0]
    content = bytearray(first.read_bytes())
    content[-3] ^= 1
    first.write_bytes(content)
    again.append(payloads(3, 30))
    again.acknowledge(5)
    assert drain(again) == payloads(10, 23)
    assert again.lost == 0
    again.close()


def test_a_filter_of_the_host_that_raises_spoils_no_recovery(root: Path) -> None:
    def refuse(_: object) -> bool:
        raise ZeroDivisionError

    folder = leave(root, payloads(5))
    segments(folder)[0].write_bytes(b"noise" * 100)
    logger = logging.getLogger("store.spool")
    logger.addFilter(refuse)
    try:
        spool = Spool.open(root, "p")
    finally:
        logger.removeFilter(refuse)
    assert (spool.lost, spool.set_aside) == (1, 1)
    assert [path.suffix for path in folder.glob("0*")] == [".unreadable"]
    spool.close()

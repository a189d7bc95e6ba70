"""`evtop import`: what is stored, what is rejected where, and what is said of it."""

from __future__ import annotations

import gzip
import json
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.console.commands import EVTOP, WITHIN, evtop, one_line
from tests.console.unusable import HOSTILE
from tests.pty_console import PrivateHome
from tests.waiting import wait_until

GOOD = '{"event_type":"a.b","inserted_at":"2026-11-21T12:00:00Z"}\n'
BAD = '{"event_type":"a.b"}\n'


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def written(home: PrivateHome, content: str | bytes, name: str = "in.ndjson") -> Path:
    path = home.directory / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def count(home: PrivateHome) -> int:
    return int(evtop(home, "tail", "--count").stdout)


def test_a_file_is_imported_once_and_the_summary_says_so(home: PrivateHome) -> None:
    path = written(home, GOOD * 1500)
    done = evtop(home, "import", str(path))
    summary = "1,500 lines: 1,500 stored, 0 stored before, 0 rejected\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, summary, "")
    again = evtop(home, "import", str(path), "-o", "json")
    assert (again.returncode, again.stderr) == (0, "")
    counts = {"lines": 1500, "blank": 0, "stored": 0, "duplicates": 1500, "rejected": 0}
    assert json.loads(again.stdout) == {**counts, "reject_file": None}
    assert count(home) == 1500
    assert sorted(path.name for path in home.directory.iterdir()) == ["d", "in.ndjson"]


def test_what_tail_printed_is_imported_into_another_store(home: PrivateHome) -> None:
    evtop(home, "import", str(written(home, GOOD * 3)))
    printed = evtop(home, "tail", "-o", "json").stdout
    with PrivateHome(EVTOP_BUS="none") as other:
        path = written(other, gzip.compress(printed.encode()), "out.gz")
        assert evtop(other, "import", str(path)).returncode == 0
        imported = evtop(other, "tail", "-o", "json").stdout

    def without_positions(lines: str) -> list[str]:
        return [line.rpartition(",")[0] for line in lines.splitlines()]

    # Equal moments are ordered by id, which need not be the order of the file.
    assert without_positions(imported) == without_positions(printed)
    assert len(printed.splitlines()) == 3


def test_bad_lines_go_beside_the_file_with_their_reasons(home: PrivateHome) -> None:
    path = written(home, GOOD + BAD + HOSTILE.replace("\n", "") + "\n" + GOOD)
    taken = written(home, "mine", "in.ndjson.rejected")
    done = evtop(home, "import", str(path))
    rejected = Path(f"{taken}.1")
    assert done.returncode == 3
    assert done.stdout == f"4 lines: 2 stored, 0 stored before, 2 rejected (see {rejected})\n"
    assert taken.read_text() == "mine"
    assert stat.S_IMODE(rejected.stat().st_mode) == 0o600
    first, second = (json.loads(line) for line in rejected.read_text("ascii").splitlines())
    assert (first["line"], first["text"]) == (2, BAD.strip())
    assert first["reason"].startswith("inserted_at is missing")
    assert (second["line"], second["text"]) == (3, HOSTILE.replace("\n", ""))


def test_the_reject_file_can_be_chosen(home: PrivateHome) -> None:
    path, chosen = written(home, BAD), home.directory / "elsewhere"
    done = evtop(home, "import", str(path), "--reject", str(chosen), "-o", "json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["reject_file"] == str(chosen)
    assert len(chosen.read_text().splitlines()) == 1
    assert not Path(f"{path}.rejected").exists()
    assert evtop(home, "import", str(path), "--reject", "/dev/null").returncode == 3


def test_a_reject_file_that_cannot_be_written_ends_the_import_in_one_line(home: PrivateHome) -> None:
    path = written(home, GOOD + BAD)
    said = one_line(evtop(home, "import", str(path), "--reject", "/nonexistent/file"))
    assert said == "cannot write /nonexistent/file: there is no such folder; --reject names another"
    assert "it has no name" in one_line(evtop(home, "import", str(path), "--reject", "/"))
    said = one_line(evtop(home, "import", str(path), "--reject", "/dev/full"))
    assert said == (
        "cannot write /dev/full: No space left on device; "
        "stopped after 2 lines: 1 stored, 0 stored before, 1 rejected"
    )


def test_standard_input_is_read(home: PrivateHome) -> None:
    done = subprocess.run(
        [*EVTOP, "import", "-", "--at-import-time"],
        input=(GOOD + BAD).encode(),
        env=home.environment,
        cwd=home.directory,
        capture_output=True,
        timeout=WITHIN,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"2 lines: 2 stored, 0 stored before, 0 rejected\n"


def test_interrupted_it_says_how_far_it_came(home: PrivateHome) -> None:
    process = subprocess.Popen(
        [*EVTOP, "import", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=home.environment,
        cwd=home.directory,
    )
    with process:
        try:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write((GOOD * 7).encode())
            process.stdin.flush()
            wait_until(lambda: Path(home.store_url.removeprefix("sqlite:///")).exists() and count(home) == 7)
            process.send_signal(signal.SIGINT)
            # The pipe is still open: a thread that waits for it must not hold up the end.
            assert process.wait(WITHIN) == 130
            said = process.stderr.read().decode()
        finally:
            process.kill()
    assert said == (
        "evtop: stopped after 7 lines: 7 stored, 0 stored before, 0 rejected; what is stored stays\n"
    )


def test_a_file_that_breaks_off_says_how_far_it_came(home: PrivateHome) -> None:
    lines = "".join(GOOD.replace("a.b", f"a.b{number}") for number in range(3000))
    path = written(home, gzip.compress(lines.encode())[:-20], "in.gz")
    said = one_line(evtop(home, "import", str(path)))
    assert said.startswith(f"{path}: it ends within compressed data; stopped after ")
    assert count(home) > 0


@pytest.mark.parametrize(("name", "cause"), [("missing", "No such file"), ("", "Is a directory")])
def test_a_file_that_cannot_be_read_is_one_line(home: PrivateHome, name: str, cause: str) -> None:
    path = home.directory / name
    said = one_line(evtop(home, "import", str(path)))
    assert said.startswith(f"{path}: {cause}")


def test_a_store_that_cannot_be_used_is_one_line(home: PrivateHome) -> None:
    path = written(home, GOOD)
    said = one_line(evtop(home, "import", str(path), EVTOP_STORE="nosuch://u:hunter2@h/db"))
    assert "hunter2" not in said
    assert all(kind in said for kind in ("sqlite:///", "postgresql://", "mysql://"))
    assert said.endswith("stopped after 0 lines: 0 stored, 0 stored before, 0 rejected")


def test_the_events_are_announced_when_asked_for_only(home: PrivateHome) -> None:
    path = written(home, GOOD)
    bus = f"unix://{home.directory}/nothing.sock"
    assert evtop(home, "import", str(path), EVTOP_BUS=bus).stderr == ""
    more = written(home, GOOD.replace("a.b", "a.c"))
    done = evtop(home, "import", str(more), "--announce", EVTOP_BUS=bus)
    assert done.returncode == 0
    assert done.stderr.startswith(f"evtop: announcing to {bus} failed: ")


def test_other_formats_are_read(home: PrivateHome) -> None:
    line = {"event_id": "7", "event_type": "UserLogin", "timestamp": "2026-11-21T12:00:00Z"}
    path = written(home, json.dumps(line))
    assert evtop(home, "import", str(path), "--format", "activity").returncode == 0
    line = {"specversion": "1.0", "id": "7", "source": "/s", "type": "a.b", "time": "2026-11-21T12:00:00Z"}
    path = written(home, json.dumps(line))
    assert evtop(home, "import", str(path), "--format", "cloudevents").returncode == 0
    assert count(home) == 2


def test_lines_that_are_no_events_are_stored_as_a_mapping_says(home: PrivateHome) -> None:
    file, mapping = home.directory / "app.log", home.directory / "m.toml"
    file.write_text('{"t":1762772400,"msg":"Disk full"}\n{"t":"soon","msg":"a"}\n')
    mapping.write_text('event_type = "msg"\ninserted_at = { path = "t", time = "s" }\n')
    for stored in (1, 0):
        done = evtop(home, "import", str(file), "--map", str(mapping), "--reject", "/dev/null")
        assert done.returncode == 3
        assert f"2 lines: {stored} stored, {1 - stored} stored before, 1 rejected" in done.stdout
    assert "2025-11-10" in evtop(home, "tail", "type:log.disk_full").stdout
    mapping.write_text('event_typ = "msg"\n')
    assert "did you mean event_type?" in one_line(evtop(home, "import", str(file), "--map", str(mapping)))
    done = evtop(home, "import", str(file), "--map", str(mapping), "--format", "activity")
    assert "--map is for" in one_line(done)

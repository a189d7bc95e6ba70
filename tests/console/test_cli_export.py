"""`evtop export`: files that are whole or not there, and what is said of them."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from store.event import Event
from tests.console.commands import EVTOP, Running, evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event, make_events
from tests.pty_console import EVTOP as PROGRAM
from tests.pty_console import PrivateHome, PtyConsole


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def test_what_is_exported_can_be_imported_again(home: PrivateHome) -> None:
    stored(home, *make_events(2500), make_event(2500, status=HOSTILE, metadata={HOSTILE: HOSTILE}))
    file = home.directory / "events.jsonl"
    done = evtop(home, "export", "--to", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"2,501 events written to {file} (")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with PrivateHome(EVTOP_BUS="none") as other:
        done = evtop(other, "import", str(file))
        assert done.stdout.startswith("2,501 lines: 2,501 stored")
        assert evtop(other, "tail", "-o", "json", "-n", "9999").stdout == file.read_text()


def test_filter_span_and_zone_are_those_of_tail(home: PrivateHome) -> None:
    stored(home, *(make_event(number, status="odd" if number % 2 else None) for number in range(10)))
    file = home.directory / "events.csv"
    words = ["--zone", "Europe/Berlin", "--since", "2026-11-21T13:00:02", "--until", "2026-11-21T12:00:08Z"]
    done = evtop(home, "export", "status:odd", *words, "--to", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    with file.open(newline="") as lines:
        found = list(csv.DictReader(lines))
    assert [row["inserted_at"] for row in found] == [
        f"2026-11-21T13:00:0{second}.000000+01:00" for second in (3, 5, 7)
    ]
    done = evtop(home, "tail", "status:odd", *words, "-o", "csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, file.read_text(), "")


def test_parquet_goes_to_a_file_and_into_a_pipe(home: PrivateHome) -> None:
    from pyarrow import BufferReader
    from pyarrow.parquet import read_table

    stored(home, *make_events(3))
    file = home.directory / "events.parquet"
    assert evtop(home, "export", "--to", str(file)).stdout.startswith("3 events written to ")
    piped = subprocess.run(
        [*EVTOP, "export", "--to", "-", "-o", "parquet"],
        env=home.environment,
        capture_output=True,
        timeout=20,
    )
    assert (piped.returncode, piped.stderr) == (0, b"")
    for content in (file.read_bytes(), piped.stdout):
        assert read_table(BufferReader(content)).num_rows == 3


def test_what_parquet_needs_is_said_when_it_is_missing(home: PrivateHome) -> None:
    # Found before the package itself.
    (home.directory / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'pyarrow' else found(name, *rest)\n"
    )
    file = home.directory / "events.parquet"
    said = one_line(evtop(home, "export", "--to", str(file), PYTHONPATH=str(home.directory)))
    assert said == "Parquet needs pyarrow: install evtop with the extra 'parquet'"
    assert not file.exists()


def test_stdout_takes_the_format_that_is_named(home: PrivateHome) -> None:
    stored(home, make_event(1, status="=1"), make_event(2, resource_type="a", resource_id="b\nc"))
    done = evtop(home, "export", "--to", "-", "-o", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 3
    assert "'=1" in done.stdout
    assert "b↵c" in done.stdout
    done = evtop(home, "export", "--to", "-", "-o", "ndjson")
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["=1", None]


@pytest.mark.parametrize("to", ["-", "events", "events.xlsx", "\x1b[2J"])
def test_a_name_that_does_not_say_what_the_file_is_is_one_line(home: PrivateHome, to: str) -> None:
    said = one_line(evtop(home, "export", "--to", to))
    assert said.endswith(": say what it is: -o ndjson, -o csv, -o parquet")
    assert said.isprintable()


def test_a_filter_a_time_and_a_zone_that_are_none_are_one_line_and_make_no_file(home: PrivateHome) -> None:
    file = home.directory / "x.csv"
    for words, said in (
        (["severity>=fatal"], "column 11: "),
        (["--since", "soon"], "--since: no moment; "),
        (["--zone", "Europe/Berlim"], "--zone: no zone; did you mean Europe/Berlin?"),
        (["--zone", HOSTILE], "--zone: no zone; write it like "),
        ([], "there is no store at "),
    ):
        assert one_line(evtop(home, "export", "--to", str(file), *words)).startswith(said)
    assert not file.exists()


def test_where_no_file_can_be_is_one_line(home: PrivateHome) -> None:
    stored(home, make_event(1))
    assert one_line(evtop(home, "export", "--to", "/no/x.csv")) == (
        "cannot write /no/x.csv: No such file or directory"
    )
    assert one_line(evtop(home, "export", "--to", "/dev/full", "-o", "csv")) == (
        "cannot write /dev/full: No space left on device"
    )


def test_nothing_found_has_a_status_when_asked_for(home: PrivateHome) -> None:
    stored(home, make_event(1))
    file = home.directory / "x.csv"
    assert evtop(home, "export", "nothing", "--to", str(file)).returncode == 0
    done = evtop(home, "export", "nothing", "--exit-code", "--to", str(file))
    assert (done.returncode, done.stdout.partition(" written")[0]) == (4, "0 events")
    assert evtop(home, "export", "job", "--exit-code", "--to", str(file)).returncode == 0


def test_rows_that_are_no_events_are_left_out_and_counted(home: PrivateHome) -> None:
    stored(home, *make_events(3))
    with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE events SET event_type = 'NO TYPE' WHERE position = 2")
        connection.commit()
    done = evtop(home, "export", "--to", "-", "-o", "ndjson")
    assert (done.returncode, len(done.stdout.splitlines())) == (3, 2)
    assert done.stderr == (
        "evtop: 1 rows that are no events were left out; `evtop tail --malformed` shows them\n"
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_an_export_that_is_stopped_leaves_what_was_there(
    home: PrivateHome, number: signal.Signals, status: int, form: str
) -> None:
    folder = home.directory / "out"
    folder.mkdir()
    file = folder / f"events.{form}"
    file.write_text("before")
    stored(home, *make_events(3))
    # A page that never ends: the store is locked once the export has begun.
    program = (
        "import asyncio, monitor.export.exporting as exporting\n"
        "found = exporting.stored_events\n"
        "async def slow(*arguments):\n"
        "    async for batch in found(*arguments):\n"
        "        yield batch\n"
        "    print('there', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "exporting.stored_events = slow\n"
    )
    (home.directory / "sitecustomize.py").write_text(program)
    with Running(home, "export", "--to", str(file), PYTHONPATH=str(home.directory)) as running:
        running.wait_for("there")
        assert len(list(folder.iterdir())) == 2
        assert running.end(number) == status
        assert running.errors == ""
    assert file.read_text() == "before"
    assert list(folder.iterdir()) == [file]


def test_a_terminal_sees_how_far_it_came(home: PrivateHome) -> None:
    stored(home, *make_events(1500))
    file = home.directory / "events.csv"
    command = ["sh", "-c", f"{PROGRAM} export --to {file}; echo status $?"]
    with PtyConsole(command, environment=home.environment) as console:
        console.wait_for_text("status 0", within=20)
        assert any(line.startswith(f"1,500 events written to {file}") for line in console.lines)
        assert b"1,000 of 1,500 (66 %) events, " in console.output


def test_a_reader_that_closes_the_pipe_ends_it_in_silence(home: PrivateHome) -> None:
    stored(home, *(Event(event_type="a.b", metadata={"x": "y" * 40_000}) for _ in range(5)))
    done = subprocess.run(
        ["sh", "-c", '"$@" export --to - -o ndjson | head -c 1', "sh", *EVTOP],
        env=home.environment,
        capture_output=True,
        timeout=20,
    )
    assert (done.stdout, done.stderr) == (b"{", b"")

"""The command line, run as a user runs it: what is printed where, and the exit status."""

from __future__ import annotations

import json
import signal
import sqlite3
import stat
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from store.event import Event
from tests.console.commands import (
    EVTOP,
    WITHIN,
    Running,
    descendants,
    emitted,
    evtop,
    publish,
    runs,
    stored,
    wait_until,
)
from tests.pty_console import PrivateHome

HOSTILE = "a\x1b]52;c;ZXZ0b3A=\x07b\x9b31mc\u202ed\r\ne[/b]\x00".rstrip("\x00")
"""Escape sequences, a C1 control, a bidi override, a line break and markup."""


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


@pytest.fixture
def home_with_bus() -> Iterator[PrivateHome]:
    """The same with the private bus, as it is when nothing is configured."""
    with PrivateHome() as home:
        yield home


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a command that failed said; one line, and nothing on stdout."""
    assert done.returncode == 1, done
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("evtop: ")
    return lines[0].removeprefix("evtop: ")


def rows(home: PrivateHome) -> list[dict[str, object]]:
    """The rows of the store, read without evtop."""
    with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("SELECT * FROM events ORDER BY position")]


def shown(home: PrivateHome, *words: str) -> list[dict[str, object]]:
    """The events that `tail` prints."""
    done = evtop(home, "tail", "-o", "json", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    return [json.loads(line) for line in done.stdout.splitlines()]


def types(home: PrivateHome, *words: str) -> list[object]:
    return [event["event_type"] for event in shown(home, *words)]


# The program


def test_help_lists_the_commands_and_the_two_variables(home: PrivateHome) -> None:
    done = evtop(home, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("demo", "emit", "tail", "--demo", "--version", "EVTOP_STORE", "EVTOP_BUS"):
        assert word in done.stdout


@pytest.mark.parametrize("command", ["demo", "emit", "tail"])
def test_each_command_has_help(home: PrivateHome, command: str) -> None:
    done = evtop(home, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ")


def test_version(home: PrivateHome) -> None:
    done = evtop(home, "--version")
    assert (done.returncode, done.stdout) == (0, "evtop 0.1.0\n")


def test_the_console_without_a_terminal_says_what_to_use_instead(home: PrivateHome) -> None:
    assert one_line(evtop(home)) == "the console needs a terminal; `evtop tail` prints events to a pipe"
    assert not Path(home.environment["XDG_DATA_HOME"]).exists()


# emit


def test_emit_with_nothing_but_a_type_fills_in_the_rest_and_prints_the_id(home: PrivateHome) -> None:
    done = evtop(home, "emit", "download.failed")
    assert (done.returncode, done.stderr) == (0, "")
    [row] = rows(home)
    assert UUID(done.stdout.strip()) == UUID(str(row["id"]))
    assert (row["event_type"], row["category"], row["severity"]) == ("download.failed", "downloads", "error")
    assert (row["actor_type"], row["actor_id"], row["resource_type"]) == ("system", None, None)


def test_emit_stores_every_option(home: PrivateHome) -> None:
    emitted(
        home,
        *("import.finished", "--resource", "series/brackwater", "--secondary", "episode:s01e02"),
        *("--actor", "user:mo", "--severity", "warning", "--status", "partial", "--category", "library"),
        *("--metadata", '{"files": 3, "note": "über"}'),
    )
    [event] = shown(home)
    assert {name: event[name] for name in event if name not in {"id", "inserted_at", "position"}} == {
        "event_type": "import.finished",
        "category": "library",
        "actor_type": "user",
        "actor_id": "mo",
        "resource_type": "series",
        "resource_id": "brackwater",
        "secondary_resource_type": "episode",
        "secondary_resource_id": "s01e02",
        "metadata": {"files": 3, "note": "über"},
        "status": "partial",
        "severity": "warning",
    }


def test_emit_can_record_an_event_without_severity(home: PrivateHome) -> None:
    emitted(home, "download.failed", "-s", "none")
    assert rows(home)[0]["severity"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Download Failed"], "event_type: "),
        (["failed"], "event_type: "),
        (["a.b", "-s", "fatal"], "severity: Input should be 'info', 'warning' or 'error'"),
        (["a.b", "-a", "robot:7"], "actor_type: Input should be 'user', 'system' or 'job'"),
        (["a.b", "-r", "/7"], "resource_type: "),
        (["a.b", "--category", ""], "category: "),
        (["a.b", "-m", "{"], "--metadata: "),
        (["a.b", "-m", "[1]"], "--metadata: must be a JSON object"),
        (["a.b", "-m", "[" * 100_000], "--metadata: "),
        (["a.b", "-m", '{"x": NaN}'], "metadata: metadata has NaN or an infinity"),
        (["a.b", "-m", '{"x": 1e999}'], "metadata: metadata has NaN or an infinity"),
        (["a.b", "-m", '{"x": "\\u0000"}'], "metadata: U+0000 cannot be stored"),
        (["a.b", "-m", '{"x": "\udcff"}'], "metadata: lone surrogates cannot be stored"),
    ],
)
def test_emit_refuses_in_one_line_and_stores_nothing(home: PrivateHome, words: list[str], said: str) -> None:
    assert one_line(evtop(home, "emit", *words)).startswith(said)
    assert not Path(home.environment["XDG_DATA_HOME"]).exists()


def test_what_emit_refuses_is_quoted_cleaned_or_not_at_all(home: PrivateHome) -> None:
    done = evtop(home, "emit", "a.b", "-m", HOSTILE)
    assert "\x1b" not in one_line(done)
    assert "\x1b" not in one_line(evtop(home, "emit", HOSTILE))


def test_emit_on_the_private_bus_works_in_silence_when_no_console_runs(home_with_bus: PrivateHome) -> None:
    done = evtop(home_with_bus, "emit", "a.b")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(home_with_bus)) == 1
    assert not home_with_bus.bus_socket.exists()


def test_emit_stores_and_warns_when_the_configured_bus_is_away(home: PrivateHome) -> None:
    done = evtop(home, "emit", "a.b", EVTOP_BUS=f"unix://u:hunter2@{home.directory}/nothing.sock")
    assert done.returncode == 0
    assert UUID(done.stdout.strip())
    assert len(rows(home)) == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(f"evtop: announcing to unix://{home.directory}/nothing.sock failed: ")
    assert "hunter2" not in done.stderr


# tail


def test_tail_prints_the_latest_events_oldest_first(home: PrivateHome) -> None:
    stored(home, *(Event(event_type=name) for name in ("a.one", "a.two", "a.three")))
    assert types(home) == ["a.one", "a.two", "a.three"]
    assert types(home, "-n", "2") == ["a.two", "a.three"]
    assert types(home, "-n", "0") == []
    lines = evtop(home, "tail").stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["a.one", "a.two", "a.three"]


def test_tail_of_an_empty_store_prints_nothing(home: PrivateHome) -> None:
    done = evtop(home, "tail")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_tail_takes_a_filter_in_words_or_quoted(home: PrivateHome) -> None:
    stored(
        home,
        Event(event_type="download.failed", resource_type="download", resource_id="9f3a"),
        Event(event_type="download.completed", resource_type="download", resource_id="9f3a"),
        Event(event_type="job.failed", metadata={"error": "timed out"}),
    )
    assert types(home, "type:download.*", "severity>=error") == ["download.failed"]
    assert types(home, "type:download.* severity>=error") == ["download.failed"]
    assert types(home, '"timed out"') == ["job.failed"]
    assert types(home, "--", "-type:job.failed", "-severity:error") == ["download.completed"]
    assert types(home, "nothing-like-it") == []


@pytest.mark.parametrize(
    ("words", "column"), [(["type:"], 6), (["a", "(b"], 5), (["a severity>=fatal"], 13), (["\udcff"], 1)]
)
def test_tail_says_in_which_column_a_filter_breaks(home: PrivateHome, words: list[str], column: int) -> None:
    assert one_line(evtop(home, "tail", *words)).startswith(f"column {column}: ")


def test_tail_cleans_hostile_text_and_escapes_it_in_json(home: PrivateHome) -> None:
    emitted(home, "a.b", "-r", f"file/{HOSTILE}", "--status", HOSTILE, "-m", json.dumps({HOSTILE: HOSTILE}))
    done = evtop(home, "tail")
    [line] = done.stdout.split("\n")[:-1]
    assert line.isprintable()
    assert "␛]52;c;ZXZ0b3A=␇" in line
    assert "[/b]" in line
    [event] = shown(home)
    assert event["resource_id"] == event["status"] == HOSTILE
    assert event["metadata"] == {HOSTILE: HOSTILE}


def test_a_locale_without_the_characters_costs_no_line(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.b", resource_type="film", resource_id="über"))
    done = evtop(home, "tail", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "film/\\xfcber" in done.stdout


@pytest.mark.parametrize("words", [[], ["-f"]])
def test_a_reader_that_closes_the_pipe_ends_tail_in_silence(home: PrivateHome, words: list[str]) -> None:
    # More than a pipe holds, so that writing fails while there is something to write.
    stored(home, *(Event(event_type="a.b", metadata={"x": "y" * 40_000}) for _ in range(3)))
    with subprocess.Popen(
        [*EVTOP, "tail", "-o", "json", *words],
        env=home.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(WITHIN) == 0


def test_a_pipe_that_is_closed_before_the_first_line_ends_tail_in_silence(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.b"))
    done = subprocess.run(
        ["/bin/sh", "-c", '"$@" | true', "sh", *EVTOP, "tail"],
        env=home.environment,
        capture_output=True,
        timeout=WITHIN,
    )
    assert (done.stdout, done.stderr) == (b"", b"")


def test_following_ends_when_the_reader_has_gone_and_something_happens(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.first"))
    with subprocess.Popen(
        [*EVTOP, "tail", "-f"], env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"a.first" in process.stdout.readline()
        process.stdout.close()
        emitted(home, "a.second")
        assert process.stderr.read() == b""
        assert process.wait(WITHIN) == 0


@pytest.mark.parametrize("bus", ["none", "embedded"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_following_shows_what_others_record_and_ends_by_signal(
    home: PrivateHome, bus: str, number: signal.Signals, status: int
) -> None:
    stored(home, Event(event_type="a.before"), Event(event_type="a.last"))
    with Running(home, "tail", "-f", "-n", "1", "type:a.*", EVTOP_BUS=bus) as tail:
        tail.wait_for("a.last")
        stored(home, Event(event_type="b.hidden"))
        emitted(home, "a.later", EVTOP_BUS=bus)
        tail.wait_for("a.later")
        server = descendants(tail.process.pid)
        assert (bus == "embedded") == bool(server)
        assert tail.end(number) == status
        assert tail.errors == ""
        assert [line.split()[2] for line in tail.output.splitlines()] == ["a.last", "a.later"]
        wait_until(lambda: not any(runs(pid) for pid in server))


def test_following_an_empty_store_misses_nothing_and_repeats_nothing(home: PrivateHome) -> None:
    with Running(home, "tail", "-f", "-n", "0", "-o", "json") as tail:
        ids = [emitted(home, "a.b") for _ in range(3)]
        tail.wait_for(ids[-1])
        assert tail.end(signal.SIGINT) == 130
        printed = [json.loads(line)["id"] for line in tail.output.splitlines()]
    # What was recorded before it looked at the store for the first time is none of the latest 0 events.
    assert printed == ids[len(ids) - len(printed) :]


# demo


def test_the_demo_alone_can_be_watched_and_added_to_and_leaves_nothing_behind(
    home_with_bus: PrivateHome,
) -> None:
    home = home_with_bus
    store = Path(home.environment["XDG_DATA_HOME"]) / "evtop" / "demo" / "events.db"
    bus = home.bus_socket.parent / "demo" / "bus.sock"
    with Running(home, "demo", "--no-console", "--rate", "1") as demo:
        demo.wait_for("stop")
        assert f"store  sqlite:///{store}\nbus    unix://{bus}\n" in demo.output
        assert stat.S_IMODE(bus.stat().st_mode) == 0o600
        for folder in (bus.parent, bus.parent.parent, store.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        [server] = [pid for pid, command in descendants(demo.process.pid).items() if "valkey" in command]

        identifier = emitted(home, "--demo", "test.emitted")
        assert identifier in evtop(home, "tail", "--demo", "-o", "json", "type:test.emitted").stdout
        with Running(home, "tail", "--demo", "-f", "type:test.*") as tail:
            tail.wait_for("test.emitted")
            wait_until(lambda: publish(bus, b'{"event_type":"test.published"}') > 0)
            tail.wait_for("test.published")

        assert "running already" in one_line(evtop(home, "demo", "--no-console"))
        assert runs(server)
        assert demo.end(signal.SIGTERM, within=5) == 0
        assert demo.errors == ""
        assert not runs(server)
        assert not bus.exists()


def test_the_demo_alone_ends_by_interrupt_and_the_next_one_starts_anew(home_with_bus: PrivateHome) -> None:
    home = home_with_bus
    for _ in range(2):
        with Running(home, "demo", "--no-console", "--rate", "1") as demo:
            demo.wait_for("stop")
            assert evtop(home, "tail", "--demo", "type:test.emitted").stdout == ""
            emitted(home, "--demo", "test.emitted")
            below = descendants(demo.process.pid)
            assert below
            assert demo.end(signal.SIGINT, within=5) == 0
            assert demo.errors == ""
            assert not any(runs(pid) for pid in below)


def test_a_killed_demo_leaves_no_server(home_with_bus: PrivateHome) -> None:
    with Running(home_with_bus, "demo", "--no-console") as demo:
        demo.wait_for("stop")
        below = descendants(demo.process.pid)
        assert below
        demo.end(signal.SIGKILL)
        wait_until(lambda: not any(runs(pid) for pid in below))


# Settings that cannot be used


def newer_store(home: PrivateHome) -> str:
    """A store that a later evtop has migrated."""
    stored(home, Event(event_type="a.b"))
    with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    return home.store_url


def read_only_store(home: PrivateHome) -> str:
    """A file without tables that must not be written."""
    (home.directory / "empty.db").touch()
    return f"sqlite:///file:{home.directory}/empty.db?mode=ro&uri=true"


def path_below_a_file(home: PrivateHome) -> str:
    (home.directory / "file").touch()
    return f"sqlite:///{home.directory}/file/below/events.db"


def no_database(home: PrivateHome) -> str:
    path = home.directory / "text.db"
    path.write_text("this is no database, whatever its name says" * 100)
    return f"sqlite:///{path}"


UNUSABLE_STORES = {
    "a newer schema": (newer_store, "its schema is version 9999"),
    "read-only": (read_only_store, "readonly database"),
    "a folder": (lambda home: f"sqlite:///{home.directory}", "unable to open database file"),
    "below a file": (path_below_a_file, "Not a directory"),
    "no database": (no_database, "file is not a database"),
    "garbage": (lambda _: "garbage", "not a database URL"),
    "hostile garbage": (lambda _: HOSTILE, "not a database URL"),
    "an unknown kind": (lambda _: "nosuch://u:hunter2@h/db", "only sqlite is supported"),
    "another kind": (lambda _: "postgresql://u:hunter2@h/db?password=hunter2", "only sqlite is supported"),
}


@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail"]], ids=" ".join)
@pytest.mark.parametrize("kind", UNUSABLE_STORES)
def test_a_store_that_cannot_be_used_is_one_line_with_the_setting_and_the_cause(
    home: PrivateHome, kind: str, words: list[str]
) -> None:
    url, cause = UNUSABLE_STORES[kind]
    said = one_line(evtop(home, *words, EVTOP_STORE=url(home)))
    assert said.startswith("EVTOP_STORE")
    assert cause in said
    assert "hunter2" not in said


@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail"], ["tail", "-f"]], ids=" ".join)
@pytest.mark.parametrize("bus", ["garbage", HOSTILE])
def test_a_bus_of_no_known_kind_is_one_line(home: PrivateHome, bus: str, words: list[str]) -> None:
    said = one_line(evtop(home, *words, EVTOP_BUS=bus))
    assert said.startswith("EVTOP_BUS: not a bus")


def test_following_a_store_that_cannot_be_used_is_one_line(home: PrivateHome) -> None:
    said = one_line(evtop(home, "tail", "-f", EVTOP_STORE=path_below_a_file(home)))
    assert said.startswith("EVTOP_STORE")


@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail", "-f"]], ids=" ".join)
@pytest.mark.parametrize("bus", ["redis://[::1", "redis://u:hunter2@h:port", "unix://"])
def test_a_bus_url_that_cannot_be_used_is_one_line_that_does_not_quote_it(
    home: PrivateHome, bus: str, words: list[str]
) -> None:
    said = one_line(evtop(home, *words, EVTOP_BUS=bus))
    assert said.startswith("EVTOP_BUS: ")
    assert "hunter2" not in said


@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail", "-f"], ["demo", "--no-console"]], ids=" ".join)
def test_a_socket_path_that_is_too_long_is_one_line_with_what_to_set(
    home_with_bus: PrivateHome, words: list[str]
) -> None:
    deep = home_with_bus.directory / ("deep" * 30)
    said = one_line(evtop(home_with_bus, *words, XDG_RUNTIME_DIR=str(deep)))
    assert "set XDG_RUNTIME_DIR to a shorter folder" in said

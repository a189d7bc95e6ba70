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

from monitor.settings import NAME_VARIABLE, VARIABLES
from store.bus import CHANNEL
from store.event import Event
from tests.console.commands import (
    EVTOP,
    WITHIN,
    Running,
    descendants,
    emitted,
    evtop,
    one_line,
    publish,
    runs,
    stored,
)
from tests.console.unusable import HOSTILE
from tests.events import make_event
from tests.pty_console import PrivateHome
from tests.valkey import ValkeyServer
from tests.waiting import wait_until

COMMANDS = [
    *("demo", "emit", "tail", "stats", "export", "import", "prune", "dead-letters", "db", "config", "doctor"),
    *("views", "views list", "views remove", "health", "resource", "actor"),
    *(f"dead-letters {command}" for command in ("list", "show", "retry", "discard")),
    "alerts",
    *(
        f"alerts {command}"
        for command in ("list", "ack", "unack", "silence", "unsilence", "silences", "history")
    ),
    *(f"config {command}" for command in ("show", "path", "init")),
    *(f"db {command}" for command in ("status", "upgrade", "partition")),
]


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


def test_help_lists_the_commands_and_the_variables(home: PrivateHome) -> None:
    done = evtop(home, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in (*COMMANDS, "--demo", "--version"):
        assert word.partition(" ")[0] in done.stdout
    # Wrapped to the width of a terminal, as it is.
    shown = " ".join(done.stdout.split())
    for variable in VARIABLES:
        assert variable in shown or variable == NAME_VARIABLE


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(home: PrivateHome, command: str) -> None:
    done = evtop(home, *command.split(), "--help")
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
        (["Download Failed"], "event_type: two or more words of a-z 0-9 _ -, joined by dots"),
        (["failed"], "event_type: two or more words of a-z 0-9 _ -, joined by dots"),
        (["a." + "b" * 127], "event_type: String should have at most 128 characters"),
        (["playback.started"], "'playback.started' requires a resource id"),
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


def test_emit_follows_the_taxonomy_files(home: PrivateHome) -> None:
    files = [home.directory / "first.toml", home.directory / "second.toml"]
    files[0].write_text('[types."a.old"]\ncategory = "first"\n[types."a.new"]\ncategory = "first"\n')
    files[1].write_text(
        '[taxonomy]\nstrict = true\n[types."a.new"]\nseverity = "warning"\ndeprecated_names = ["a.older"]\n'
    )
    both = ":".join(map(str, files))
    emitted(home, "a.older", EVTOP_TAXONOMY=both)
    [event] = shown(home)
    assert (event["event_type"], event["category"], event["severity"]) == ("a.new", "first", "warning")
    said = one_line(evtop(home, "emit", "a.nwe", EVTOP_TAXONOMY=both))
    assert said == "'a.nwe' is no known event type; did you mean 'a.new'?"


@pytest.mark.parametrize(
    "words", [["tail"], ["emit", "a.b"], ["db", "status"], ["import", "/dev/null"]], ids=" ".join
)
def test_a_taxonomy_that_cannot_be_used_is_one_line(home: PrivateHome, words: list[str]) -> None:
    file = home.directory / "broken.toml"
    file.write_text("[types]\n\nx = 1\n")
    said = one_line(evtop(home, *words, EVTOP_TAXONOMY=str(file)))
    assert said.startswith(f"EVTOP_TAXONOMY {file}:3: ")
    said = one_line(evtop(home, *words, EVTOP_TAXONOMY=f"{file}.missing"))
    assert said.endswith("No such file or directory")


def test_variables_that_are_no_setting_are_warned_of_with_the_nearest_one(home: PrivateHome) -> None:
    stored(home)
    unknown = {"EVTOP_STRE": "x", "EVTOP_\x1b[2J": "x", "EVTOP_RETENTION": "x"}
    done = evtop(home, "tail", **unknown)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "evtop: EVTOP_␛[2J is no setting",
        "evtop: EVTOP_RETENTION is no setting; did you mean EVTOP_RETENTION_DAYS?",
        "evtop: EVTOP_STRE is no setting; did you mean EVTOP_STORE?",
    ]
    # The console would draw over it.
    assert one_line(evtop(home, **unknown)).startswith("the console needs a terminal")


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
    assert types(home, "-n", "2") == ["a.two", "a.three"]
    assert types(home, "-n", "0") == []
    lines = evtop(home, "tail").stdout.splitlines()
    assert [line.split()[2] for line in lines] == ["a.one", "a.two", "a.three"]


def test_tail_of_an_empty_store_prints_nothing(home: PrivateHome) -> None:
    stored(home)
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


def test_tail_takes_a_span_of_time(home: PrivateHome) -> None:
    stored(home, *(make_event(number, event_type=f"a.b{number}") for number in range(1, 5)))
    span = ["--since", "2026-11-21T12:00:02Z", "--until", "2026-11-21T12:00:04"]
    assert types(home, *span) == ["a.b2", "a.b3"]
    assert types(home, *span, "-n", "1") == ["a.b3"]
    assert types(home, *span, "type:a.b2") == ["a.b2"]
    assert types(home, "--until", "100000d") == []
    # The environment of this test is in UTC; the moment without an offset is in local time.
    done = evtop(home, "tail", "--count", *span[2:], TZ="Etc/GMT-1")
    assert done.stdout == "0\n"


def test_tail_counts_instead(home: PrivateHome) -> None:
    stored(home, *(make_event(number, status="done" if number % 2 else None) for number in range(25)))
    for words, number in (
        ([], 25),
        (["status:done"], 12),
        (["--since", "2026-11-21T12:00:20Z"], 5),
        (["nothing"], 0),
    ):
        done = evtop(home, "tail", "--count", "-n", "3", *words)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{number}\n", "")
    assert one_line(evtop(home, "tail", "--count", "-f")) == "--count and --follow exclude each other"


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_what_is_no_moment_is_one_line(home: PrivateHome, option: str) -> None:
    said = one_line(evtop(home, "tail", option, HOSTILE))
    assert said.startswith(f"{option}: no moment; write it like 14:05")
    assert not Path(home.environment["XDG_DATA_HOME"]).exists()


def test_following_keeps_to_the_span_of_time(home: PrivateHome) -> None:
    stored(home, make_event(1, event_type="a.first"))
    with Running(
        home, "tail", "-f", "--since", "2026-11-21T12:00:01Z", "--until", "2026-11-21T13:00Z"
    ) as tail:
        tail.wait_for("a.first")
        stored(home, make_event(0, event_type="a.before"), make_event(3600, event_type="a.after"))
        stored(home, make_event(2, event_type="a.within"))
        tail.wait_for("a.within")
        assert [line.split()[2] for line in tail.output.splitlines()] == ["a.first", "a.within"]


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


def test_tail_shows_the_rows_that_are_no_events(home: PrivateHome) -> None:
    stored(home, make_event(1), make_event(2))
    with sqlite3.connect(home.store_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE events SET event_type = 'NO TYPE' WHERE position = 2")
    connection.close()
    done = evtop(home, "tail", "--malformed")
    assert done.stdout == "row 2  event_type: two or more words of a-z 0-9 _ -, joined by dots\n"
    done = evtop(home, "tail", "--malformed", "-o", "json")
    assert json.loads(done.stdout)["position"] == 2
    for words in (["a.b"], ["--count"], ["--since", "1h"]):
        assert one_line(evtop(home, "tail", "--malformed", *words)).startswith("--malformed takes neither")


def test_tail_follows_the_messages_that_are_no_events(home: PrivateHome) -> None:
    with ValkeyServer() as server, Running(home, "tail", "-f", "--malformed", EVTOP_BUS=server.url) as tail:
        wait_until(lambda: server.publish(CHANNEL, HOSTILE.encode()) == 1)
        server.publish(CHANNEL, b'{"event_type":"a.b","severity":"fatal"}')
        tail.wait_for("severity: ")
        lines = tail.output.splitlines()
        assert len(lines) == 2
        assert all(line.isprintable() for line in lines)
        assert "␛]52;c;ZXZ0b3A=␇" in lines[0]
        assert f"{len(HOSTILE.encode())} bytes" in lines[0]


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


@pytest.mark.parametrize(
    ("bus", "number", "status"),
    [("embedded", signal.SIGINT, 130), ("none", signal.SIGTERM, -signal.SIGTERM)],
)
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


def test_following_says_when_the_bus_goes_and_comes_back_and_misses_nothing(
    home: PrivateHome, valkey: ValkeyServer
) -> None:
    with Running(home, "tail", "-f", EVTOP_BUS=valkey.url) as tail:
        wait_until(lambda: valkey.publish(CHANNEL, b'{"event_type":"a.first"}'))
        tail.wait_for("a.first")
        valkey.kill()
        wait_until(lambda: "evtop: reconnecting: " in tail.errors)
        stored(home, Event(event_type="a.meanwhile"))
        tail.wait_for("a.meanwhile")
        valkey.start()
        wait_until(lambda: tail.errors.endswith("evtop: live\n"))
        wait_until(lambda: valkey.publish(CHANNEL, b'{"event_type":"a.last"}'))
        tail.wait_for("a.last")
        assert len(tail.errors.splitlines()) == 2
        assert len(tail.output.splitlines()) == 3


def test_following_an_empty_store_misses_nothing_and_repeats_nothing(home: PrivateHome) -> None:
    with Running(home, "tail", "-f", "-n", "0", "-o", "json") as tail:
        ids: list[str] = []
        while len(ids) < 3 or ids[-3] not in tail.output:
            event = Event(event_type="a.b")
            ids.append(str(event.id))
            stored(home, event)
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


def test_however_a_demo_ends_no_server_is_left_and_the_next_one_starts_anew(
    home_with_bus: PrivateHome,
) -> None:
    home = home_with_bus
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)):
        with Running(home, "demo", "--no-console", "--rate", "1") as demo:
            demo.wait_for("stop")
            assert types(home, "--demo", "type:test.emitted") == []
            emitted(home, "--demo", "test.emitted")
            below = descendants(demo.process.pid)
            assert below
            assert demo.end(number, within=5) == status
            assert demo.errors == ""
            wait_until(lambda below=below: not any(runs(pid) for pid in below))

"""`evtop FILE` and `… | evtop -`: what cannot be opened, and the console over them on a real terminal."""

from __future__ import annotations

import gzip
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.wire import encode
from tests.console.commands import EVTOP, WITHIN, evtop, one_line
from tests.events import make_events
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_state import assert_nothing_broken
from tests.waiting import wait_until


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    with PrivateHome() as home:
        # What is left behind would be seen.
        home.environment["TMPDIR"] = str(home.directory)
        yield home


def written(home: PrivateHome, count: int = 30, name: str = "a.ndjson") -> Path:
    file = home.directory / name
    content = b"".join(encode(event) + b"\n" for event in make_events(count))
    file.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return file


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        ("folder", "Is a directory"),
        (b"\x7fELF\x00\x01", "not text: it has NUL bytes"),
        (b"caf\xe9 au lait", "not text in UTF-8"),
        (b"\x1f\x8bno", "not what gzip wrote"),
    ],
)
def test_what_is_no_text_is_one_line(home: PrivateHome, content: bytes | str | None, reason: str) -> None:
    file = home.directory / "a.log"
    if content == "folder":
        file.mkdir()
    elif isinstance(content, bytes):
        file.write_bytes(content)
    assert one_line(evtop(home, str(file))) == f"{file}: {reason}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_one_line(home: PrivateHome) -> None:
    file = written(home)
    file.chmod(0)
    assert one_line(evtop(home, str(file))) == f"{file}: Permission denied"


def test_a_mapping_that_cannot_be_used_is_one_line(home: PrivateHome) -> None:
    file, mapping = written(home), home.directory / "m.toml"
    mapping.write_text('event_type = "msg"\nseverty = "level"\n')
    assert one_line(evtop(home, str(file), "--map", str(mapping))) == (
        f"{mapping}:2: no field 'severty'; did you mean severity?"
    )
    assert "for files" in one_line(evtop(home, "--map", str(mapping)))
    assert "for files" in one_line(evtop(home, "--map", str(mapping), "keys"))
    assert "another place" in one_line(evtop(home, "--demo", str(file)))


def test_what_looks_like_neither_file_nor_command_is_a_command_that_is_not_there(home: PrivateHome) -> None:
    done = evtop(home, "tial")
    assert done.returncode == 2
    assert "No such command 'tial'" in done.stderr
    assert "needs a terminal" in one_line(evtop(home, str(written(home))))
    assert "[FILE]..." in evtop(home, "--help").stdout


def on_terminal(home: PrivateHome, line: str) -> PtyConsole:
    return PtyConsole(["sh", "-c", line], environment=home.environment)


@pytest.mark.pty
def test_files_open_in_the_console_with_a_filter_and_leave_nothing_behind(home: PrivateHome) -> None:
    written(home, 30)
    written(home, 20, "b.ndjson.gz")
    words = [*EVTOP, "a.ndjson", "--query", "severity:info", "b.ndjson.gz"]
    console = PtyConsole(words, environment=home.environment, directory=home.directory)
    with console:
        console.wait_for_text("✓ read", WITHIN)
        # The events of the second are among those of the first.
        console.wait_for_text("50 lines", WITHIN)
        console.wait_for_text("severity:info", WITHIN)
        console.wait_for_text("12:00:29.000", WITHIN)
        assert any("a.ndjson +1" in line for line in console.lines)
        assert len(list(home.directory.glob("evtop-files-*"))) == 1
        console.press("enter")
        console.wait_for_text("no metadata", WITHIN)
        console.press("q")
        console.wait_for(lambda console: "no metadata" not in console.text, WITHIN)
        console.press("q")
        assert console.wait_for_end(WITHIN) == 0
    assert list(home.directory.glob("evtop-files-*")) == []


@pytest.mark.pty
def test_a_pipe_is_followed_while_keys_come_from_the_terminal(home: PrivateHome) -> None:
    file, more = written(home, 3), home.directory / "more"
    os.mkfifo(more)
    line = f"cat {shlex.quote(str(file))} {shlex.quote(str(more))} | {shlex.join(EVTOP)} -"
    with on_terminal(home, line) as console:
        console.wait_for_text("● following", WITHIN)
        console.wait_for_text("12:00:02.000", WITHIN)
        with more.open("wb", buffering=0) as end:
            end.write(b'{"event_type":"job.failed","metadata":{"error":"\\u001b[31mdisk full"}}\nnot json\n')
            console.wait_for_text("disk full", WITHIN)
            console.wait_for_text("malformed 1", WITHIN)
            console.press("/")
            console.wait_for_text("field:value", WITHIN)
            console.press("disk", "enter")
            console.wait_for(lambda console: "12:00:02.000" not in console.text, WITHIN)
        console.wait_for_text("✓ read", WITHIN)
        console.press("q")
        assert console.wait_for_end(WITHIN) == 0
        assert_nothing_broken(console)


@pytest.mark.pty
def test_a_pipe_without_a_pipe_says_so(home: PrivateHome) -> None:
    with PtyConsole([*EVTOP, "-"], environment=home.environment) as console:
        assert console.wait_for_end(WITHIN) == 1
        assert "COMMAND | evtop -" in console.text


@pytest.mark.pty
def test_a_console_that_was_killed_leaves_what_the_next_one_takes_away(home: PrivateHome) -> None:
    file = written(home)
    with PtyConsole([*EVTOP, str(file)], environment=home.environment) as console:
        console.wait_for_text("✓ read", WITHIN)
        (left,) = home.directory.glob("evtop-files-*")
        os.kill(console.pid, 9)
        console.wait_for_end(WITHIN)
    assert left.exists()
    with PtyConsole([*EVTOP, str(file)], environment=home.environment) as console:
        console.wait_for_text("✓ read", WITHIN)
        wait_until(lambda: not left.exists())

"""The way in and out of `evtop`: what is not there, what cannot be written, and which store is meant."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from store.event import Event
from tests.console.commands import EVTOP, evtop, one_line, stored
from tests.pty_console import PrivateHome

LOOKS = [
    ["tail"],
    ["tail", "--count"],
    ["tail", "--demo"],
    ["prune", "--dry-run"],
    ["prune"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "1"],
    ["dead-letters", "retry", "--all"],
    ["alerts", "list"],
    ["alerts", "ack", "x"],
    ["alerts", "silence", "x", "--for", "1h"],
]


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def in_shell(home: PrivateHome, words: str) -> subprocess.CompletedProcess[str]:
    """Run `evtop` with `words`, which a shell reads: redirections too."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {words}', "sh", *EVTOP],
        env=home.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
    )


def test_what_only_looks_makes_no_store(home: PrivateHome) -> None:
    for words in LOOKS:
        said = one_line(evtop(home, *words))
        assert said.startswith("there is no store at "), words
        assert said.endswith("events.db; nothing was recorded there yet"), words
    assert not list(home.directory.rglob("*.db"))


def test_the_demo_is_not_taken_for_another_store(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.b"))
    assert one_line(evtop(home, "--demo", "prune", "--days", "0.000001")) == (
        "--demo goes after the command: evtop prune --demo"
    )
    assert evtop(home, "tail", "--count").stdout == "1\n"
    assert one_line(evtop(home, "emit", "--demo", "a.b")) == "no demo is running; `evtop demo` starts one"


@pytest.mark.parametrize("words", ["tail", "tail -o json", "tail --count", "emit a.c", "db status", "--help"])
def test_output_that_cannot_be_written_is_one_line(home: PrivateHome, words: str) -> None:
    stored(home, Event(event_type="a.b"))
    done = in_shell(home, f"{words} >/dev/full")
    assert one_line(done) == "the output could not be written: No space left on device"


def test_more_output_than_fits_a_buffer_is_one_line_too(home: PrivateHome) -> None:
    stored(home, *(Event(event_type="a.b", metadata={"text": "x" * 500}) for _ in range(100)))
    done = in_shell(home, "tail -n 100 -o json >/dev/full")
    assert one_line(done) == "the output could not be written: No space left on device"
    assert in_shell(home, "tail -n 100 -o json | head -n 1").stdout.count("\n") == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_harm_nothing(home: PrivateHome, closed: str, tmp_path: Path) -> None:
    stored(home, Event(event_type="a.b"))
    # A setting that is none of ours is warned of, on a stderr that may not be there.
    done = in_shell(PrivateHomeWith(home, EVTOP_STROE="x"), f"tail -o json {closed}")
    assert done.returncode == 0
    assert done.stderr == "" or done.stderr.startswith("evtop: EVTOP_STROE is no setting")
    assert len(done.stdout.splitlines()) == (0 if ">&-" in closed.split() else 1)
    # Nothing was written into the store by way of a number that a file took.
    assert evtop(home, "tail", "--count").stdout == "1\n"


class PrivateHomeWith(PrivateHome):
    """`home` with more variables."""

    def __init__(self, home: PrivateHome, **variables: str) -> None:
        self.environment = {**home.environment, **variables}


def test_an_interrupt_at_any_time_of_the_start_leaves_no_traceback(home: PrivateHome) -> None:
    for delay in (0.05, 0.1, 0.2, 0.4):
        process = subprocess.Popen(
            [*EVTOP, "tail", "-f"],
            env=home.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                process.wait(delay)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, 2)
            _, errors = process.communicate(timeout=10)
        # Before `run()` is called, the interpreter itself tells of an interrupt.
        assert "in run" not in errors, errors


def test_an_interrupt_while_output_is_written_out_at_the_end_leaves_no_traceback() -> None:
    """A second ^C, while what the first one has begun is being ended."""
    code = """
import io, signal, sys
from monitor.cli import entry
class Out(io.StringIO):
    def flush(self):
        if not interrupts:
            interrupts.append(1)
            signal.raise_signal(signal.SIGINT)
interrupts = []
entry.CleanStream = lambda stream: Out()
sys.argv = ["evtop", "--version"]
entry.run()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, "")

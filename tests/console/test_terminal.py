"""The console on a real terminal: how it starts, how it ends, and what hostile text can do to it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from store.event import Event
from tests.console.commands import (
    EVTOP,
    WITHIN,
    descendants,
    emitted,
    publish,
    runs,
    stored,
    wait_until,
)
from tests.console.unusable import HOSTILE, UNUSABLE_STORES
from tests.job_shell import JobShell
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_state import (
    ENTERED,
    SHOWN_AT_REST,
    after_the_screen,
    assert_nothing_broken,
    assert_terminal_given_back,
    modes_left_on,
)

pytestmark = pytest.mark.pty

END_WITHIN = 20.0
REMEMBERING = 'cd "$0"; stty -g >before; "$@"; echo $? >status; stty -g >after'
"""A shell around the console, that notes how the terminal was before and is afterwards."""
A_FILE = b'{"event_type":"file.seen"}'
AN_EMPTY_CONSOLE = (" evtop", "Categories", "no component reported yet", "nothing is firing", " ? help")


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, with nothing configured: the bus is the private one."""
    with PrivateHome() as home:
        yield home


def console_on(home: PrivateHome, *words: str, size: tuple[int, int] = (120, 40), **more: str) -> PtyConsole:
    return PtyConsole(
        [*EVTOP, *words], columns=size[0], rows=size[1], environment={**home.environment, **more}
    )


def is_stuck(console: PtyConsole, home: PrivateHome) -> bool:
    """Whether the console does nothing while events come in. It is given more to draw as long as it does something."""
    for _ in range(20):
        console.press("ctrl+l")
        until = time.monotonic() + 0.03
        wait_until(lambda until=until: time.monotonic() >= until)
    began, before = time.monotonic(), console.cpu_seconds()
    while time.monotonic() < began + 0.4:
        publish(home.bus_socket, A_FILE)
    return console.cpu_seconds() - before < 0.02


def consoles_below(terminal: PtyConsole) -> list[int]:
    return [pid for pid, command in descendants(terminal.pid).items() if command.split()[:3] == EVTOP]


def is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


# Start and end


@pytest.mark.parametrize(
    ("how", "status"), [("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130), ("q", 0), ("^C twice", 0)]
)
def test_however_it_ends_the_terminal_is_as_before_and_no_server_is_left(
    home: PrivateHome, how: str, status: int
) -> None:
    command = ["/bin/sh", "-c", REMEMBERING, str(home.directory), *EVTOP]
    with PtyConsole(command, environment=home.environment) as shell:
        shell.wait_for_text("● live", WITHIN)
        shell.wait_for_text("no events yet", WITHIN)
        [(pid, _)] = [entry for entry in descendants(shell.pid).items() if "monitor" in entry[1]]
        [server] = descendants(pid)
        if how.startswith("SIG"):
            asked = time.monotonic()
            os.kill(pid, signal.Signals[how])
        elif how == "q":
            asked = shell.press("q")
        else:
            shell.press("ctrl+c")
            shell.wait_for_text("press ^C again to quit", END_WITHIN)
            assert runs(pid)
            asked = shell.press("ctrl+c")
        wait_until(lambda: not runs(pid), END_WITHIN)
        assert time.monotonic() - asked <= END_WITHIN
        assert shell.wait_for_end(WITHIN) == 0
        assert_terminal_given_back(shell.output)
        assert after_the_screen(shell.output) == []
    assert (home.directory / "status").read_text() == f"{status}\n"
    assert (home.directory / "after").read_text() == (home.directory / "before").read_text()
    wait_until(lambda: not runs(server))
    assert not home.bus_socket.exists()


@pytest.mark.parametrize(
    ("how", "delay", "statuses"),
    # Before the terminal is taken, the key is a signal.
    [("SIGTERM", 0.0, {143}), ("SIGTERM", 0.02, {143}), ("^C twice", 0.0, {0, 130})],
)
def test_an_end_while_the_console_takes_the_terminal_gives_it_back(
    home: PrivateHome, how: str, delay: float, statuses: set[int]
) -> None:
    with console_on(home) as console:
        taken = console.wait_for(lambda console: ENTERED in console.output, WITHIN)
        wait_until(lambda: time.monotonic() >= taken + delay)
        if how == "^C twice":
            console.press("ctrl+c", "ctrl+c")
        else:
            console.signal(signal.Signals[how])
        assert console.wait_for_end(WITHIN) in statuses
        assert_nothing_broken(console)
        assert after_the_screen(console.output) == []


def test_a_console_that_is_asked_for_it_quits_at_once_and_says_where_it_was(home: PrivateHome) -> None:
    with console_on(home) as console:
        console.wait_for_text("● live", WITHIN)
        below = descendants(console.pid)
        console.signal(signal.SIGQUIT)
        assert console.wait_for_end(END_WITHIN) == 128 + signal.SIGQUIT
        assert_nothing_broken(console)
        said = after_the_screen(console.output)
        assert any(line.startswith("Current thread 0x") for line in said)
        assert any("asyncio" in line for line in said)
        wait_until(lambda: not any(runs(pid) for pid in below))


def test_a_terminal_that_takes_no_output_keeps_nobody_waiting(home: PrivateHome) -> None:
    with console_on(home) as console:
        console.wait_for_text("● live", WITHIN)
        console.stop_reading()
        wait_until(lambda: is_stuck(console, home), WITHIN)
        asked = time.monotonic()
        console.signal(signal.SIGTERM)
        wait_until(lambda: not runs(console.pid), END_WITHIN)
        assert time.monotonic() - asked > 1.0, "it could still write, and ended in order"
        console.read_on()
        assert console.wait_for_end(WITHIN) == 143
        assert_nothing_broken(console)


def test_an_event_that_another_process_records_appears(home: PrivateHome) -> None:
    with console_on(home) as console:
        console.wait_for_text("● live", WITHIN)
        emitted(home, "download.failed", "-r", "download/9f3a", "-m", '{"error": "tracker timed out"}')
        console.wait_for(
            lambda console: any(
                "download.failed" in line and "download/9f3a" in line and "tracker timed out" in line
                for line in console.lines
            ),
            WITHIN,
        )


def test_a_killed_console_leaves_no_server(home: PrivateHome) -> None:
    with console_on(home) as console:
        console.wait_for_text("● live", WITHIN)
        [server] = descendants(console.pid)
        console.signal(signal.SIGKILL)
        assert console.wait_for_end(WITHIN) == -signal.SIGKILL
        wait_until(lambda: not runs(server))


@pytest.mark.parametrize("how", ["SIGKILL", "q"])
def test_a_demo_that_ends_leaves_neither_server_nor_application(home: PrivateHome, how: str) -> None:
    with console_on(home, "demo", "--rate", "20") as console:
        console.wait_for_text("● live", WITHIN)
        console.wait_for(lambda console: not re.search(r"\b0 received", console.text), WITHIN)
        below = descendants(console.pid)
        assert sum("valkey" in command for command in below.values()) == 1
        assert sum("monitor.demo" in command for command in below.values()) == 1
        if how == "q":
            console.press("q")
            assert console.wait_for_end(END_WITHIN) == 0
            assert_terminal_given_back(console.output)
        else:
            console.signal(signal.SIGKILL)
        wait_until(lambda: not any(runs(pid) for pid in below))


def test_a_demo_can_be_left_while_it_still_prepares_its_past(home: PrivateHome) -> None:
    with console_on(home, "demo") as console:
        console.wait_for(lambda console: len(descendants(console.pid)) == 2, WITHIN)
        below = descendants(console.pid)
        console.press("q")
        assert console.wait_for_end(END_WITHIN) == 0
        assert_terminal_given_back(console.output)
        assert after_the_screen(console.output) == []
        wait_until(lambda: not any(runs(pid) for pid in below))


def test_a_terminal_that_goes_away_ends_the_console(home: PrivateHome) -> None:
    # With SIGHUP ignored, nothing but the terminal itself tells that it is gone.
    script = 'trap "" HUP; exec "$@" 2>"$0"'
    with PtyConsole(
        ["/bin/sh", "-c", script, str(home.directory / "errors"), *EVTOP], environment=home.environment
    ) as console:
        # What is drawn goes to stdout, so that errors can be kept.
        console.wait_for_text("● live", WITHIN)
        below = descendants(console.pid)
        console.signal(signal.SIGHUP)
        publish(home.bus_socket, A_FILE)
        console.wait_for_text("file.seen", WITHIN)
        gone = console.hang_up()
        while runs(console.pid) and time.monotonic() < gone + 5.0:
            # It has something to draw until its bus ends.
            with suppress(OSError, AssertionError):
                publish(home.bus_socket, A_FILE)
        ended = console.wait_for_end(1.0)
        assert ended == 128 + signal.SIGHUP, (home.directory / "errors").read_text()
        assert below
        wait_until(lambda: not any(runs(pid) for pid in below))
    assert (home.directory / "errors").read_text() == ""
    assert not home.bus_socket.exists()


# Terminals that cannot be used


@pytest.mark.parametrize(
    ("how", "cause"),
    [
        ('"$@" </dev/null', "needs a terminal"),
        ('"$@" <&-', "needs a terminal"),
        ('"$@" | cat', "needs a terminal"),
        ('TERM=dumb "$@"', "TERM is dumb"),
        ('unset TERM; "$@"', "TERM is not set"),
        ('stty rows 0 columns 0; "$@"', "stty rows 24 columns 80"),
    ],
)
def test_a_terminal_that_cannot_be_used_is_one_line(home: PrivateHome, how: str, cause: str) -> None:
    # The shell keeps the status of the console, which a pipe would hide.
    script = f'evtop() {{ "$@"; echo $? >"$0"; }}; set -- evtop "$@"; {how}'
    command = ["/bin/sh", "-c", script, str(home.directory / "status"), *EVTOP]
    with PtyConsole(command, environment=home.environment) as shell:
        assert shell.wait_for_end(WITHIN) == 0
        [line] = after_the_screen(shell.output)
        assert line.startswith("evtop: ")
        assert cause in line
        assert b"\x1b" not in shell.output
    assert (home.directory / "status").read_text() == "1\n"


def test_rules_that_cannot_be_read_are_one_line(home: PrivateHome) -> None:
    file = home.directory / "rules.toml"
    file.write_text("[rules.r]\n")
    with console_on(home, EVTOP_RULES=str(file)) as console:
        assert console.wait_for_end(WITHIN) == 1
        [line] = after_the_screen(console.output)
        assert line.startswith(f"evtop: EVTOP_RULES {file}:1: 'r' has no kind")
        assert b"\x1b" not in console.output


def test_a_terminal_that_gets_its_size_late_is_used(home: PrivateHome) -> None:
    command = ["/bin/sh", "-c", 'stty rows 0 columns 0; echo; exec "$@"', "sh", *EVTOP]
    with PtyConsole(command, environment=home.environment) as console:
        console.wait_for(lambda console: console.output, WITHIN)
        console.resize(100, 30)
        console.wait_for_text("no events yet", WITHIN)
        assert console.lines[-1].startswith(" ? help")


# Stopping and going on


def test_a_stopped_console_gives_the_terminal_back_and_takes_it_again(home: PrivateHome) -> None:
    with JobShell(home) as jobs:
        terminal = jobs.terminal
        jobs.run("stty -g >>modes")
        # Whatever waits for it has to stop too, as with `make` and `uv run`, or the shell would not come back.
        jobs.run(shlex.join(["sh", "-c", '"$@"; exit', "sh", *EVTOP]) + " &")
        wait_until(lambda: [p for p in consoles_below(terminal) if is_stopped(p)], WITHIN)
        [pid] = consoles_below(terminal)
        assert ENTERED not in terminal.output
        jobs.enter("fg")
        terminal.wait_for_text("● live", WITHIN)
        taken = terminal.attributes()
        terminal.press("ctrl+z")
        jobs.wait_for_prompt()
        assert_terminal_given_back(terminal.output)
        jobs.run("stty -g >>modes")
        emitted(home, "a.meanwhile")
        # In the background it stops again at once, and draws nothing.
        jobs.run("bg")
        wait_until(lambda: is_stopped(pid))
        assert terminal.output.count(ENTERED) == 1

        terminal.start_over()
        jobs.enter("fg")
        # All of it is drawn, not only what is new.
        for text in (*AN_EMPTY_CONSOLE, "a.meanwhile"):
            terminal.wait_for_text(text, WITHIN)
        assert terminal.attributes() == taken
        terminal.press("ctrl+z")
        jobs.wait_for_prompt()
        jobs.run("kill %%; kill -CONT %%")
        wait_until(lambda: not runs(pid), WITHIN)
        jobs.run("stty -g >>modes")
        assert_terminal_given_back(terminal.output, times=2)
    before, stopped, after = (home.directory / "modes").read_text().split()
    assert before == stopped == after


def test_a_console_that_no_shell_could_continue_is_only_stopped_by_force(home: PrivateHome) -> None:
    with console_on(home) as console:
        console.wait_for_text("● live", WITHIN)
        console.signal(signal.SIGTSTP)
        console.press("ctrl+z")
        console.wait_for_text("there is no shell that could continue evtop", WITHIN)
        assert console.output.count(ENTERED) == 1

        console.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        wait_until(lambda: is_stopped(console.pid))
        stored(home, *(Event(event_type="a.unannounced") for _ in range(1000)))
        for _ in range(200):
            publish(home.bus_socket, b'{"event_type":"a.announced"}')
        wait_until(lambda: time.monotonic() > stopped + 1.2)
        console.start_over()
        console.signal(signal.SIGCONT)
        console.wait_for_text("evtop was stopped for", WITHIN)
        # Whoever stopped it may have left the terminal in any state, so all of it is drawn anew.
        for text in (*AN_EMPTY_CONSOLE, "a.announced", "1,200 received"):
            console.wait_for_text(text, WITHIN)
        console.press("q")
        assert console.wait_for_end(WITHIN) == 0
        assert_terminal_given_back(console.output, times=2)
        assert_nothing_broken(console)


# Settings that cannot be used


@pytest.mark.parametrize(
    "kind", ["a newer schema", "read-only", "a folder", "hostile garbage", "another kind"]
)
def test_a_store_that_cannot_be_used_ends_the_console_with_one_line(home: PrivateHome, kind: str) -> None:
    url, cause = UNUSABLE_STORES[kind]
    with console_on(home, EVTOP_STORE=url(home), EVTOP_BUS="none") as console:
        assert console.wait_for_end(WITHIN) == 1
        assert_terminal_given_back(console.output)
        [line] = after_the_screen(console.output)
    assert line.startswith("evtop: EVTOP_STORE")
    assert cause in line
    assert "hunter2" not in console.output.decode()


@pytest.mark.parametrize("bus", ["garbage", HOSTILE, "redis://u:hun#ter2@h:port"])
def test_a_bus_that_cannot_be_used_ends_the_console_with_one_line(home: PrivateHome, bus: str) -> None:
    with console_on(home, EVTOP_BUS=bus) as console:
        assert console.wait_for_end(WITHIN) == 1
        assert modes_left_on(console.output) <= SHOWN_AT_REST
        [line] = after_the_screen(console.output)
    assert line.startswith("evtop: EVTOP_BUS: ")
    assert not re.search(rb"hun#?ter2|hun", console.output)


def test_a_socket_path_that_is_too_long_ends_the_console_with_what_to_set(home: PrivateHome) -> None:
    with console_on(home, XDG_RUNTIME_DIR=str(home.directory / ("deep" * 30))) as console:
        assert console.wait_for_end(WITHIN) == 1
        [line] = after_the_screen(console.output)
    assert "set XDG_RUNTIME_DIR to a shorter folder" in line


# Hostile text

FORBIDDEN = re.compile("[\x05\x08\x0e\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What the console writes none of by itself. `tests/faults/test_hostile_text.py` holds all of its output to a list."""


def test_hostile_text_pasted_into_the_filter_stays_text(home: PrivateHome) -> None:
    with console_on(home, EVTOP_BUS="none") as console:
        console.wait_for_text("no events yet", WITHIN)
        console.press("/")
        console.wait_for_text("words, field:value", WITHIN)
        # A terminal takes the escape character out of what is pasted, and lets these through.
        console.press("\x1b[200~" + "ab\x9b4322mc\u202ed[/b]" + "\x1b[201~")
        console.wait_for_text("[/b]", WITHIN)
        console.press("enter")
        console.wait_for_text("? help", WITHIN)
        assert "Timeline · ab" in console.text
        console.press("q")
        assert console.wait_for_end(END_WITHIN) == 0
        assert not FORBIDDEN.findall(console.output.decode())


def test_keys_that_come_in_one_piece_do_what_they_would_one_by_one() -> None:
    """As over a slow line: leave what is open, filter, leave, and open the help."""
    with PrivateHome() as home, PtyConsole(EVTOP, environment=home.environment) as console:
        console.wait_for_text("no events yet", WITHIN)
        console.press("?", "escape", "/", *"type:z.z", "enter", "?", "escape", "!", "3")
        console.wait_for_text("Timeline · type:z.z severity>=error", WITHIN)
        assert "Help" not in console.text

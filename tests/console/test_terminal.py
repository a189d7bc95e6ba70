"""The console on a real terminal: how it starts, how it ends, and what hostile events can do to it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from store.embedded import dying_with_parent
from tests.console.commands import (
    EVTOP,
    WITHIN,
    descendants,
    emitted,
    publish,
    runs,
    wait_until,
)
from tests.console.unusable import HOSTILE, UNUSABLE_STORES
from tests.pty_console import PrivateHome, PtyConsole

pytestmark = pytest.mark.pty

ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
END_WITHIN = 2.0
SHOWN_AT_REST = {7, 25}
"""Modes that a terminal has on by itself: wrapping at the right edge, and the cursor."""
REMEMBERING = 'cd "$0"; stty -g >before; "$@"; echo $? >status; stty -g >after'
"""A shell around the console, that notes how the terminal was before and is afterwards."""


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, with nothing configured: the bus is the private one."""
    with PrivateHome() as home:
        yield home


def console_on(home: PrivateHome, *words: str, size: tuple[int, int] = (120, 40), **more: str) -> PtyConsole:
    return PtyConsole(
        [*EVTOP, *words], columns=size[0], rows=size[1], environment={**home.environment, **more}
    )


def modes_left_on(output: bytes | bytearray) -> set[int]:
    """Private modes of the terminal that are on after `output`, of those that it touches."""
    modes: dict[int, bool] = {}
    for numbers, switch in re.findall(rb"\x1b\[\?([0-9;]+)([hl])", output):
        for number in numbers.split(b";"):
            modes[int(number)] = switch == b"h"
    return {number for number, on in modes.items() if on}


def assert_terminal_given_back(output: bytes | bytearray) -> None:
    assert output.count(ENTERED) == output.count(LEFT) == 1
    assert modes_left_on(output) == SHOWN_AT_REST
    # The keyboard protocol is a stack: each push needs its pop.
    assert len(re.findall(rb"\x1b\[>[0-9]+u", output)) == len(re.findall(rb"\x1b\[<[0-9]*u", output))


def after_the_screen(output: bytes | bytearray) -> list[str]:
    """Lines that stand in the terminal after the console has left it."""
    rest = re.sub(rb"\x1b\[[?<>]?[0-9;]*[a-zA-Z]", b"", bytes(output).rpartition(LEFT)[2])
    return [line for line in rest.decode().split("\r\n") if line]


# Start and end


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "q", "^C twice"])
def test_however_it_ends_the_terminal_is_as_before_and_no_server_is_left(home: PrivateHome, how: str) -> None:
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
    assert (home.directory / "status").read_text() == "0\n"
    assert (home.directory / "after").read_text() == (home.directory / "before").read_text()
    wait_until(lambda: not runs(server))
    assert not home.bus_socket.exists()


@pytest.mark.parametrize("delay", [0.0, 0.02])
def test_a_signal_while_the_console_takes_the_terminal_gives_it_back(home: PrivateHome, delay: float) -> None:
    with console_on(home) as console:
        taken = console.wait_for(lambda console: ENTERED in console.output, WITHIN)
        wait_until(lambda: time.monotonic() >= taken + delay)
        console.signal(signal.SIGTERM)
        assert console.wait_for_end(END_WITHIN) == 0
        assert_terminal_given_back(console.output)
        assert after_the_screen(console.output) == []


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
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    forked = dying_with_parent() if sys.platform == "linux" else None

    def own_the_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        if forked is not None:
            forked()

    process = subprocess.Popen(
        EVTOP,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=home.environment,
        start_new_session=True,
        preexec_fn=own_the_terminal,
    )
    os.close(slave)
    try:
        output = b""
        deadline = time.monotonic() + WITHIN
        while "● live".encode() not in output:
            assert select.select([master], [], [], max(0.0, deadline - time.monotonic()))[0], output
            output += os.read(master, 65536)
        below = descendants(process.pid)
        os.close(master)
        process.wait(5)
        wait_until(lambda: not any(runs(pid) for pid in below))
    finally:
        process.kill()
        process.wait()


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


# Hostile events

TAG = "Zq"
CONTROLS = {
    "colour": "\x1b[4321m",
    "clipboard": f"\x1b]52;c;{TAG}\x07",
    "title": f"\x1b]0;{TAG}\x1b\\",
    "link": f"\x1b]8;;{TAG}:\x1b\\",
    "device": f"\x1bP{TAG}\x1b\\",
    "one-byte": f"\x9b4322m\x9d52;c;{TAG}\x9c",
    "bidi": "\u202e\u2066\u200f",
    "lines": f"\r\n{TAG}FORGED\r{TAG}FORGED\x0b\x0c\x85\u2028",
    "bytes": "\b\b\x7f\a\x0e\x05",
    "markup": "[/b][@click=app.quit]x[/][red]",
}
POISON = "".join(CONTROLS.values())
FORBIDDEN = re.compile(
    r"\x1b\[4321m|\x1b[\]P_^X][^\x07\x1b]*Zq"
    r"|[\x05\x08\x0e\x7f-\x9f]"
    r"|[\u200e\u200f\u2028-\u202e\u2066-\u2069]"
    r"|[\r\n\x0b\x0c]ZqFORGED"
)
"""What of `CONTROLS` must not be in the output of the console, which writes none of it by itself."""


def poisoned(number: int, **fields: object) -> bytes:
    """A message with poison in every field that takes free text. `number` makes resource and category distinct."""
    event: dict[str, object] = {
        "event_type": "job.failed",
        "category": f"c{number}{POISON}"[:64],
        "resource_type": "job",
        "resource_id": f"r{number}{POISON}",
        "secondary_resource_type": f"s{POISON}"[:64],
        "secondary_resource_id": POISON,
        "actor_type": "user",
        "actor_id": POISON,
        "status": POISON[:64],
        "metadata": {POISON: POISON, "error": POISON, "lines": [POISON, {POISON: [POISON]}]},
        **fields,
    }
    return json.dumps(event).encode()


@pytest.mark.parametrize("size", [(120, 40), (80, 24)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_hostile_events_reach_no_screen_as_anything_but_text(
    home: PrivateHome, size: tuple[int, int]
) -> None:
    with console_on(home, size=size, EVTOP_NAME="n\x1b[4321m\x9b\u202e") as console:
        console.wait_for_text("● live", WITHIN)
        for name, control in CONTROLS.items():
            publish(home.bus_socket, json.dumps({"event_type": f"a.{control}", "status": name}).encode())
        publish(home.bus_socket, POISON.encode())
        publish(home.bus_socket, b"\x9b4322m\x1b[4321m\xff")
        if size[0] >= 100:
            console.wait_for_text(f"malformed {len(CONTROLS) + 2}", WITHIN)
        publish(home.bus_socket, poisoned(1, event_type="component.health_changed", status="down"))
        publish(home.bus_socket, poisoned(2))
        console.wait_for_text("r2␛[4321m", WITHIN)

        console.press("enter")
        console.wait_for_text("r resource · R secondary", WITHIN)
        console.wait_for_text("job/r2␛[4321m␛]52;c;Zq␇", WITHIN)
        console.press("end")
        console.wait_for_text("[@click=app.quit]x[/]", WITHIN)
        console.press("r")
        console.wait_for_text("Its timeline", WITHIN)
        console.wait_for_text("╭─ job/r2␛[4321m", WITHIN)
        console.press("q")
        console.wait_for_text("space freeze", WITHIN)

        console.press("2" if size[0] >= 100 else "s")
        console.wait_for_text("● c2␛[4321m", WITHIN)
        console.press("X")
        console.press("1" if size[0] >= 100 else "s")
        console.wait_for(lambda console: re.search(r"Timeline · .*c[12]␛\[4321m", console.text), WITHIN)
        console.press("C")
        console.wait_for(lambda console: "Timeline · " not in console.text, WITHIN)
        console.press("a")
        console.wait_for_text("Alerts", WITHIN)
        console.press("?")
        console.wait_for_text("keys of the", WITHIN)
        console.press("?")
        console.wait_for(lambda console: "keys of the" not in console.text, WITHIN)
        console.press("q")
        assert console.wait_for_end(END_WITHIN) == 0
        assert_terminal_given_back(console.output)
        assert not FORBIDDEN.findall(console.output.decode())
        assert after_the_screen(console.output) == []


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


# Resizing


def test_resizing_during_a_stream_breaks_nothing(home: PrivateHome) -> None:
    sizes = [(80, 24), (20, 5), (1, 1), (99, 29), (100, 30), (200, 60)]
    stop = threading.Event()

    def stream() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            message = {"event_type": "file.seen", "resource_type": "file", "resource_id": str(number)}
            publish(home.bus_socket, json.dumps(message).encode())

    with console_on(home) as console:
        console.wait_for_text("● live", WITHIN)
        producer = threading.Thread(target=stream)
        producer.start()
        try:
            console.wait_for_text("file.seen", WITHIN)
            for columns, rows in sizes * 2:
                console.resize(columns, rows)
                drawn = len(console.output)
                console.wait_for(lambda console, drawn=drawn: len(console.output) > drawn, WITHIN)
            console.wait_for_text("file.seen", WITHIN)
        finally:
            stop.set()
            producer.join()
        console.press("q")
        assert console.wait_for_end(END_WITHIN) == 0
        assert_terminal_given_back(console.output)
        assert b"Traceback" not in console.output

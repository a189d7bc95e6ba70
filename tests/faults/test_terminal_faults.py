"""The console when it is signalled, and its terminal taken away, resized and detached: at random moments, for real."""

from __future__ import annotations

import asyncio
import os
import random
import shlex
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil
import pytest

from store.event import Event
from store.events import EventStore
from store.redis_bus import RedisBus
from tests.console.commands import EVTOP, descendants, runs, stored
from tests.faults.conftest import PATIENCE, Note, Size
from tests.job_shell import JobShell
from tests.postgres import PostgresServer
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_state import ENTERED, assert_nothing_broken, assert_terminal_given_back
from tests.waiting import wait_until

pytestmark = [pytest.mark.fault, pytest.mark.pty]

END_WITHIN = 5.0
"""It takes 2 s at most on a machine that has nothing else to do; `make faults` tells."""
GONE_WITHIN = 5.0
START = 2.5
"""Seconds in which a console starts, imports and all, and is live."""
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
PANES = (" evtop", "Categories", "no component reported yet", " ? help")


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own."""
    with PrivateHome() as home:
        yield home


def processes_of(home: PrivateHome) -> list[psutil.Process]:
    """Consoles and private buses of `home` that still run."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_ours = process.environ().get("XDG_RUNTIME_DIR") == home.environment["XDG_RUNTIME_DIR"]
            if (is_ours or str(home.directory) in " ".join(process.cmdline())) and runs(process.pid):
                found.append(process)
    return found


def pause(seconds: float) -> None:
    until = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= until, seconds + PATIENCE)


# Signals


@pytest.mark.parametrize("number", [*ENDING, signal.SIGQUIT], ids=lambda number: number.name)
def test_a_signal_at_any_moment_ends_the_console_and_leaves_the_terminal_as_it_was(
    size: Size, seed: int, note: Note, number: signal.Signals
) -> None:
    chance = random.Random(seed)
    slowest = 0.0
    for _ in range(size.either(1, 5)):
        with PrivateHome() as home, PtyConsole(EVTOP, environment=home.environment) as console:
            sent = [number]
            pause(chance.uniform(0.0, START))
            console.signal(number)
            asked = time.monotonic()
            if number in ENDING and chance.random() < 0.5:
                pause(chance.choice([0.0, chance.uniform(0.0, 0.5)]))
                sent.append(chance.choice(ENDING))
                console.signal(sent[1])
            status = console.wait_for_end(size.within(END_WITHIN))
            slowest = max(slowest, time.monotonic() - asked)
            if number != signal.SIGINT or not is_interpreters_own(console):
                # Before there is anything to put back, the signal itself ends it: a shell tells the same of both.
                assert status in {*(128 + sent for sent in sent), *(-sent for sent in sent)}
                assert_nothing_broken(console)
            wait_until(lambda home=home: not processes_of(home), PATIENCE)
    note("slowest end, s", round(slowest, 2))


@pytest.mark.long_fault
def test_a_store_that_does_not_answer_keeps_nobody_waiting(
    home: PrivateHome, postgres_server: PostgresServer
) -> None:
    with PtyConsole(EVTOP, environment={**home.environment, "EVTOP_STORE": postgres_server.url}) as console:
        console.wait_for_text("no events yet", PATIENCE)
        postgres_server.pause()
        try:
            console.wait_for_text("store away", PATIENCE)
            console.press("q")
            assert console.wait_for_end(END_WITHIN) == 0
        finally:
            postgres_server.resume()
        assert_nothing_broken(console)


def is_interpreters_own(console: PtyConsole) -> bool:
    """Whether Python was interrupted before it came to the program: it tells of that with a traceback of its own."""
    return ENTERED not in console.output and b"in run\r\n" not in console.output


def test_a_console_survives_the_signals_that_are_not_for_its_end(
    home: PrivateHome, size: Size, seed: int
) -> None:
    chance = random.Random(seed)

    def stop_and_go_on() -> None:
        console.signal(signal.SIGSTOP)
        pause(chance.uniform(0.0, 0.3))
        console.signal(signal.SIGCONT)

    numbers = (signal.SIGPIPE, signal.SIGCONT, signal.SIGWINCH, signal.SIGTSTP)
    with PtyConsole(EVTOP, environment=home.environment) as console:
        console.wait_for(lambda console: ENTERED in console.output, PATIENCE)
        for _ in range(size.either(12, 100)):
            if chance.random() < 0.3:
                stop_and_go_on()
            else:
                console.signal(chance.choice(numbers))
            pause(chance.choice([0.0, chance.uniform(0.0, 0.2)]))
        stored(home, Event(event_type="a.after"))
        console.wait_for_text("a.after", PATIENCE)
        console.press("q")
        assert console.wait_for_end(PATIENCE) == 0
        assert_nothing_broken(console)
        wait_until(lambda: not processes_of(home), PATIENCE)


def test_a_console_can_be_stopped_at_any_moment_and_continued(
    home: PrivateHome, size: Size, seed: int
) -> None:
    chance = random.Random(seed)
    with JobShell(home, chance.choice(size.either(["sh"], ["sh", "bash"]))) as jobs:
        before = jobs.terminal.attributes()
        for _ in range(size.either(1, 5)):
            jobs.enter(shlex.join(EVTOP))
            for _ in range(size.either(1, 2)):
                pause(chance.uniform(0.0, START))
                jobs.terminal.press("ctrl+z")
                jobs.wait_for_prompt()
                assert jobs.terminal.attributes() == before
                jobs.terminal.start_over()
                jobs.enter("fg")
            for text in PANES:
                jobs.terminal.wait_for_text(text, PATIENCE)
            jobs.terminal.wait_for_text("● live", PATIENCE)
            jobs.terminal.press("ctrl+z")
            jobs.wait_for_prompt()
            # It ends where it is, in the background, rather than stop again for touching the terminal.
            jobs.run("kill %%; kill -CONT %%")
            wait_until(
                lambda: [process.pid for process in processes_of(home)] == [jobs.terminal.pid], PATIENCE
            )
            assert_terminal_given_back(jobs.terminal.output, jobs.terminal.output.count(ENTERED))
            assert jobs.terminal.attributes() == before


# A terminal that is gone


def test_terminals_that_go_away_leave_no_process_and_no_lock(
    home: PrivateHome, size: Size, seed: int, note: Note
) -> None:
    chance = random.Random(seed)
    slowest = 0.0
    drops = size.either(2, 10)
    for number in range(drops):
        # With SIGHUP ignored, nothing but the terminal itself tells that it is gone.
        ignoring = "trap '' HUP; " if number % 2 else ""
        with PtyConsole(
            ["/bin/sh", "-c", f'{ignoring}exec "$@"', "sh", *EVTOP], environment=home.environment
        ) as console:
            if number == 0:
                console.wait_for_text("● live", PATIENCE)
            else:
                pause(chance.uniform(0.0, START))
            dropped = console.hang_up()
            console.wait_for_end(size.within(GONE_WITHIN))
            slowest = max(slowest, time.monotonic() - dropped)
        wait_until(lambda: not processes_of(home), PATIENCE)
        stored(home, Event(event_type=f"a.drop{number}"))
    note("slowest end, s", round(slowest, 2))
    with PtyConsole(EVTOP, environment=home.environment) as console:
        console.wait_for_text("● live", PATIENCE)
        for number in range(drops):
            console.wait_for_text(f"a.drop{number}", PATIENCE)


def test_detaching_and_attaching_harms_nothing(home: PrivateHome) -> None:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    environment = {**home.environment, "TMUX_TMPDIR": str(home.directory)}
    environment.pop("TMUX", None)
    tmux = ["tmux", "-f", "/dev/null"]

    def detach(client: PtyConsole) -> None:
        client.press("ctrl+b", "d")
        assert client.wait_for_end(PATIENCE) == 0

    with PtyConsole([*tmux, "new-session", *EVTOP], environment=environment) as client:
        try:
            client.wait_for_text("● live", PATIENCE)
            [(server, console)] = [
                (process.ppid(), process.pid)
                for process in processes_of(home)
                if process.cmdline()[: len(EVTOP)] == EVTOP
            ]
            below = descendants(server)
            detach(client)
            stored(home, Event(event_type="a.detached"))
            with PtyConsole([*tmux, "attach"], columns=100, rows=31, environment=environment) as again:
                for text in (*PANES, "a.detached"):
                    again.wait_for_text(text, PATIENCE)
                # tmux has the last row.
                assert again.lines[-2].startswith(" ? help")
                detach(again)
            assert runs(console)
            os.kill(server, signal.SIGKILL)
            wait_until(lambda: not any(runs(pid) for pid in below), PATIENCE)
        finally:
            for process in processes_of(home):
                process.kill()


# A terminal that changes its size


@contextmanager
def stream(home: PrivateHome, rate: int) -> Iterator[Callable[[], int]]:
    """Record and announce events meanwhile, `rate` a second. What is given tells how many; after the end, in all."""
    batch = rate // 20
    count = 0
    over = threading.Event()

    async def record() -> None:
        nonlocal count
        bus = RedisBus(f"unix://{home.bus_socket}")
        async with await EventStore.open(home.store_url, bus) as store:
            due = time.monotonic()
            while not over.is_set():
                await store.create_many([Event(event_type="file.seen") for _ in range(batch)])
                count += batch
                due += batch / rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        await bus.close()

    thread = threading.Thread(target=asyncio.run, args=(record(),))
    thread.start()
    try:
        yield lambda: count
    finally:
        over.set()
        thread.join()


def test_a_terminal_that_changes_its_size_all_the_time_loses_no_row(
    home: PrivateHome, size: Size, seed: int, note: Note
) -> None:
    chance = random.Random(seed)
    edges = [(1, 1), (500, 200), (1, 200), (500, 1), (99, 29), (100, 30), (80, 24)]
    shapes = edges + [(chance.randint(1, 500), chance.randint(1, 200)) for _ in range(193)]
    chance.shuffle(shapes)
    # What these say of the size must not be believed.
    environment = {**home.environment, "COLUMNS": "80", "LINES": "24"}
    with PtyConsole(EVTOP, environment=environment) as console:
        console.wait_for_text("● live", PATIENCE)
        with stream(home, size.either(1000, 2000)) as streamed:
            console.wait_for_text("file.seen", PATIENCE)
            for columns, rows in shapes:
                console.start_over(columns, rows)
                pause(0.01)
            console.start_over(120, 40)
            asked = time.monotonic()
            drawn = console.wait_for(is_whole, PATIENCE)
            note("last size drawn after, s", round(drawn - asked, 2))
        total = streamed()
        console.wait_for_text(f"{total:,} received", PATIENCE)
        console.wait_for(
            lambda console: any(f" {total:,} " in line and "▇" in line for line in console.lines[1:]),
            PATIENCE,
        )
        wait_until(lambda: is_drawn_as_anew(console), PATIENCE, lambda: console.text)
        console.press("q")
        assert console.wait_for_end(PATIENCE) == 0
        assert_nothing_broken(console)


def is_whole(console: PtyConsole) -> bool:
    lines = console.lines
    return (
        lines[0].startswith(" evtop")
        and lines[1].endswith("╮")
        and len(lines[1]) == 120
        and all(len(line) == 120 for line in lines[1:39])
        and lines[39].startswith(" ? help")
    )


def is_drawn_as_anew(console: PtyConsole) -> bool:
    """Whether what was drawn bit by bit is what stands there when all is drawn again, status and histogram apart."""
    console.take_in()
    before = console.lines[1:35]
    console.start_over()
    console.press("ctrl+l")
    console.wait_for(is_whole, PATIENCE)
    return console.lines[1:35] == before

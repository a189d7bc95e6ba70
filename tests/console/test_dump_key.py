"""The key that prints the page on the terminal's own screen."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.console.commands import EVTOP, WITHIN, emitted
from tests.console.conftest import Opened
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_state import ENTERED, LEFT, assert_nothing_broken, assert_terminal_given_back

LONG = "the tracker timed out, " * 20 + "and that was the end"


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    with PrivateHome() as home:
        emitted(home, "download.failed", "-r", "download/9f3a", "-m", f'{{"error": "{LONG}"}}')
        yield home


def dumped(console: PtyConsole) -> str:
    """What was printed since the console has left its screen, as the terminal got it."""
    assert console.output.count(ENTERED) == console.output.count(LEFT)
    return console.output.rpartition(LEFT)[2].decode()


def press_and_wait(console: PtyConsole) -> None:
    console.wait_for_text("● live", WITHIN)
    console.wait_for_text("download.failed", WITHIN)
    console.press("L")
    console.wait_for_text("enter: back to evtop", WITHIN)


async def test_where_there_is_no_terminal_it_says_so(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("L")
        await operator.sees(lambda: "no terminal to print on" in operator.text())


async def test_the_page_is_printed_as_it_is_shown(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened((80, 24)) as operator:
        printed: list[str] = []
        monkeypatch.setattr(operator.app, "print_plain", printed.extend)
        await operator.press("m", "slash", *"type:download.failed", "enter", "L")
        assert printed[0] == "Timeline · type:download.failed · following"
        assert printed[-2:] == ["", "enter: back to evtop"]
        rows = printed[1:-2]
        in_sight = [line for line in operator.text("#timeline").splitlines() if "downloa" in line]
        assert len(rows) == len(in_sight)
        assert all("UTC error" in line and "download.failed" in line for line in rows)
        assert "Title 190" in rows[-1]


@pytest.mark.pty
def test_it_stands_on_the_terminals_own_screen_until_enter_and_events_come_in_meanwhile(
    home: PrivateHome,
) -> None:
    with PtyConsole(EVTOP, environment=home.environment) as console:
        press_and_wait(console)
        text = dumped(console)
        # Whole, on one line: the terminal wraps it, and the mouse copies it as one.
        assert LONG in text
        assert "│" not in text
        assert console.attributes() == console.attributes_before
        assert_terminal_given_back(console.output)
        before = len(console.output)
        emitted(home, "job.failed", "-r", "job/sync")
        console.press("x", "ctrl+c")
        console.wait_for(lambda console: console.output.count(ENTERED) == 2, WITHIN)
        # Nothing was drawn over what someone reads.
        assert b"job.failed" not in console.output[before : console.output.rindex(ENTERED)]
        console.wait_for_text("job.failed", WITHIN)
        assert "was stopped" not in console.text
        console.press("L")
        console.wait_for(lambda console: console.output.count(LEFT) == 2, WITHIN)
        console.wait_for(lambda console: b"job/sync" in console.output.rpartition(LEFT)[2], WITHIN)
        console.press("enter")
        console.wait_for(lambda console: console.output.count(ENTERED) == 3, WITHIN)
        console.wait_for_text("● live", WITHIN)
        console.press("q")
        assert console.wait_for_end(WITHIN) == 0
        assert_nothing_broken(console)


@pytest.mark.pty
def test_asked_for_twice_at_once_it_is_printed_once_and_enter_leads_back(home: PrivateHome) -> None:
    with PtyConsole(EVTOP, environment=home.environment) as console:
        console.wait_for_text("● live", WITHIN)
        console.wait_for_text("download.failed", WITHIN)
        console.press("L", "L")
        console.wait_for_text("enter: back to evtop", WITHIN)
        console.press("enter")
        console.wait_for(lambda console: console.output.count(ENTERED) == 2, WITHIN)
        console.press("q")
        assert console.wait_for_end(WITHIN) == 0
        assert console.output.count(LEFT) == 2
        assert_nothing_broken(console)


@pytest.mark.pty
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_end_meanwhile_leaves_the_terminal_in_order(home: PrivateHome, number: signal.Signals) -> None:
    with PtyConsole(EVTOP, environment=home.environment) as console:
        press_and_wait(console)
        os.kill(console.pid, number)
        assert console.wait_for_end(WITHIN) == 128 + number
        assert_terminal_given_back(console.output)
        assert_nothing_broken(console)

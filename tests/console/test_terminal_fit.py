"""The console on terminals of other kinds: without colours, in ASCII, over a slow line, with and without a mouse."""

from __future__ import annotations

import asyncio
import re
import signal
from itertools import count
from pathlib import Path

import pytest

from monitor.fit.choices import TerminalFit
from monitor.themes import THEMES
from tests.console.commands import EVTOP, WITHIN, emitted
from tests.console.conftest import Opened
from tests.pty_console import PrivateHome, PtyConsole
from tests.terminal_state import assert_terminal_given_back
from tests.waiting import until

MOUSE_MODES = {1000, 1002, 1003, 1005, 1006, 1015, 1016}


def modes_set(output: bytes | bytearray) -> set[int]:
    """Private modes that were ever switched on."""
    switched = re.findall(rb"\x1b\[\?([0-9;]+)h", output)
    return {int(number) for numbers in switched for number in numbers.split(b";")}


def colours_in(output: bytes | bytearray) -> set[bytes]:
    """Codes of SGR that set a colour, or set it back."""
    codes = {code for codes in re.findall(rb"\x1b\[([0-9;]*)m", output) for code in codes.split(b";") if code}
    return {code for code in codes if len(code) > 1}


@pytest.mark.pty
def test_no_color_leaves_no_colour_and_the_mouse_is_left_alone() -> None:
    with PrivateHome(NO_COLOR="1", LANG="C", SSH_CONNECTION="203.0.113.7 50022 203.0.113.9 22") as home:
        with PtyConsole(EVTOP, environment=home.environment) as console:
            console.wait_for_text("* live", WITHIN)
            emitted(home, "job.failed", "-r", "job/bl\u00e5", "--severity", "error")
            console.wait_for_text("x E", WITHIN)
            console.wait_for_text("job/bl?", WITHIN)
            console.press("?")
            console.wait_for_text("keys of the", WITHIN)
            console.press("q")
            console.wait_for_text("wire ", WITHIN)
            console.press("q")
            assert console.wait_for_end(WITHIN) == 0
        assert colours_in(console.output) == set()
        assert console.output.isascii()
        assert modes_set(console.output) & MOUSE_MODES == set()
        assert_terminal_given_back(console.output)


@pytest.mark.pty
def test_the_demo_is_drawn_as_its_options_and_the_file_with_settings_say_and_keeps_no_state() -> None:
    with PrivateHome() as home:
        settings = Path(home.environment["XDG_CONFIG_HOME"]) / "evtop" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text('theme = "monochrome"\n')
        command = [*EVTOP, "demo", "--ascii", "--zone", "Asia/Tokyo"]
        with PtyConsole(command, environment=home.environment) as console:
            console.wait_for_text("* live", WITHIN)
            console.wait_for_text("Asia/Tokyo", WITHIN)
            console.press("q")
            assert console.wait_for_end(WITHIN) == 0
        # Titles of the simulated application may have any letter.
        assert not set("╭╮╰╯│─●▲✖▁█") & set(console.output.decode())
        assert b"38" not in colours_in(console.output)
        assert not Path(home.environment["XDG_STATE_HOME"]).exists()


@pytest.mark.pty
def test_what_was_shown_last_is_shown_again_unless_it_is_to_be_fresh() -> None:
    with PrivateHome() as home:
        emitted(home, "job.failed", "--severity", "error")
        with PtyConsole([*EVTOP, "--query", "type:job.odd"], environment=home.environment) as console:
            console.wait_for_text("nothing matches the filter", WITHIN)
            console.signal(signal.SIGTERM)
            console.wait_for_end(WITHIN)
        with PtyConsole(EVTOP, environment=home.environment) as console:
            console.wait_for_text("nothing matches the filter", WITHIN)
            console.wait_for_text("evtop --fresh", WITHIN)
            console.press("q")
            assert console.wait_for_end(WITHIN) == 0
        with PtyConsole([*EVTOP, "--fresh"], environment=home.environment) as console:
            console.wait_for_text("job.failed", WITHIN)


@pytest.mark.pty
def test_colours_and_the_mouse_are_there_where_they_are_wanted() -> None:
    with PrivateHome() as home:
        command = [*EVTOP, "--theme", "light", "--mouse", "--no-low-bandwidth"]
        with PtyConsole(command, environment=home.environment) as console:
            console.wait_for_text("● live", WITHIN)
            console.press("q")
            assert console.wait_for_end(WITHIN) == 0
        assert {b"38", b"48"} <= colours_in(console.output)
        assert {1000, 1003, 1006} <= modes_set(console.output)
        assert b"48;2;255;255;255" in console.output
        assert_terminal_given_back(console.output)


async def test_every_screen_is_drawn_in_ascii(opened: Opened) -> None:
    async with opened(fit=TerminalFit(ascii=True)) as operator:
        seen = [operator.text()]
        for keys in (
            ["question_mark"],
            ["escape", "exclamation_mark"],
            ["escape", "slash", *"typ:x", "enter"],
            ["escape", "C", "G", "e", "E", "enter"],
            ["r"],
            ["escape", "2", "h", "X"],
            ["C", "s", "t", "space"],
            ["colon", *"Theme"],
        ):
            await operator.press(*keys)
            seen.append(operator.text())
        assert len(set(seen)) == len(seen)
        for text in seen:
            assert {character for character in text if not character.isascii()} == set()


async def test_the_palette_switches_themes(opened: Opened) -> None:
    async with opened() as operator:
        assert operator.app.theme == THEMES["dark"].name
        for name in ("16-colour", "light"):
            await operator.press("colon", *f"Theme: {name}")
            await operator.sees(lambda: operator.app.screen.query("OptionList").first().display)
            await operator.press("enter")
            theme = THEMES[name].name
            await operator.sees(lambda theme=theme: operator.app.theme == theme)


async def test_over_a_slow_line_nothing_moves_by_itself(opened: Opened) -> None:
    async with opened(fit=TerminalFit(low_bandwidth=True)) as operator:
        await operator.press("slash")
        field = operator.app.focused
        assert getattr(field, "cursor_blink", None) is False
        assert operator.app.animation_level == "none"


async def test_a_timer_that_is_late_as_soon_as_it_begins_is_not_left_out(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the processor is taken away between two looks at the clock: one of these tells the size."""
    async with opened() as operator:
        looks = count()
        fired = asyncio.Event()
        with monkeypatch.context() as late:
            late.setattr("textual.timer._time.get_time", lambda: float(next(looks)))
            operator.app.set_timer(0.01, fired.set)
            await until(fired.is_set)

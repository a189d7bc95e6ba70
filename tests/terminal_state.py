"""How a terminal stands after a program has left it."""

from __future__ import annotations

import re

from tests.pty_console import PtyConsole

ENTERED, LEFT = b"\x1b[?1049h", b"\x1b[?1049l"
"""The second screen, on which the console draws."""
SHOWN_AT_REST = {7, 25}
"""Modes that a terminal has on by itself: wrapping at the right edge, and the cursor."""


def modes_left_on(output: bytes | bytearray) -> set[int]:
    """Private modes of the terminal that are on after `output`, of those that it touches."""
    modes: dict[int, bool] = {}
    for numbers, switch in re.findall(rb"\x1b\[\?([0-9;]+)([hl])", output):
        for number in numbers.split(b";"):
            modes[int(number)] = switch == b"h"
    return {number for number, on in modes.items() if on}


def assert_terminal_given_back(output: bytes | bytearray, times: int = 1) -> None:
    """The console has taken the terminal so many times, and given it back as often."""
    assert output.count(ENTERED) == output.count(LEFT) == times
    assert modes_left_on(output) == (SHOWN_AT_REST if times else set())
    # The keyboard protocol is a stack: each push needs its pop.
    assert len(re.findall(rb"\x1b\[>[0-9]+u", output)) == len(re.findall(rb"\x1b\[<[0-9]*u", output))


def assert_nothing_broken(console: PtyConsole) -> None:
    """The terminal is as it was, whether or not the program came to take it, and shows no traceback."""
    assert_terminal_given_back(console.output, console.output.count(ENTERED))
    assert console.attributes() == console.attributes_before
    assert b"Traceback" not in console.output, console.text


def after_the_screen(output: bytes | bytearray) -> list[str]:
    """Lines that stand in the terminal after the console has left it."""
    rest = re.sub(rb"\x1b\[[?<>]?[0-9;]*[a-zA-Z]", b"", bytes(output).rpartition(LEFT)[2])
    return [line for line in rest.decode().split("\r\n") if line]

"""Escape, and a key right behind it."""

from __future__ import annotations

import time

import pytest
from textual.events import Key

from monitor.escape_parser import EscapeParser


def keys_of(typed: str) -> list[str]:
    parser = EscapeParser()
    found = list(parser.feed(typed))
    # The parser waits for the rest of a sequence as long as its own clock says.
    until = time.monotonic() + 5.0
    while not found or time.monotonic() < until - 4.7:
        found += parser.tick()
        assert time.monotonic() < until
    return [event.key for event in found if isinstance(event, Key)]


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("\x1bC", ["escape", "C"]),
        ("\x1bj", ["escape", "j"]),
        ("\x1b/", ["escape", "slash"]),
        ("\x1b/ab", ["escape", "slash", "a", "b"]),
        ("\x1b/" + "a" * 40 + "\x1b!", ["escape", "slash", *["a"] * 40, "escape", "exclamation_mark"]),
        ("\x1b\r", ["escape", "enter"]),
        ("\x1b\x05", ["escape", "ctrl+e"]),
        ("\x1b5", ["escape", "5"]),
        ("\x1b-", ["escape", "minus"]),
        ("\x1b\x1b", ["escape", "escape"]),
        ("\x1b", ["escape"]),
        ("\x1b[A", ["up"]),
        ("\x1bOP", ["f1"]),
        ("\x1bb", ["ctrl+left"]),
        ("\x1b[99;3u", ["alt+c"]),
        ("∞", ["infinity"]),
    ],
)
def test_escape_and_a_key_are_two_keys(typed: str, keys: list[str]) -> None:
    assert keys_of(typed) == keys

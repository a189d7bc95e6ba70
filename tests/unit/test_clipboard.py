"""What is written for a terminal to take over a text, on its own and inside of multiplexers."""

from __future__ import annotations

import base64
import re

from monitor.clipboard import ENCODED_MAX, sequence

ALONE = {"TERM": "xterm-256color"}


def test_a_text_is_one_sequence_of_base64() -> None:
    encoded = base64.b64encode("größe 漢\x1b[2J".encode()).decode()
    assert sequence("größe 漢\x1b[2J", ALONE) == f"\x1b]52;c;{encoded}\x07"


def test_inside_tmux_it_is_for_tmux_and_wrapped_for_the_terminal_outside() -> None:
    plain = sequence("text", ALONE)
    written = sequence("text", {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color"})
    assert plain is not None
    assert written == plain + "\x1bPtmux;\x1b" + plain + "\x1b\\"


def test_inside_screen_it_comes_in_pieces_that_screen_passes_on() -> None:
    text = "text" * 200
    written = sequence(text, {"TERM": "screen.xterm-256color"})
    assert written is not None
    pieces = re.findall("\x1bP(.*?)\x1b\\\\", written, re.DOTALL)
    assert "".join(pieces) == sequence(text, ALONE)
    assert max(map(len, pieces)) <= 76
    assert "".join(f"\x1bP{piece}\x1b\\" for piece in pieces) == written


def test_what_terminals_would_cut_off_is_not_written() -> None:
    longest = "x" * (ENCODED_MAX // 4 * 3)
    assert sequence(longest, ALONE) is not None
    assert sequence(longest + "x", ALONE) is None

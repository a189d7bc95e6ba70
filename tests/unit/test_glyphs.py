"""Signs in ASCII: all that the console draws has one, in as many cells."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from rich.segment import Segment
from textual._border import BORDER_CHARS
from textual.color import Color

from monitor.fit.glyphs import ASCII_SIGNS, AsciiFilter, in_ascii
from monitor.text import cell_width

MONITOR = Path(__file__).parents[2] / "monitor"
NOT_DRAWN = {"text.py", "glyphs.py", "painter.py"}
"""Tables of characters. What the first puts in place of others is tested apart."""


def signs_in(file: Path) -> set[str]:
    """What is not ASCII in the strings of a module, those that are documentation apart."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return {
        character
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
        for character in node.value
        if not character.isascii()
    }


def test_every_sign_in_the_source_of_the_console_has_its_equivalent() -> None:
    files = [
        file for part in ("screens", "widgets", "model", "health") for file in (MONITOR / part).glob("*.py")
    ]
    files += [file for file in MONITOR.glob("*.py") if file.name not in NOT_DRAWN]
    missing = {
        f"{file.name}: {sign}" for file in files for sign in signs_in(file) if ord(sign) not in ASCII_SIGNS
    }
    assert len(files) > 30
    assert missing == set()


def test_frames_of_every_kind_and_what_stands_for_hidden_characters_have_theirs() -> None:
    frames = {sign for kind in BORDER_CHARS.values() for row in kind for sign in row}
    pictures = {chr(0x2400 + code) for code in range(0x25)} | set("↵◌")
    assert {sign for sign in frames | pictures if not in_ascii(sign, "ascii").isascii()} == set()
    assert "?" not in {in_ascii(sign, "ascii") for sign in frames}


@pytest.mark.parametrize("code", ASCII_SIGNS)
def test_no_sign_takes_more_room_than_before(code: int) -> None:
    plain = ASCII_SIGNS[code]
    assert isinstance(plain, str)
    assert plain.isascii()
    assert len(plain) == cell_width(chr(code))


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("✖ E  ▲ W  · I", "utf-8", "x E  ! W  . I"),
        ("Tromsø 夜 ▲", "utf-8", "Tromsø 夜 !"),
        ("Tromsø 夜 ▲", "ascii", "Troms? ?? !"),
        ("Tromsø 夜 ▲", "iso8859-1", "Tromsø ?? !"),
        ("plain", "ascii", "plain"),
    ],
)
def test_event_text_stays_as_far_as_the_locale_has_its_characters(
    text: str, encoding: str, shown: str
) -> None:
    [segment] = AsciiFilter(encoding).apply([Segment(text)], Color.parse("black"))
    assert segment.text == shown
    assert cell_width(shown) == cell_width(text)

"""What is written shows the same on a terminal as what Textual would have written, in fewer bytes."""

from __future__ import annotations

import random
from typing import Any

import pyte
import pytest
from pyte import modes
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region, Size
from textual.strip import Strip

from monitor.fit.painter import PLAIN, Painter

WIDTH, HEIGHT = 40, 6
SIZE = Size(WIDTH, HEIGHT)
STYLES = [
    None,
    Style(),
    Style(color="#ff6b6b", bold=True),
    Style(color="#8d97a5", bgcolor="#0e1116"),
    Style(color="#8d97a5"),
    Style(bgcolor="#12304d"),
    Style(color="#8d97a5", bgcolor="#12304d", bold=True),
    Style(color="bright_red", bgcolor="black", reverse=True),
    Style(color="color(123)", underline=True, bgcolor="default"),
    Style(dim=True, italic=True),
]
NARROW = "abc xyz 0123 ·…▁▂▅█ ✖▲● ─│╭╮"
WIDE = "夜電車"


def strip_of(draw: random.Random, width: int, signs: str) -> Strip:
    """`width` cells of random text in random styles."""
    segments: list[Segment] = []
    left = width
    while left:
        count = min(left, draw.randint(1, 9))
        style = draw.choice(STYLES)
        if signs is WIDE and count > 1:
            text = "".join(draw.choice(WIDE) for _ in range(count // 2)) + "x" * (count % 2)
        else:
            text = "".join(draw.choice(NARROW) for _ in range(count))
        segments.append(Segment(text, style))
        left -= count
    return Strip(segments, width)


class Terminals:
    """Two terminals: one shows what Textual writes, one what the painter does."""

    def __init__(self) -> None:
        self.console = Console(color_system="truecolor", force_terminal=True)
        self.painter = Painter()
        self.expected, self.shown = pyte.Screen(WIDTH, HEIGHT), pyte.Screen(WIDTH, HEIGHT)
        self._streams = pyte.Stream(self.expected), pyte.Stream(self.shown)
        for screen in (self.expected, self.shown):
            screen.reset_mode(modes.DECAWM)
            screen.set_mode(modes.LNM)

    def draw(self, update: CompositorUpdate) -> tuple[int, int]:
        """Draw on both; how many characters each way took."""
        textual = update.render_segments(self.console)
        painted = self.painter.paint(update, SIZE, self.console._color_system)
        assert painted is not None
        self._streams[0].feed(textual)
        self._streams[1].feed(painted)
        return len(textual), len(painted)

    def assert_alike(self) -> None:
        for y in range(HEIGHT):
            for x in range(WIDTH):
                assert cell(self.shown, y, x) == cell(self.expected, y, x), (y, x)


def cell(screen: pyte.Screen, y: int, x: int) -> Any:
    found = screen.buffer[y][x]
    # A blank has no colour of its own.
    return found if found.data.strip() else found._replace(fg="default", bold=False, italics=False)


def layout(rows: list[list[Strip]]) -> LayoutUpdate:
    return LayoutUpdate([list(row) for row in rows], Region(0, 0, WIDTH, HEIGHT))


@pytest.mark.parametrize("signs", [NARROW, WIDE], ids=["narrow", "wide"])
@pytest.mark.parametrize("seed", range(6))
def test_the_terminal_shows_what_textual_wanted_whatever_was_there(seed: int, signs: str) -> None:
    draw = random.Random(seed)
    terminals = Terminals()
    cut = 13
    rows = [[strip_of(draw, cut, signs), strip_of(draw, WIDTH - cut, signs)] for _ in range(HEIGHT)]
    terminals.draw(layout(rows))
    for _ in range(30):
        if draw.random() < 0.2:
            rows = [[draw.choice(rows)[0], strip_of(draw, WIDTH - cut, NARROW)] for _ in range(HEIGHT)]
            terminals.draw(layout(rows))
        else:
            lines = sorted(draw.sample(range(HEIGHT), draw.randint(1, HEIGHT)))
            side = draw.randrange(2)
            for y in lines:
                changed = strip_of(draw, (cut, WIDTH - cut)[side], signs if draw.random() < 0.5 else NARROW)
                rows[y][side] = changed
            chops = [
                {0: rows[y][0] if not side else None, cut: rows[y][1] if side else None}
                for y in range(HEIGHT)
            ]
            x1, x2 = ((0, cut), (cut, WIDTH))[side]
            terminals.draw(ChopsUpdate(chops, [(y, x1, x2) for y in lines], [[cut, WIDTH]] * HEIGHT))
        terminals.assert_alike()


def test_what_stayed_costs_nothing_and_what_changed_little() -> None:
    draw = random.Random(1)
    terminals = Terminals()
    rows = [[strip_of(draw, WIDTH, NARROW)] for _ in range(HEIGHT)]
    terminals.draw(layout(rows))
    assert terminals.draw(layout(rows))[1] == 0
    rows[2] = [Strip([Segment("count 41", STYLES[2]), Segment(" " * 32)], WIDTH)]
    terminals.draw(layout(rows))
    rows[2] = [Strip([Segment("count 42", STYLES[2]), Segment(" " * 32)], WIDTH)]
    assert terminals.painter.paint(layout(rows), SIZE, None) == "\x1b[3;8H\x1b[1;38;2;255;107;107m2\x1b[0m"


def test_a_screen_that_was_forgotten_is_drawn_whole() -> None:
    terminals = Terminals()
    rows = [[Strip([Segment("x" * WIDTH)], WIDTH)] for _ in range(HEIGHT)]
    terminals.draw(layout(rows))
    terminals.painter.forget()
    assert terminals.draw(layout(rows))[1] >= WIDTH * HEIGHT


def test_behind_text_of_uncertain_width_all_is_drawn_anew() -> None:
    """A terminal that gives this emoji one cell more or less than we do is right again after the next change."""
    terminals = Terminals()
    family = "👨‍👩‍👧"
    row = [Strip([Segment(f"ab{family}", None), Segment("the rest of it".ljust(WIDTH - 4))], WIDTH)]
    other = [[Strip([Segment(" " * WIDTH)], WIDTH)] for _ in range(HEIGHT - 1)]
    terminals.draw(layout([row, *other]))
    after = [Strip([Segment("abcd"), Segment("the rest of it".ljust(WIDTH - 4))], WIDTH)]
    painted = terminals.painter.paint(layout([after, *other]), SIZE, None)
    assert painted == "\x1b[1;1Habcdthe rest of it" + " " * (WIDTH - 18)
    assert terminals.painter.paint(layout([after, *other]), SIZE, None) == ""


def test_a_piece_beside_text_of_uncertain_width_is_drawn_again() -> None:
    """What is wider on the terminal than here reaches into it."""
    terminals = Terminals()
    beside = Strip([Segment("b" * (WIDTH - 10))], WIDTH - 10)
    terminals.draw(layout([[Strip([Segment("a" * 10)], 10), beside]] * HEIGHT))
    odd = Strip([Segment("夜" * 5)], 10)
    painted = terminals.painter.paint(layout([[odd, beside]] * HEIGHT), SIZE, None)
    assert painted is not None
    assert painted.count("b" * (WIDTH - 10)) == HEIGHT


def test_what_lies_far_apart_is_written_apart() -> None:
    terminals = Terminals()
    before = [[Strip([Segment("0" + "." * (WIDTH - 2) + "0")], WIDTH)]] * HEIGHT
    terminals.draw(layout(before))
    after = [[Strip([Segment("1" + "." * (WIDTH - 2) + "1")], WIDTH)], *before[1:]]
    assert terminals.painter.paint(layout(after), SIZE, None) == f"\x1b[1;1H1\x1b[{WIDTH - 2}C1"


def test_what_it_does_not_know_it_leaves_to_textual() -> None:
    assert Painter().paint(CompositorUpdate(), SIZE, None) is None


def test_what_was_laid_out_for_a_wider_terminal_is_left_out() -> None:
    painter = Painter()
    painter._start_over(Size(5, 1))
    output: list[str] = []
    painter._paint_row(0, [(0, Strip([Segment("abcde")])), (8, Strip([Segment("uvwxyz")]))], PLAIN, output)
    assert "".join(output) == "\x1b[1;1Habcde"
    assert [len(painter._text[0]), len(painter._looks[0])] == [5, 5]


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("\u200d\U0001f467 end", "\U0001f467 end"),
        (" \u200d\U0001f467 end", " \U0001f467 end"),
        ("\U0001f468\u200d end", "\U0001f468 end"),
        ("\U0001f468\u200d\U0001f467", "\U0001f468\u200d\U0001f467"),
    ],
)
def test_what_is_left_of_a_character_that_was_cut_joins_nothing(text: str, drawn: str) -> None:
    """A dialog that covers the first half of a family leaves the joiner and the child."""
    update = LayoutUpdate(
        [[Strip([Segment("|"), Segment(text), Segment("\u0301\ufe0fx")], 12)]],
        Region(0, 0, 12, 1),
    )
    painted = Painter().paint(update, SIZE, None)
    assert painted is not None
    assert painted.endswith(f"|{drawn}x")

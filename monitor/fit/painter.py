"""What changed on the screen, in few bytes: it is known what the terminal shows, and only other cells are written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip
from wcwidth import wcwidth

from monitor.text import cell_width

if TYPE_CHECKING:
    from textual.geometry import Size

_NARROW = re.compile(
    "["
    " -~\xa1-\xac\xae-\u02ff"  # Latin
    "\u2010-\u2027\u2030-\u205e"  # punctuation
    "\u2190-\u2193\u21b5\u2200-\u22ff\u2400-\u2424"  # arrows, mathematics, pictures of controls
    "\u2500-\u25a9\u25ac-\u25b5\u25b7-\u25bf\u25c1-\u25fa\u25ff\u2713\u2716"  # boxes, blocks, shapes
    "]*"
)
"""One cell a character on every terminal, and none joined to the next."""
_ORPHAN = re.compile("(?<![^\0-\u203b])\u200d|\u200d(?![^\0-\u203b])")
"""A joiner without a character on one of its sides that it could join."""
_GAP = 4
"""Cells that stayed the same and are written all the same: going round them costs as much."""
_UNKNOWN = "\0"
"""In place of the text of a cell: what the terminal shows there is not known."""


class Look:
    """How a cell looks, as codes of SGR. Each look is one object, so that looks are told apart at once."""

    __slots__ = ("attributes", "background", "colour")

    def __init__(self, attributes: tuple[str, ...], colour: str, background: str) -> None:
        self.attributes = attributes
        self.colour = colour
        self.background = background


PLAIN: Final = Look((), "", "")
"""How the terminal draws after a reset."""


class Painter:
    """Turns what Textual wants drawn into what the terminal must be told.

    What is not `_NARROW` may be wider on the terminal than here. Nothing is known of the cells from there on, so
    that the rest is written anew whenever the line changes.
    """

    def __init__(self) -> None:
        self._size = (0, 0)
        self._text: list[list[str]] = []
        self._looks: list[list[Look]] = []
        self._known: dict[tuple[str, str, str], Look] = {}
        self._of_style: dict[Style, Look] = {}
        self._changes: dict[tuple[Look, Look], str] = {}
        self._colours = ColorSystem.TRUECOLOR

    def forget(self) -> None:
        """Nothing is known of the terminal any more: something else may have drawn on it."""
        self._size = (0, 0)

    def paint(self, update: CompositorUpdate, size: Size, colours: ColorSystem | None) -> str | None:
        """What to write so that the terminal shows `update`; None for an update of a kind that is not known here."""
        if isinstance(update, LayoutUpdate):
            spans = _layout_spans(update)
        elif isinstance(update, ChopsUpdate):
            spans = _chop_spans(update)
        else:
            return None
        colours = colours or ColorSystem.TRUECOLOR
        if colours is not self._colours:
            self._colours = colours
            self._of_style.clear()
        if tuple(size) != self._size:
            self._start_over(size)
        output: list[str] = []
        look = PLAIN
        for y, pieces in spans:
            if y < len(self._text):
                look = self._paint_row(y, pieces, look, output)
        if look is not PLAIN:
            output.append("\x1b[0m")
        return "".join(output)

    def _start_over(self, size: Size) -> None:
        width, height = size
        self._size = (width, height)
        self._text = [[_UNKNOWN] * width for _ in range(height)]
        self._looks = [[PLAIN] * width for _ in range(height)]

    def _paint_row(self, y: int, pieces: Iterable[tuple[int, Strip]], look: Look, output: list[str]) -> Look:
        """Write what differs in one row; returns the look that the terminal draws in then."""
        width = self._size[0]
        old_text, old_looks = self._text[y], self._looks[y]
        at = -1
        """Where the terminal's cursor is; -1 elsewhere."""
        spilt = False
        """Whether text of uncertain width stood or stands before, and may reach into this piece."""
        for start, strip in pieces:
            if start >= width:
                # Laid out for a terminal that has become narrower.
                break
            text, looks, sure = self._cells(strip, width - start)
            end = start + len(text)
            if spilt or sure < len(text) or text != old_text[start:end] or looks != old_looks[start:end]:
                trusted = start if spilt else start + sure
                spilt = spilt or sure < len(text) or _UNKNOWN in old_text[start:end]
                for begin, stop in _changed(text, looks, old_text, old_looks, start, trusted):
                    if at != begin:
                        output.append(
                            f"\x1b[{begin - at}C" if 0 <= at < begin else f"\x1b[{y + 1};{begin + 1}H"
                        )
                    x = begin
                    while x < stop:
                        wanted = looks[x - start]
                        run = x + 1
                        while run < stop and looks[run - start] is wanted:
                            run += 1
                        if wanted is not look:
                            output.append(self._change(look, wanted))
                            look = wanted
                        output.extend(text[x - start : run - start])
                        x = run
                    at = stop if stop <= start + sure and stop < width else -1
                old_text[start:end] = text
                old_text[start + sure : end] = [_UNKNOWN] * (len(text) - sure)
                old_looks[start:end] = looks
        return look

    def _cells(self, strip: Strip, room: int) -> tuple[list[str], list[Look], int]:
        """The text and look of each cell, `room` at most, and how many of them are sure to stand where they should."""
        text: list[str] = []
        looks: list[Look] = []
        sure = -1
        for piece, style, control in strip:
            if control:
                continue
            look = self._look(style)
            if _NARROW.fullmatch(piece):
                text.extend(piece)
                looks.extend([look] * len(piece))
                continue
            if sure < 0:
                sure = len(text)
            # Where a pane is covered in part, a character of several may be cut: what is left must join nothing else.
            piece = _ORPHAN.sub("", piece)
            while piece and not wcwidth(piece[0]):
                piece = piece[1:]
            cells = cell_width(piece)
            # All of it in its first cell, as it is written as one.
            text.extend([piece, *[""] * (cells - 1)] if cells else [])
            looks.extend([look] * cells)
        if len(text) > room:
            del text[room:], looks[room:]
        return text, looks, len(text) if sure < 0 else min(sure, len(text))

    def _look(self, style: Style | None) -> Look:
        if style is None:
            return PLAIN
        look = self._of_style.get(style)
        if look is None:
            if len(self._of_style) > 4096:
                self._of_style.clear()
            look = self._of_style[style] = self._parsed(Strip.render_ansi(style, self._colours))
        return look

    def _parsed(self, codes: str) -> Look:
        attributes: list[str] = []
        colour = background = ""
        rest = iter(codes.split(";") if codes else ())
        for code in rest:
            if code in {"38", "48"}:
                kind = next(rest)
                more = [next(rest) for _ in range(3 if kind == "2" else 1)]
                full = ";".join([code, kind, *more])
                if code == "38":
                    colour = full
                else:
                    background = full
            elif code in {"39", "49"}:
                continue
            elif len(code) >= 2 and code[:-1] in {"3", "9"}:
                colour = code
            elif len(code) >= 2 and code[:-1] in {"4", "10"}:
                background = code
            else:
                attributes.append(code)
        key = (";".join(attributes), colour, background)
        if not any(key):
            return PLAIN
        return self._known.setdefault(key, Look(tuple(attributes), colour, background))

    def _change(self, before: Look, after: Look) -> str:
        """The shortest sequence that turns one look into another."""
        change = self._changes.get((before, after))
        if change is None:
            anew = [*after.attributes, *filter(None, (after.colour, after.background))]
            from_scratch = "\x1b[" + ";".join(["0", *anew]) + "m"
            change = from_scratch
            if set(before.attributes) <= set(after.attributes):
                steps = [code for code in after.attributes if code not in before.attributes]
                if after.colour != before.colour:
                    steps.append(after.colour or "39")
                if after.background != before.background:
                    steps.append(after.background or "49")
                change = min("\x1b[" + ";".join(steps) + "m", from_scratch, key=len)
            self._changes[before, after] = change
        return change


def _changed(
    text: list[str], looks: list[Look], old_text: list[str], old_looks: list[Look], start: int, trusted: int
) -> Iterator[tuple[int, int]]:
    """Stretches of cells to write, with small gaps closed; from `trusted` on, all of them."""
    end = start + len(text)
    begin = last = -1
    for x in range(start, end):
        if x < trusted and text[x - start] == old_text[x] and looks[x - start] is old_looks[x]:
            continue
        if begin < 0:
            begin = x
        elif x - last > _GAP:
            yield begin, last + 1
            begin = x
        last = x
        if x >= trusted:
            last = end - 1
            break
    if begin >= 0:
        yield begin, last + 1


def _layout_spans(update: LayoutUpdate) -> Iterator[tuple[int, list[tuple[int, Strip]]]]:
    for y, strips in enumerate(update.strips, update.region.y):
        x = update.region.x
        pieces: list[tuple[int, Strip]] = []
        for strip in strips:
            pieces.append((x, strip))
            x += strip.cell_length
        yield y, pieces


def _chop_spans(update: ChopsUpdate) -> Iterator[tuple[int, list[tuple[int, Strip]]]]:
    """As `ChopsUpdate.render_segments` takes it: the pieces of each line that lie in its span."""
    for y, x1, x2 in update.spans:
        pieces: list[tuple[int, Strip]] = []
        for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is None or x >= x2 or end <= x1:
                continue
            pieces.append((x, strip if end <= x2 else strip.crop(0, x2 - x)))
        yield y, pieces

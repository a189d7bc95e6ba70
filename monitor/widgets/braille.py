"""A line chart of braille characters: two points a cell across and four down (Unicode, block U+2800)."""

from __future__ import annotations

from collections.abc import Sequence

_BLANK = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot, by its row from above and its column."""
DOWN, ACROSS = 4, 2


def line_chart(counts: Sequence[int], width: int, height: int, peak: int | None = None) -> list[str]:
    """`counts` from left to right as a line over `width` cells and `height` lines, the highest for `peak`.

    Nothing stands where all is zero, so that little is told from nothing.
    """
    peak = peak or max(counts, default=0)
    cells = [[_BLANK] * width for _ in range(height)]
    if peak <= 0 or width <= 0 or height <= 0:
        return _drawn(cells)
    points = _heights(counts, width * ACROSS, height * DOWN - 1, peak)
    before: int | None = None
    for across, level in enumerate(points):
        if level is None:
            before = None
            continue
        # Joined to the one before, so that a steep line has no holes.
        low, high = (level, level) if before is None else (min(level, before), max(level, before))
        for place in range(low, high + 1):
            row = height * DOWN - 1 - place
            cells[row // DOWN][across // ACROSS] |= _DOTS[row % DOWN][across % ACROSS]
        before = level
    return _drawn(cells)


def _drawn(cells: Sequence[Sequence[int]]) -> list[str]:
    # A space is one byte on the wire, a blank of braille three.
    return ["".join(" " if cell == _BLANK else chr(cell) for cell in line) for line in cells]


def _heights(counts: Sequence[int], points: int, top: int, peak: int) -> list[int | None]:
    """A height from 0 to `top` for each point, between the counts in a straight line; None where there was nothing."""
    if not counts:
        return [None] * points
    last = len(counts) - 1
    found: list[int | None] = []
    for point in range(points):
        place = point * last / (points - 1) if points > 1 else 0.0
        left = int(place)
        right = min(left + 1, last)
        value = counts[left] + (counts[right] - counts[left]) * (place - left)
        found.append(None if value <= 0 else min(top, max(0, round(value * top / peak))))
    return found

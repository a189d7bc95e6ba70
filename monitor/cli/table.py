"""Tables of plain text, their columns aligned by the cells that a terminal gives them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

CELL_MAX = 60
"""Cells of a column at most: one long value must not push the others off the screen."""
GAP = "  "


def table_lines(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[int] = (),
    cell_max: int = CELL_MAX,
) -> list[str]:
    """The header and `rows` as lines, clean, what is too long cut with `…`. Columns in `right` stand at the right."""
    from monitor.text import cell_width, clean, fit

    cells = [[clean(cell) for cell in row] for row in (header, *rows)]
    widths = [min(cell_max, max(map(cell_width, column))) for column in zip(*cells, strict=True)]
    return [
        GAP.join(
            fit(cell, width, align="right" if place in right else "left")
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]

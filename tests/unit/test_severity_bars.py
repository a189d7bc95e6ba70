"""Bars and heatmap tell severities by their glyphs too."""

from __future__ import annotations

import pytest

from monitor.model.histogram import Bar
from monitor.widgets.severity_bars import bar_cell, heat_cell, heat_rows, severity_mark


def column(bar: Bar, peak: int, height: int) -> list[tuple[str, str]]:
    """The cells of a bar, from below."""
    return [bar_cell(bar, peak, height, line) for line in range(height)]


def test_a_bar_is_stacked_errors_at_the_foot_then_warnings_then_the_rest() -> None:
    assert column(Bar(8, 8, 8, 8), 32, 4) == [
        ("▓", "error"),
        ("▒", "warning"),
        ("█", "accent"),
        ("█", "accent"),
    ]


def test_a_cell_of_two_severities_shows_the_border_between_them() -> None:
    assert column(Bar(4, 0, 12), 16, 2) == [("▄", "error-on-accent"), ("█", "accent")]
    assert column(Bar(0, 4, 12), 16, 2) == [("▄", "warning-on-accent"), ("█", "accent")]


@pytest.mark.parametrize(("total", "glyph"), [(0, " "), (1, "▁"), (50, "▄"), (100, "█")])
def test_the_height_follows_the_number(total: int, glyph: str) -> None:
    assert bar_cell(Bar(infos=total), 100, 1, 0)[0] == glyph


def test_one_error_among_thousands_is_seen() -> None:
    assert bar_cell(Bar(1, 0, 9999), 10_000, 3, 0) == ("▁", "error-on-accent")
    assert bar_cell(Bar(1, 0, 10), 10_000, 3, 0) == ("▁", "error")
    assert severity_mark(Bar(1, 5, 9999)) == ("E", "error")
    assert severity_mark(Bar(0, 5, 9999)) == ("W", "warning")
    assert severity_mark(Bar(0, 0, 9999)) == (" ", "")


def test_nothing_is_drawn_of_nothing() -> None:
    assert column(Bar(), 0, 2) == [(" ", ""), (" ", "")]


def test_the_heatmap_has_a_row_a_severity_and_joins_the_lesser_ones_where_there_is_no_room() -> None:
    bars = [Bar(1, 2, 3, 4), Bar(5, 6, 7, 8)]
    rows = [(letter, counts) for letter, _style, counts in heat_rows(bars, 9)]
    assert rows == [("E", [1, 5]), ("W", [2, 6]), ("I", [3, 7]), ("-", [4, 8])]
    rows = [(letter, counts) for letter, _style, counts in heat_rows(bars, 3)]
    assert rows == [("E", [1, 5]), ("W", [2, 6]), ("I", [7, 15])]
    assert [letter for letter, _style, _counts in heat_rows(bars, 1)] == ["E"]


def test_the_density_grows_with_the_number_and_one_is_not_nothing() -> None:
    assert [heat_cell(count, 100) for count in (0, 1, 20, 21, 41, 61, 81, 100)] == list(" ··░▒▓██")
    assert heat_cell(1, 1_000_000) == "·"
    assert heat_cell(1, 1) != " "

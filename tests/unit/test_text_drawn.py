"""What widgets draw of text that nobody has cleaned, and of text that was."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content
from textual.filter import LineFilter
from textual.strip import Strip
from textual.widgets import Input, Static

from monitor.cli.clean_stream import CleanStream
from monitor.model.detail import detail_items
from monitor.text import ROW_MAX, cell_width, clean
from monitor.widgets.cleaning import CleaningFilter
from monitor.widgets.event_detail import item_lines, json_lines, wrap
from monitor.widgets.lines import Lines, Part
from monitor.zone import Zone
from tests.events import make_event
from tests.faults.hostile_text import CLASSES, LONG
from tests.terminal_output import smuggled
from tests.waiting import until

HOSTILE = "a\x1b]0;root\x07b\x9b2Jc\u202ed\u200be\x00f\rg\bh"
PAYLOADS = [text for texts in CLASSES.values() for text in texts]
TEXTS = [HOSTILE, *(text for text in PAYLOADS if "\n" not in text)]
WIDTH = 60


class Drawn(Lines):
    """Draws one line of parts that the test sets."""

    parts: Sequence[Part] = ()

    def render_line(self, y: int) -> Strip:
        return self.strip(self.parts, self.size.width)


class Page(App[None]):
    """A page with every place that text is drawn in, all of them unclean."""

    CSS = "Drawn { height: 3; border: round white; } Static { height: 1; }"

    def __init__(self, text: str, filters: Sequence[LineFilter] = ()) -> None:
        super().__init__()
        self._text = text
        self._cleaning = list(filters)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), *self._cleaning]

    def compose(self) -> ComposeResult:
        yield Drawn()
        yield Static(markup=False)
        yield Input()

    def on_mount(self) -> None:
        self.show(self._text)

    def show(self, text: str) -> None:
        text = f"mark{text}"
        drawn = self.query_one(Drawn)
        drawn.border_title = drawn.border_subtitle = Content(text)
        drawn.parts = [(text, "")]
        drawn.refresh()
        self.query_one(Static).update(Content(text))
        self.query_one(Input).value = text
        self.clear_notifications()
        self.notify(text, title=text, markup=False)

    def lines(self) -> list[str]:
        return [
            "".join(segment.text for segment in strip) for strip in self.screen._compositor.render_strips()
        ]


async def test_an_unclean_part_is_drawn_clean_and_in_its_width() -> None:
    app = Page("")
    async with app.run_test(size=(WIDTH, 20)):
        drawn = app.query_one(Drawn)
        for text in TEXTS:
            for first, *rest in ([text], ["x" * (WIDTH - 5), text], [text, "漢" * WIDTH]):
                line = drawn.strip([(part, "error") for part in (first, *rest)], WIDTH)
                shown = "".join(segment.text for segment in line)
                assert smuggled(shown) == [], ascii(text)
                assert shown[:1] == clean(first)[:1], ascii(text)
                assert cell_len(shown) == line.cell_length == WIDTH, ascii(text)


async def test_what_stands_for_a_character_is_set_off_in_the_style_of_its_part() -> None:
    app = Page("")
    async with app.run_test(size=(WIDTH, 20)):
        drawn = app.query_one(Drawn)
        plain, replaced, rest, *_ = drawn.strip([("ab\x1b\x07cd", "")], WIDTH)
        assert [segment.text for segment in (plain, replaced)] == ["ab", "␛␇"]
        assert rest.text.startswith("cd")
        assert replaced.style is not None
        assert plain.style is not None
        assert replaced.style.underline
        assert not plain.style.underline
        assert replaced.style.color == plain.style.color


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
async def test_a_part_without_an_end_costs_a_line_no_more_than_a_row_may_have(text: str) -> None:
    app = Page("")
    async with app.run_test(size=(WIDTH, 20)):
        drawn = app.query_one(Drawn)
        began = time.perf_counter()
        line = drawn.strip([(text, ""), ("end", "")], WIDTH)
        assert time.perf_counter() - began < 2.0
        shown = "".join(segment.text for segment in line)
        assert shown.endswith("…") or "{+9992 marks}end" in shown
        assert len(shown) < ROW_MAX


async def test_the_last_filter_cleans_what_any_widget_title_or_toast_draws() -> None:
    app = Page("", [CleaningFilter()])
    async with app.run_test(size=(WIDTH, 20), notifications=True) as pilot:
        for text in (HOSTILE, *(texts[-1] for texts in CLASSES.values() if "\n" not in texts[-1])):
            app.show(text)
            await until(lambda: sum("mark" in line for line in app.lines()) >= 6)
            await pilot.pause()
            lines = app.lines()
            for line in lines:
                assert smuggled(line) == [], ascii(line)
                assert cell_len(line) == WIDTH, ascii(line)


async def test_the_last_filter_leaves_clean_lines_as_they_are() -> None:
    text = "über 漢字 👨\u200d👩\u200d👧 ✖ e\u0301 ␛ \\x9b ─│"
    pages: list[list[str]] = []
    for filters in ([], [CleaningFilter()]):
        app = Page(text, filters)
        async with app.run_test(size=(WIDTH, 20), notifications=True) as pilot:
            await pilot.pause()
            pages.append(app.lines())
    assert pages[0] == pages[1]


# The detail of an event


def drawn_detail(metadata: dict[str, Any], width: int = WIDTH) -> list[str]:
    lines = item_lines(detail_items(make_event(1, metadata=metadata), Zone.UTC), width)
    return ["".join(text for text, _ in parts) for parts, _ in lines]


@pytest.mark.parametrize("width", [20, 60, 110])
def test_a_long_key_leaves_its_value_in_sight(width: int) -> None:
    key = "k" * 200
    lines = drawn_detail({key: "the value", "nested": {key: {key: ["inner"]}}}, width)
    assert all(cell_width(line) <= width for line in lines[13:]), lines
    assert "".join(lines).count("k") == 600
    assert any(line.strip() == "the value" for line in lines)
    assert any(line.strip() == "[0]: inner" for line in lines)


def test_a_short_key_stands_beside_its_value() -> None:
    assert drawn_detail({"error": "timed out"})[-1] == "  error: timed out"


def test_payloads_are_shown_as_keys_and_as_values() -> None:
    for text in PAYLOADS:
        lines = drawn_detail({f"k{text}": [f"v{text}"]}, 200)
        assert f"▾ {clean(f'k{text}')}".rstrip() in [line.rstrip() for line in lines]
        assert all(smuggled(line) == [] for line in lines)
        raw = json_lines(make_event(1, metadata={f"k{text}": [f"v{text}"]}), 200)
        assert all(smuggled(part) == [] for parts in raw for part, _ in parts)


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("width", [10, 100])
def test_a_text_without_an_end_is_wrapped_in_no_time(text: str, width: int) -> None:
    shown = clean(text)
    began = time.perf_counter()
    lines = wrap(shown, width)
    assert time.perf_counter() - began < 2.0
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")
    assert all(cell_width(line) <= width for line in lines)


# What commands write


def test_a_stream_lets_no_control_through_but_the_end_of_a_line() -> None:
    for text in (HOSTILE, *PAYLOADS, *LONG.values()):
        behind = io.StringIO(newline="")
        stream = CleanStream(behind)
        print(f"a{text}b", file=stream)
        stream.writelines([text, "\n"])
        written = behind.getvalue().split("\n")
        assert written == [clean(line) for line in f"a{text}b\n{text}\n".split("\n")]
        assert all(smuggled(line) == [] for line in written)


def test_a_stream_is_otherwise_the_one_behind_it() -> None:
    behind = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    stream = CleanStream(behind)
    assert stream.write("über\n") == len(b"\\xfcber\n") - 3
    stream.flush()
    assert stream.buffer.getvalue() == b"\\xfcber\n"
    assert stream.isatty() is False
    assert stream.encoding == "utf-8"

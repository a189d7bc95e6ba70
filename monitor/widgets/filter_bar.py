"""Where a query is typed: previewed while typing, put back on escape; a broken one keeps the last good one."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from monitor.text import clean

PREVIEW_DELAY = 0.12
"""Seconds of silence before what was typed is tried."""


class QueryInput(Input):
    """The input, with escape as "put back"."""

    BINDINGS = [
        ("escape", "cancel", "Put back the old filter"),
        # Leaving the bar open behind one's back would turn what is typed next into commands.
        ("tab,shift+tab", "stay", "Stay in the filter"),
    ]

    @dataclass
    class Cancelled(Message):
        """The operator wants the filter back that was there before."""

    def replace(self, text: str, start: int, end: int) -> None:
        """Take in typed or pasted text, cleaned: what is pasted may come from an event."""
        super().replace(clean(text), start, end)

    def action_stay(self) -> None:
        """Do nothing."""

    def action_cancel(self) -> None:
        """Give up."""
        self.post_message(self.Cancelled())


class FilterBar(Container):
    """A line to type a query in, with a word on what is wrong with it."""

    @dataclass
    class Typed(Message):
        """Try this text. `final` when the operator pressed enter."""

        text: str
        final: bool

    @dataclass
    class Closed(Message):
        """Put back the filter as it was when the bar was opened."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._preview: Timer | None = None

    def compose(self) -> ComposeResult:
        """A slash, the input, the error."""
        yield Static("/", id="filter-slash", markup=False)
        yield QueryInput(
            id="filter-input", compact=True, select_on_focus=False, placeholder="words, field:value, -exclude"
        )
        yield Static("", id="filter-error", markup=False)

    def open_with(self, text: str) -> None:
        """Show the bar with `text` to edit."""
        self.display = True
        field = self.query_one(QueryInput)
        field.value = clean(text)
        field.cursor_position = len(field.value)
        self.show_error("")
        field.focus()

    def focus_input(self) -> None:
        """Go on typing."""
        self.query_one(QueryInput).focus()

    def close(self) -> None:
        """Hide the bar."""
        self._stop_preview()
        self.display = False

    def show_error(self, message: str, column: int | None = None) -> None:
        """Say what is wrong and where, or clear it with an empty message."""
        self.set_class(bool(message), "-broken")
        where = f"column {column + 1}: " if message and column is not None else ""
        self.query_one("#filter-error", Static).update(Content(f"{where}{clean(message)}"))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Preview after a moment of silence."""
        event.stop()
        self._stop_preview()
        if self.display:
            self._preview = self.set_timer(PREVIEW_DELAY, self._try)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Apply."""
        event.stop()
        self._stop_preview()
        self.post_message(self.Typed(event.value, final=True))

    def on_query_input_cancelled(self, event: QueryInput.Cancelled) -> None:
        """Put back."""
        event.stop()
        self._stop_preview()
        self.post_message(self.Closed())

    def _try(self) -> None:
        self.post_message(self.Typed(self.query_one(QueryInput).value, final=False))

    def _stop_preview(self) -> None:
        if self._preview is not None:
            self._preview.stop()
            self._preview = None

"""Where a query is typed: previewed while typing, put back on escape; a broken one keeps the last good one.

Under it stands what could be typed next. Tab takes it, and the ones after it; nothing is taken by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from textual.app import ComposeResult
from textual.containers import Container
from textual.content import Content, Span
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Input, Static

from monitor.text import cell_width, clean
from store.query.completion import Completion, Seen, complete

PREVIEW_DELAY = 0.12
"""Seconds of silence before what was typed is tried."""


_INDENT = 3
"""Cells before the candidates, which stand under what is typed."""


@dataclass(frozen=True, slots=True)
class _Taking:
    """Completions of `text`, and which of them was taken (-1: none yet), with what the input shows since."""

    text: str
    candidates: tuple[Completion, ...]
    shown: str
    cursor: int
    chosen: int = -1


def _offered(taking: _Taking, room: int) -> tuple[str, list[Span]]:
    """As many candidates as fit into `room` cells, the chosen one among them, and how they are drawn."""
    line, left, spans = "", room, list[Span]()
    for number, (text, _, _, note) in enumerate(taking.candidates):
        text = clean(text)
        piece = f"{text} {clean(note)}  " if note else f"{text}  "
        width = cell_width(piece)
        if width > left and line:
            if number > taking.chosen:
                break
            # The chosen one is further on: begin a line with this one.
            line, left, spans = "", room, []
        middle = len(line) + len(text)
        if number == taking.chosen:
            spans.append(Span(len(line), middle, "reverse"))
        line += piece
        left -= width
        spans.append(Span(middle, len(line), "dim"))
    return line, spans


class QueryInput(Input):
    """The input, with escape as "put back"."""

    BINDINGS = [
        ("escape", "cancel", "Put back the old filter"),
        # They do not leave the bar: what is typed next would turn into commands.
        ("tab", "complete(1)", "Complete"),
        ("shift+tab", "complete(-1)", "The completion before"),
    ]

    @dataclass
    class Cancelled(Message):
        """The operator wants the filter back that was there before."""

    @dataclass
    class CompletionWanted(Message):
        """The operator wants the next completion, or with -1 the one before."""

        step: int

    def replace(self, text: str, start: int, end: int) -> None:
        """Take in typed or pasted text, cleaned: what is pasted may come from an event."""
        super().replace(clean(text), start, end)

    def action_complete(self, step: int) -> None:
        """Ask for a completion."""
        self.post_message(self.CompletionWanted(step))

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
        self._seen: Seen = {}
        self._taking: _Taking | None = None

    def compose(self) -> ComposeResult:
        """A slash, the input, what could be typed next, the error."""
        yield Static("/", id="filter-slash", markup=False)
        yield QueryInput(
            id="filter-input", compact=True, select_on_focus=False, placeholder="words, field:value, -exclude"
        )
        yield Static("", id="filter-candidates", markup=False)
        yield Static("", id="filter-error", markup=False)

    def on_mount(self) -> None:
        """Offer completions wherever the cursor goes."""
        self.watch(self.query_one(QueryInput), "selection", self._offer, init=False)

    def on_resize(self) -> None:
        """Offer what there is room for."""
        self._offer()

    def open_with(self, text: str, seen: Seen) -> None:
        """Show the bar with `text` to edit, offering the values in `seen`."""
        self.display = True
        self._seen, self._taking = seen, None
        field = self.query_one(QueryInput)
        field.value = clean(text)
        field.cursor_position = len(field.value)
        self.show_error("")
        self._offer()
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

    def on_query_input_completion_wanted(self, event: QueryInput.CompletionWanted) -> None:
        """Put the next completion in the place of what is typed, or of the one taken before."""
        event.stop()
        field = self.query_one(QueryInput)
        taking = self._taking_of(field)
        if not taking.candidates:
            return
        chosen = (taking.chosen + event.step) % len(taking.candidates) if taking.chosen >= 0 else 0
        if taking.chosen < 0 and event.step < 0:
            chosen = len(taking.candidates) - 1
        completion = taking.candidates[chosen]
        head = taking.text[: completion.start] + clean(completion.replacement)
        text = head + taking.text[completion.end :]
        # The only one is done with, and the next tab goes on from there.
        only = len(taking.candidates) == 1
        self._taking = None if only else replace(taking, chosen=chosen, shown=text, cursor=len(head))
        field.value = text
        field.cursor_position = len(head)
        self._offer()

    def _taking_of(self, field: QueryInput) -> _Taking:
        """The completions that are gone through, or new ones when something was typed since."""
        taking = self._taking
        if taking is None or (taking.shown, taking.cursor) != (field.value, field.cursor_position):
            candidates = complete(field.value, field.cursor_position, self._seen)
            taking = _Taking(field.value, tuple(candidates), field.value, field.cursor_position)
        return taking

    def _offer(self) -> None:
        if not self.display:
            return
        taking = self._taking_of(self.query_one(QueryInput))
        room = max(1, self.size.width - _INDENT - 1)
        line, spans = _offered(taking, room)
        self.query_one("#filter-candidates", Static).update(Content(clean(line), spans))

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

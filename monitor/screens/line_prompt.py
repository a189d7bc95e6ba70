"""One line to type an answer in, at the bottom of the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from monitor.text import clean

Answer = TypeVar("Answer")


class LineInput(Input):
    """The input. What is pasted may come from an event."""

    def replace(self, text: str, start: int, end: int) -> None:
        """Take in typed or pasted text, cleaned."""
        super().replace(clean(text), start, end)


class LinePrompt(ModalScreen[Answer | None], Generic[Answer]):
    """Answers with what `read` makes of the line; None when it was given up.

    `read` raises ValueError with one line of what is wrong, which is shown, and the line can be mended.
    """

    BINDINGS = [Binding("escape", "cancel", "Give up")]

    def __init__(self, label: str, hint: str, read: Callable[[str], Answer], text: str = "") -> None:
        super().__init__()
        self._label = label
        self._hint = hint
        self._read = read
        self._text = text

    def compose(self) -> ComposeResult:
        """Label and input, and a line for what is wrong."""
        with Horizontal(id="prompt"):
            yield Static(f"{clean(self._label)} ", id="prompt-label", markup=False)
            yield LineInput(
                clean(self._text),
                placeholder=clean(self._hint),
                compact=True,
                select_on_focus=False,
                id="prompt-input",
            )
            yield Static("", id="prompt-error", markup=False)

    def on_input_changed(self) -> None:
        """What was wrong is being mended."""
        self.query_one("#prompt-error", Static).update(Content(""))

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Answer, or say what is wrong."""
        try:
            answer = self._read(message.value.strip())
        except ValueError as error:
            self.query_one("#prompt-error", Static).update(Content(f" {clean(str(error))}"))
            return
        self.dismiss(answer)

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)

"""One line to type an answer in, at the bottom of the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    `read` raises ValueError with one line of what is wrong, which is shown, and the line can be mended. What `suggest`
    finds for what is typed stands beside it, best first, and `tab` takes the first.
    """

    BINDINGS = [
        Binding("escape", "cancel", "Give up"),
        Binding("tab", "take_suggestion", "Take what is suggested first"),
    ]

    def __init__(
        self,
        label: str,
        hint: str,
        read: Callable[[str], Answer],
        text: str = "",
        suggest: Callable[[str], Sequence[str]] = lambda _text: (),
    ) -> None:
        super().__init__()
        self._label = label
        self._hint = hint
        self._read = read
        self._suggest = suggest
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

    def on_input_changed(self, message: Input.Changed) -> None:
        """What was wrong is being mended; say what it may become."""
        found = [text for text in self._suggest(message.value) if text != message.value]
        self._say("  ".join(found), is_wrong=False)

    def action_take_suggestion(self) -> None:
        """Put the first suggestion in the place of what was typed."""
        line = self.query_one(LineInput)
        if found := self._suggest(line.value):
            line.value = clean(found[0])
            line.cursor_position = len(line.value)

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Answer, or say what is wrong."""
        try:
            answer = self._read(message.value.strip())
        except ValueError as error:
            self._say(str(error), is_wrong=True)
            return
        self.dismiss(answer)

    def _say(self, text: str, *, is_wrong: bool) -> None:
        line = self.query_one("#prompt-error", Static)
        line.set_class(not is_wrong, "-suggestions")
        line.update(Content(f" {clean(text)}" if text else ""))

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)

"""One line that asks for a yes or a no."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Static

from monitor.text import clean
from monitor.widgets.key_hints import KeyHints


class Question(ModalScreen[bool | None]):
    """Answers True for yes. No is no answer of its own: whoever asks does nothing then."""

    BINDINGS = [
        Binding("y", "yes", "Yes"),
        Binding("n,escape,q", "no", "No"),
    ]

    def __init__(self, text: str, yes: str) -> None:
        super().__init__()
        self._text = text
        self._yes = yes

    def compose(self) -> ComposeResult:
        """The question, and what y does."""
        with Horizontal(id="question"):
            yield Static(f" {clean(self._text)} ", id="question-text", markup=False)
            yield KeyHints([("y", self._yes), ("n", "no")])

    def action_yes(self) -> None:
        """Answer yes."""
        self.dismiss(True)

    def action_no(self) -> None:
        """Leave it as it was."""
        self.dismiss(False)

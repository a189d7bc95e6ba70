"""One line that asks for the minimum severity."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen

from monitor.widgets.key_hints import KeyHints
from store.event import Severity


class SeverityPrompt(ModalScreen[tuple[Severity | None] | None]):
    """Answers with the severity in a tuple, (None,) for all events, or None when cancelled."""

    CHOICES: ClassVar[dict[str, Severity | None]] = {
        "0": None,
        "1": Severity.INFO,
        "2": Severity.WARNING,
        "3": Severity.ERROR,
    }
    BINDINGS = [
        *(Binding(key, f"choose('{key}')", str(severity or "all")) for key, severity in CHOICES.items()),
        Binding("escape,q", "cancel", "Cancel"),
    ]

    def compose(self) -> ComposeResult:
        """The question, in place of the key hints."""
        hints = [("least severity", "")]
        hints.extend((key, str(severity or "all")) for key, severity in self.CHOICES.items())
        yield KeyHints([*hints, ("esc", "cancel")])

    def action_choose(self, key: str) -> None:
        """Answer."""
        self.dismiss((self.CHOICES[key],))

    def action_cancel(self) -> None:
        """Leave it as it was."""
        self.dismiss(None)

"""The last messages, or lines, that were no events: why, and how they begin."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen

from monitor.masking import shown_text
from monitor.model.arrivals import FROM_FILES
from monitor.model.refusals import reasons, suggested_mapping
from monitor.screens.console_screen import Console
from monitor.widgets.help_lines import HelpLines, Section


class RefusalsScreen(ModalScreen[None]):
    """Lists what was refused: how many for which reason, then the last of them, newest first."""

    BINDINGS = [Binding("escape,q,M", "app.pop_screen", "Back")]

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._owner = console

    def compose(self) -> ComposeResult:
        """The sections."""
        lines = HelpLines(self._sections(), id="refusals")
        lines.add_class("dialog")
        lines.border_title = Content("What was no event")
        lines.border_subtitle = Content("j k PgDn PgUp move  esc back")
        yield lines

    def _sections(self) -> list[Section]:
        model, zone = self._owner.model, self._owner.zone
        kept = [refusal for _, refusal in model.refusals]
        if not kept:
            return [("nothing was refused", ())]
        sections: list[Section] = [
            (f"{model.tally.malformed:,} malformed; why the last {len(kept)}", _counted(reasons(kept)))
        ]
        suggested = suggested_mapping(kept)
        if model.status.link in FROM_FILES and suggested is not None:
            places, example = suggested
            sections.append(
                (
                    "lines that are JSON, but no events, need a file that says what is what",
                    (
                        ("places in the line", "  ".join(places)),
                        ("map.toml, to begin with", example),
                        ("then", "evtop --map map.toml FILE"),
                    ),
                )
            )
        told = [
            (
                refusal.where or f"{zone.second(moment)}  {refusal.size:,} bytes",
                f"{refusal.reason}: {_text(refusal.excerpt)}" if refusal.excerpt else refusal.reason,
            )
            for moment, refusal in reversed(model.refusals)
        ]
        return [*sections, ("the last of them", told)]


def _counted(counts: list[tuple[str, int]]) -> list[tuple[str, str]]:
    return [(f"{number:,}", reason) for reason, number in counts]


def _text(excerpt: bytes) -> str:
    return shown_text(excerpt.decode("utf-8", "backslashreplace"))

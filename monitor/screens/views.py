"""The list of saved views: open one, save what is shown as one, remove one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen

from monitor.model.view import View
from monitor.screens.console_screen import Console
from monitor.screens.line_prompt import LinePrompt
from monitor.screens.question import Question
from monitor.text import clean
from monitor.views import ViewFile, Views, ViewsError, view_name
from monitor.widgets.view_list import ViewList

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel


class ViewsScreen(ModalScreen[View | None]):
    """Answers with the view that is to be shown; None when that stays as it is. `present` is what is shown now."""

    BINDINGS = [
        Binding("enter", "open", "Open the view"),
        Binding("s", "save", "Save what is shown as a view"),
        Binding("d", "remove", "Remove the view"),
        Binding("escape,q,V", "cancel", "Back"),
    ]

    def __init__(self, console: Console, file: ViewFile, present: View) -> None:
        super().__init__()
        self._application = console
        self._file = file
        self._present = present
        self._views = Views()

    def compose(self) -> ComposeResult:
        """The list in a frame."""
        views = ViewList(id="views")
        views.add_class("dialog")
        views.border_title = Content("Saved views")
        views.border_subtitle = Content("enter opens · s saves what is shown · d removes · esc back")
        yield views

    def on_mount(self) -> None:
        """Look at the file."""
        self.query_one(ViewList).focus()
        self._read()

    def action_open(self) -> None:
        """Answer with the view under the cursor."""
        name = self.query_one(ViewList).chosen
        if name is not None:
            self.dismiss(self._views.by_name[name])

    def action_save(self) -> None:
        """Ask for a name; one that is taken is asked about."""

        def named(name: str | None) -> None:
            if name is None:
                return
            if name in self._views.by_name:
                question = Question(f"there is a view {name}", "replace it")
                self._application.open_screen(question, lambda yes: self._save(name) if yes else None)
            else:
                self._save(name)

        prompt = LinePrompt("save as", "a name", view_name, suggest=self._names_like)
        self._application.open_screen(prompt, named)

    def action_remove(self) -> None:
        """Take the view under the cursor out, once that is confirmed."""
        name = self.query_one(ViewList).chosen
        if name is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self._change(partial(self._file.remove, name), f"{name} removed")

        self._application.open_screen(Question(f"remove {name}?", "remove it"), answered)

    def action_cancel(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    def _names_like(self, text: str) -> list[str]:
        return [name for name in self._views.by_name if text and name.startswith(text)]

    def _save(self, name: str) -> None:
        self._change(partial(self._file.save, name, self._present), f"saved as {name}; evtop --view opens it")

    def _change(self, work: Callable[[], None], said: str) -> None:
        """Change the file beside everything else: another evtop may be at it."""
        self.run_worker(self._changed(work, said), group="views", exit_on_error=False)

    async def _changed(self, work: Callable[[], None], said: str) -> None:
        try:
            await asyncio.to_thread(work)
        except ViewsError as error:
            self._tell(str(error), "error")
        else:
            self._read()
            self._tell(said)

    def _read(self) -> None:
        try:
            self._views = self._file.read()
        except ViewsError as error:
            self._tell(str(error), "error")
        else:
            for line in list(self._views.problems.values())[:1]:
                self._tell(line, "warning")
        self.query_one(ViewList).show(self._views.by_name)

    def _tell(self, line: str, severity: SeverityLevel = "information") -> None:
        self.notify(clean(line), severity=severity, markup=False)

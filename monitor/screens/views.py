"""The list of saved views: open one, save what is shown as one, remove one."""

from __future__ import annotations

from collections.abc import Callable

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen

from monitor.model.view import View
from monitor.screens.line_prompt import LinePrompt
from monitor.screens.question import Question
from monitor.text import clean
from monitor.views import ViewFile, Views, ViewsError, view_name
from monitor.widgets.view_list import ViewList


class ViewsScreen(ModalScreen[View | None]):
    """Answers with the view that is to be shown; None when that stays as it is. `present` is what is shown now."""

    BINDINGS = [
        Binding("enter", "open", "Open the view"),
        Binding("s", "save", "Save what is shown as a view"),
        Binding("d", "remove", "Remove the view"),
        Binding("escape,q,V", "cancel", "Back"),
    ]

    def __init__(self, file: ViewFile, present: View) -> None:
        super().__init__()
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
                self.app.push_screen(question, lambda yes: self._save(name) if yes else None)  # pyright: ignore[reportUnknownMemberType]
            else:
                self._save(name)

        prompt = LinePrompt("save as", "a name", view_name, suggest=self._names_like)
        self.app.push_screen(prompt, named)  # pyright: ignore[reportUnknownMemberType]

    def action_remove(self) -> None:
        """Take the view under the cursor out, once that is confirmed."""
        name = self.query_one(ViewList).chosen
        if name is None:
            return

        def answered(yes: bool | None) -> None:
            if yes and self._done(lambda: self._file.remove(name)):
                self._read()

        self.app.push_screen(Question(f"remove {name}?", "remove it"), answered)  # pyright: ignore[reportUnknownMemberType]

    def action_cancel(self) -> None:
        """Leave everything as it is."""
        self.dismiss(None)

    def _names_like(self, text: str) -> list[str]:
        return [name for name in self._views.by_name if text and name.startswith(text)]

    def _save(self, name: str) -> None:
        if self._done(lambda: self._file.save(name, self._present)):
            self._read()
            self.notify(clean(f"saved as {name}; evtop --view opens it"), markup=False)

    def _read(self) -> None:
        def read() -> None:
            self._views = self._file.read()

        if self._done(read):
            for line in list(self._views.problems.values())[:1]:
                self.notify(clean(line), severity="warning", markup=False)
        self.query_one(ViewList).show(self._views.by_name)

    def _done(self, work: Callable[[], None]) -> bool:
        """Whether the file could be used; if not, it is said why."""
        try:
            work()
        except ViewsError as error:
            self.notify(clean(str(error)), severity="error", markup=False)
            return False
        return True

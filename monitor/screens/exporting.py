"""What a screen with a timeline does to take its events to a file: asks where to, shows how far it is."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from textual.binding import Binding

from monitor.bindings import keys_now
from monitor.errors import StartError
from monitor.screens.line_prompt import LinePrompt
from monitor.screens.question import Question
from monitor.screens.timeline_screen import TimelineScreen
from monitor.text import clean
from monitor.widgets.progress_line import ProgressLine
from store.event_filter import EventFilter

if TYPE_CHECKING:
    from monitor.export.formats import Format

ENDINGS = ".ndjson .csv .parquet"


class ExportingScreen(TimelineScreen):
    """Takes along all stored events that the filter of its timeline shows. It has a `ProgressLine`."""

    BINDINGS = [Binding("ctrl+e", "export", "Export what the filter shows: NDJSON, CSV, Parquet")]

    def exported(self) -> EventFilter:
        """Which stored events are meant."""
        return self.timeline.timeline.filter.selection()

    def action_export(self) -> None:
        """Ask for a file and begin; while an export runs, ask whether it is to be given up."""
        console = self.console
        if console.exports.job is not None:

            def answered(yes: bool | None) -> None:
                if yes:
                    console.exports.cancel()

            console.open_screen(Question("an export is running", "cancel it"), answered)
        elif console.reader is None:
            self.tell("the store is not open yet")
        else:
            local = console.now().astimezone(console.zone.tzinfo)
            self._ask_where(str(suggested(local, console.exports.last)), self.exported())

    def _ask_where(self, text: str, chosen: EventFilter) -> None:
        def named(target: tuple[Path, Format] | None) -> None:
            if target is not None:
                self._export_to(*target, chosen)

        self.console.open_screen(LinePrompt("export to", ENDINGS, read_target, text), named)

    def _export_to(self, path: Path, form: Format, chosen: EventFilter) -> None:
        console = self.console

        def replaced(yes: bool | None) -> None:
            if yes:
                self._begin(path, form, chosen, replaces=True)
            else:
                self._ask_where(str(path), chosen)

        if path.exists():
            console.open_screen(Question(f"{path.name} is there already", "replace it"), replaced)
        else:
            self._begin(path, form, chosen, replaces=False)

    def _begin(self, path: Path, form: Format, chosen: EventFilter, *, replaces: bool) -> None:
        self.console.start_export(path, form, chosen, replaces=replaces)
        self.call_after_refresh(self.show_vitals)

    def show_vitals(self) -> None:
        """Bring the status line up to date, and with it the line of the export."""
        super().show_vitals()
        line, job = self.query_one(ProgressLine), self.console.exports.job
        if job is None:
            line.hide()
        else:
            told = "waiting for the disk" if job.is_ending else job.told()
            cancel = keys_now([self], "^E")
            line.show(f"exporting {job.path.name}", job.share, told, f"{cancel} cancels")


def suggested(moment: datetime, last: Path | None) -> Path:
    """A new name: in the folder of the last export and of its kind, else in the folder that evtop was started in."""
    folder, ending = Path(), ".ndjson"
    if last is not None:
        folder, ending = last.parent, last.suffix
    else:
        # That folder may be gone by now, and there may be no home; that is said of the name when it is entered.
        with suppress(OSError, RuntimeError):
            folder = Path.cwd()
            if not os.access(folder, os.W_OK):
                folder = Path.home()
    return folder / f"evtop-{moment:%Y-%m-%d-%H%M%S}{ending}"


def read_target(text: str) -> tuple[Path, Format]:
    """The file that is meant, as an absolute path, and what kind it is by its extension.

    Raises:
        ValueError: it cannot be written, or says no kind; the message is one line.
    """
    from monitor.export.formats import format_of, require

    if not text or "\0" in text:
        raise ValueError("type the name of a file")
    try:
        path = Path(os.path.abspath(Path(text).expanduser()))  # noqa: PTH100 - a link stays what was typed
        form = format_of(path.name)
        if form is None:
            raise ValueError(f"end it with one of {ENDINGS}")
        require(form)
        if path.exists() and not path.is_file():
            raise ValueError("that is no file")
        if not path.parent.is_dir():
            raise ValueError(f"there is no folder {clean(str(path.parent))}")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise ValueError(f"{clean(str(path.parent))} may not be written to")
    except StartError as error:
        raise ValueError(str(error)) from None
    except RuntimeError:
        raise ValueError("there is no home folder") from None
    except OSError as error:
        raise ValueError(error.strerror or type(error).__name__) from None
    return path, form

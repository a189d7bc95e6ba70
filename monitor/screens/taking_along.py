"""What screens with a timeline give away: copies of a cell or a row, and the incident note."""

from __future__ import annotations

from monitor.model.cells import cell_text
from monitor.model.note import incident_note
from monitor.screens.reading_screen import ReadingScreen
from monitor.text import clean
from store.wire import encode


class TakingAlongScreen(ReadingScreen):
    """A screen whose rows can be taken to where people talk about them."""

    def action_copy_cell(self) -> None:
        """Copy what the cell under the cursor says in full."""
        event = self.timeline.selected_event
        if event is not None:
            cell = self.timeline.cell
            text = clean(cell_text(event, cell, self.console.zone))
            self.console.copy(text, f"the {cell.value}")

    def action_copy_row(self) -> None:
        """Copy the event as one line of JSON in ASCII."""
        event = self.timeline.selected_event
        if event is not None:
            self.console.copy(clean(encode(event).decode()), "the row")

    def action_note(self) -> None:
        """Write the incident note: a file, and the clipboard."""
        console = self.console
        marks, shown = console.model.marks, self._rows.filter
        if not marks.events:
            self.tell("m bookmarks the rows that the note is to tell")
            return
        console.save_note(
            incident_note(
                console.system_name,
                marks.events,
                marks.zero,
                console.model.gaps,
                query=shown.describe(),
                zone=console.zone,
                now=console.now(),
            )
        )

"""What screens with a timeline give away: copies of a cell or a row, a plain page, the incident note."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from monitor.errors import read_failure
from monitor.masking import shown_event
from monitor.model.cells import cell_text
from monitor.model.filter import Filter
from monitor.model.note import Counted, incident_note
from monitor.model.subjects import PageSubject
from monitor.screens.reading_screen import ReadingScreen
from monitor.text import clean
from store.event import Event
from store.event_filter import EventFilter
from store.query.syntax import EVERYTHING
from store.wire import encode

COUNTING_TIMEOUT = 10.0
"""Seconds after which the note is written without counts."""
KIND = ("event_type", "severity")
KINDS_MAX = 10_000


class TakingAlongScreen(ReadingScreen):
    """A screen whose rows can be taken to where people talk about them."""

    @property
    def all_about(self) -> PageSubject | None:
        """What all rows are about; None where they are about anything."""
        return None

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
            self.console.copy(clean(encode(shown_event(event)).decode()), "the row")

    def action_dump(self) -> None:
        """Print the page as plain text on the terminal's own screen, where its mouse can select it."""
        self.console.print_plain([*self.timeline.plain_page(), "", "enter: back to evtop"])

    def action_note(self) -> None:
        """Write the incident note, with counts from the store: a file, and the clipboard."""
        rows = self._rows
        marked = self.console.model.marks.events
        told = marked or [
            row
            for direction in (rows.rows, reversed(rows.rows))
            if (row := next((row for row in direction if isinstance(row, Event)), None))
        ]
        if not told:
            self.tell("there is nothing that a note could tell")
            return
        self.tell("counting for the note…")
        of = "the bookmarks" if marked else "what is loaded on the timeline"
        first, last = told[0].inserted_at, told[-1].inserted_at
        doubtful = rows.unconfirmed | rows.not_stored
        # To look at all rows of a long timeline takes its time, and there are hardly ever such.
        looked_at = rows.rows if doubtful else ()
        inside = {row.id for row in looked_at if isinstance(row, Event) and first <= row.inserted_at <= last}
        unconfirmed, not_stored = len(inside & rows.unconfirmed), len(inside & rows.not_stored)
        counted = Counted(of, first, last, unconfirmed=unconfirmed, not_stored=not_stored)
        self.run_worker(
            self._write_note(marked, counted, rows.filter), group="note", exclusive=True, exit_on_error=False
        )

    async def _write_note(self, marked: list[Event], counted: Counted, shown: Filter) -> None:
        """Count, and write the note whether the store can tell or not."""
        try:
            async with asyncio.timeout(COUNTING_TIMEOUT):
                kinds = await self.reader.combinations(KIND, self._within(counted, shown), KINDS_MAX)
            counted = replace(counted, kinds=kinds)
        except TimeoutError:
            counted = replace(counted, failed="the store takes too long to count")
        except Exception as error:
            # A note without counts is better than none.
            counted = replace(counted, failed=read_failure(error))
        console = self.console
        note = incident_note(
            console.system_name,
            marked,
            console.model.marks.zero,
            console.model.gaps,
            counted,
            query=shown.describe(),
            subject=self.all_about,
            zone=console.zone,
            now=console.now(),
        )
        console.save_note(note)

    def _within(self, counted: Counted, shown: Filter) -> EventFilter:
        """What the timeline shows with the filter `shown`, in the span that is counted."""
        own = EVERYTHING if self.all_about is None else self.all_about.query
        chosen = shown.selection(own)
        since, until = counted.since, counted.until + timedelta(microseconds=1)
        return replace(
            chosen,
            since=max(since, chosen.since) if chosen.since else since,
            until=min(until, chosen.until) if chosen.until else until,
        )

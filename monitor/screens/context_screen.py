"""Rows around a match: what the filter hides right before and after a row, brought from the store."""

from __future__ import annotations

from functools import partial

from monitor.model.context import MOST, STEP, Context, ContextRow
from monitor.model.rows import SortKey
from monitor.model.shown_rows import ShownRows
from monitor.screens.reading_screen import ReadingScreen
from store.query.syntax import EVERYTHING


class ContextScreen(ReadingScreen):
    """A screen that shows, around one row, rows that its filter hides."""

    def action_context(self, step: int) -> None:
        """More rows (+1) around the row under the cursor, or fewer (-1) around the one that has some."""
        view, shown = self.timeline, self.timeline.viewport.shown
        present = shown.context
        if step < 0:
            if present is None:
                self.tell("there are no rows around a match; + shows some")
            else:
                reach = present.reach - STEP
                shown.show_context(present.cut(reach) if reach > 0 else None)
                self.advance()
            return
        event = view.selected_event
        if not self._rows.filter.hides_something:
            self.tell("there is no filter that could hide what is around")
        elif event is None:
            self.tell("context is shown around an event")
        else:
            at_it = present is not None and _is_at(shown, present, view.viewport.cursor)
            key, reach = (present.key, present.reach + STEP) if present and at_it else (event.sort_key, STEP)
            view.viewport.detach()
            self._read_at_wish(partial(self._read_context, key, min(reach, MOST)))

    async def _read_context(self, key: SortKey, reach: int) -> None:
        rows = self._rows
        chosen = rows.filter
        before = await self.read_before(key, reach, EVERYTHING)
        after = await self.read_after(key, reach, EVERYTHING)
        if rows.filter != chosen or not rows.rows.has(key):
            return
        context = Context.around(key, chosen, reach, before, after)
        self.timeline.viewport.shown.show_context(context)
        if not context.hidden:
            self.tell(f"the filter hides none of the {reach} rows before and after it")


def _is_at(shown: ShownRows, context: Context, cursor: int) -> bool:
    """Whether the cursor is on the row that has the context, or on one of its rows."""
    row = shown[cursor]
    return isinstance(row, ContextRow) or shown.index(context.key) == cursor

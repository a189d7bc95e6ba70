"""What a screen with a filter bar does with it: edits the query with a preview, clears it, sets it aside."""

from __future__ import annotations

from dataclasses import replace

from textual.binding import Binding

from monitor.model.arrivals import Arrivals
from monitor.model.filter import Filter
from monitor.model.seen_values import seen_values
from monitor.screens.counting_screen import CountingScreen
from monitor.screens.severity import SeverityPrompt
from monitor.widgets.filter_bar import FilterBar
from monitor.widgets.key_hints import KeyHints
from store.event import Severity
from store.query.moments import slid
from store.query.syntax import QueryError

COUNTS_EVERY = 0.5
"""Seconds between two countings of facets and histogram, which cost with the number of event types."""
SLIDE_EVERY = 10.0
"""Seconds between two times that `last:` is counted back anew, which looks at all recent events."""


class FilteringScreen(CountingScreen):
    """Owns the filter: `shown` is what every pane shows."""

    BINDINGS = [
        Binding("slash", "edit_filter", "Filter"),
        Binding("C", "clear_filter", "Clear the filter"),
        Binding("f", "set_aside", "All filters off / on"),
        Binding("exclamation_mark", "severity", "Minimum severity, then 0-3"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.shown = Filter()
        self._before_editing = Filter()
        self._aside = Filter()
        self._counts_due = 0.0
        self._slide_due = 0.0

    def apply_filter(self, shown: Filter) -> None:
        """Show what `shown` lets through, on every pane."""
        if shown != self.shown:
            self.shown = shown
            self.filter_rows(shown)
            self._counts_due = 0.0
        self.advance()

    def count_when_due(self, arrivals: Arrivals | None) -> None:
        """Draw facets and histogram, unless they were a moment ago."""
        if self.console.tick() >= self._counts_due or (arrivals and arrivals.opening):
            self._counts_due = self.console.tick() + COUNTS_EVERY
            self.show_counts()
            self._slide()

    def zone_changed(self) -> None:
        """Times are to be shown in another zone, under the histogram too."""
        super().zone_changed()
        self._counts_due = 0.0

    def action_edit_filter(self) -> None:
        """Edit the query."""
        if self.query_one(FilterBar).display:
            self.query_one(FilterBar).focus_input()
            return
        self._before_editing = self.shown
        self.query_one(KeyHints).display = False
        model = self.console.model
        kinds = model.counts.kinds(model.counts.complete_from(self.console.now()))
        seen = seen_values(kinds, model.timeline.rows)
        self.query_one(FilterBar).open_with(self.shown.text, seen)

    def action_clear_filter(self) -> None:
        """Show everything."""
        self.apply_filter(Filter())

    def action_set_aside(self) -> None:
        """Show everything around the row, or put back what was set aside."""
        if self.shown.hides_something:
            self._aside = self.shown
            self.apply_filter(Filter())
        elif self._aside.hides_something:
            self.apply_filter(self._aside)
        else:
            self.tell("there is no filter")

    def action_severity(self) -> None:
        """Ask for the minimum severity."""

        def chosen(answer: tuple[Severity | None] | None) -> None:
            if answer is not None:
                self.apply_filter(self.shown.at_least(answer[0]))

        self.console.open_screen(SeverityPrompt(), chosen)

    def on_filter_bar_typed(self, message: FilterBar.Typed) -> None:
        """Try a query; a broken one leaves the last good one in place and says where it broke."""
        # Lark costs more to import than the first paint may wait for.
        from store.query.parser import parse

        bar = self.query_one(FilterBar)
        try:
            query = parse(message.text, self.console.now(), self.console.zone.tzinfo)
        except QueryError as error:
            bar.show_error(str(error), error.column)
            return
        bar.show_error("")
        self.apply_filter(self.shown.with_query(message.text, query))
        if message.final:
            self._close_filter_bar()

    def on_filter_bar_closed(self) -> None:
        """Put back the filter that was there before."""
        self.apply_filter(self._before_editing)
        self._close_filter_bar()

    def _slide(self) -> None:
        """Let what `last:` means move on with the clock, while the newest rows are followed."""
        tick, timeline = self.console.tick(), self.console.model.timeline
        held = timeline.frozen or self.is_reading or self.query_one(FilterBar).display
        if tick < self._slide_due or held or not self.timeline.viewport.following:
            return
        self._slide_due = tick + SLIDE_EVERY
        query = slid(self.shown.query, self.console.now())
        if query != self.shown.query:
            self.shown = replace(self.shown, query=query)
            self.filter_rows(self.shown)

    def _close_filter_bar(self) -> None:
        self.query_one(FilterBar).close()
        self.query_one(KeyHints).display = True
        self.timeline.focus()
        self.advance()

"""The live screen: what is happening now, what happened before, what is broken."""

from __future__ import annotations

from datetime import timedelta

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from monitor.messages import OlderPageLoaded, StoreReadFailed
from monitor.model.arrivals import Arrivals
from monitor.model.filter import Filter
from monitor.screens.console_screen import ConsoleScreen, Reader
from monitor.screens.detail import DetailScreen
from monitor.screens.help import HelpScreen
from monitor.screens.resource import ResourceScreen
from monitor.screens.severity import SeverityPrompt
from monitor.text import clean
from monitor.widgets.alerts_pane import AlertsPane
from monitor.widgets.category_pane import CategoryPane
from monitor.widgets.filter_bar import FilterBar
from monitor.widgets.health_pane import HealthPane
from monitor.widgets.histogram import Histogram
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.status_line import StatusLine
from monitor.widgets.timeline_view import TimelineView
from store.errors import StoreError
from store.event import Severity
from store.query.syntax import QueryError

OLDER_PAGE = 200
RETRY_AFTER = 5.0
"""Seconds until the store is asked again after a page could not be read."""
COUNTS_EVERY = 0.5
"""Seconds between two countings of facets and histogram, which cost with the number of event types."""
HINTS = [
    ("?", "help"),
    ("/", "filter"),
    ("space", "freeze"),
    ("enter", "detail"),
    ("r", "resource"),
    ("e E", "error"),
    ("s", "side"),
    ("!", "severity"),
    ("a", "alerts"),
    ("t", "zone"),
    ("q", "quit"),
]


class LiveScreen(ConsoleScreen):
    """Timeline with facets, health and alerts beside it and a histogram under it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
    BINDINGS = [
        Binding("slash", "edit_filter", "Filter"),
        Binding("p", "freeze", "Freeze / resume"),
        Binding("F", "follow", "Follow on / off"),
        Binding("C", "clear_filter", "Clear the filter"),
        Binding("e", "find(1, 'error')", "Next error"),
        Binding("E", "find(-1, 'error')", "Previous error"),
        Binding("w", "find(1, 'warning')", "Next warning"),
        Binding("W", "find(-1, 'warning')", "Previous warning"),
        Binding("exclamation_mark", "severity", "Minimum severity, then 0-3"),
        Binding("r", "resource", "Resource of the row"),
        Binding("a", "focus_pane('alerts')", "Alerts"),
        Binding("1", "focus_pane('timeline')", "Timeline"),
        Binding("2", "focus_pane('categories')", "Categories"),
        Binding("3", "focus_pane('health')", "Health"),
        Binding("4", "focus_pane('alerts')", "Alerts", show=False),
        Binding("s", "side", "Side panes show / hide"),
        Binding("t", "zone", "UTC / local / ago"),
        Binding("question_mark,f1", "help", "Help"),
        Binding("escape", "back", "Back to the timeline", show=False),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.shown = Filter()
        self._before_editing = Filter()
        self._loading_older = False
        self._retry_older_at = 0.0
        self._counts_due = 0.0

    def compose(self) -> ComposeResult:
        """Status line, panes, timeline, filter bar, key hints."""
        console = self.console
        yield StatusLine(id="status")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield self._pane(CategoryPane(id="categories"))
                yield self._pane(HealthPane(console.now, id="health"))
                yield self._pane(AlertsPane(console.now, id="alerts"))
            with Vertical(id="main"):
                yield self._pane(TimelineView(console.model.timeline, console.now, id="timeline"))
                yield self._pane(Histogram(id="histogram"))
        yield FilterBar(id="filter")
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Start on the timeline."""
        self.timeline.empty_text = "opening the store…"
        self.timeline.focus()
        self.call_after_refresh(self.advance)

    @property
    def timeline(self) -> TimelineView:
        """The timeline."""
        return self.query_one("#timeline", TimelineView)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Draw what the model knows now."""
        model = self.console.model
        self.show_vitals()
        self.query_one(HealthPane).show(model.board.components())
        self.query_one(AlertsPane).show(model.alerts.alerts())
        if self.console.tick() >= self._counts_due or (arrivals and arrivals.opening):
            self._counts_due = self.console.tick() + COUNTS_EVERY
            self._show_counts()
        if model.opened:
            hides = self.shown.hides_something
            self.timeline.empty_text = (
                "nothing matches the filter · C clears it" if hides else "no events yet"
            )
        self.timeline.advance()

    def action_edit_filter(self) -> None:
        """Edit the query."""
        if self.query_one(FilterBar).display:
            self.query_one(FilterBar).focus_input()
            return
        self._before_editing = self.shown
        self.query_one(KeyHints).display = False
        self.query_one(FilterBar).open_with(self.shown.text)

    def action_clear_filter(self) -> None:
        """Show everything."""
        self._show(Filter())

    def action_freeze(self) -> None:
        """Freeze the list, or let it go on. What arrives meanwhile is counted."""
        timeline = self.console.model.timeline
        if timeline.frozen:
            timeline.attach()
        else:
            timeline.freeze()
        self.advance()

    def action_follow(self) -> None:
        """Follow the newest row, or stop where it is."""
        viewport = self.timeline.viewport
        if viewport.following:
            viewport.detach()
        else:
            viewport.follow()
        self.advance()

    def action_find(self, step: int, severity: str) -> None:
        """Go to the next or previous event of a severity."""
        if not self.timeline.find(step, Severity(severity)):
            where = "further down" if step > 0 else "further up among the loaded events"
            self.notify(f"no {clean(severity)} {where}", markup=False, timeout=2)

    def action_severity(self) -> None:
        """Ask for the minimum severity."""

        def chosen(answer: tuple[Severity | None] | None) -> None:
            if answer is not None:
                self._show(self.shown.at_least(answer[0]))

        self.console.open_screen(SeverityPrompt(), chosen)

    def action_resource(self) -> None:
        """Open the resource page of the event under the cursor."""
        event = self.timeline.selected_event
        if event is None or event.resource_type is None or event.resource_id is None:
            self.notify("this row is about no resource", markup=False, timeout=2)
            return
        self._open_resource(event.resource_type, event.resource_id)

    def action_focus_pane(self, name: str) -> None:
        """Go to a pane, bringing the side over the timeline where it is folded away."""
        if name != "timeline":
            self.remove_class("-side-hidden")
        self.set_class(self.has_class("-narrow") and name != "timeline", "-side-over")
        self.query_one(f"#{name}", Widget).focus()

    def action_side(self) -> None:
        """Show or hide the side panes."""
        if self.has_class("-narrow"):
            self.toggle_class("-side-over")
            target = "#categories" if self.has_class("-side-over") else "#timeline"
            self.query_one(target, Widget).focus()
        else:
            self.toggle_class("-side-hidden")
            self.timeline.focus()

    def action_zone(self) -> None:
        """Show times in the next zone."""
        self.console.zone = self.console.zone.next()
        self.timeline.zone = self.console.zone
        self.advance()

    def action_help(self) -> None:
        """Show all keys and what the counts mean."""
        self.console.open_screen(HelpScreen(self.focused, self, self.console.places))

    def action_back(self) -> None:
        """Close the filter bar, fold the side away and go to the timeline."""
        if self.query_one(FilterBar).display:
            self.on_filter_bar_closed()
        self.remove_class("-side-over")
        self.timeline.focus()

    def on_timeline_view_event_opened(self, message: TimelineView.EventOpened) -> None:
        """Show the event in full."""
        self.console.open_screen(DetailScreen(message.event, self.console.zone), self._after_detail)

    def on_timeline_view_facet_chosen(self, message: TimelineView.FacetChosen) -> None:
        """Mute or solo the type under the cursor."""
        self._show(self.shown.soloed(message.facet) if message.solo else self.shown.toggled(message.facet))

    def on_timeline_view_older_wanted(self) -> None:
        """Read a page of older events, one at a time."""
        reader, timeline = self.console.reader, self.console.model.timeline
        # The wish may be older than the answer to the one before it.
        if self._loading_older or reader is None or timeline.is_full or not timeline.has_older:
            return
        if self.console.tick() < self._retry_older_at:
            return
        self._loading_older = True
        self.run_worker(self._load_older(reader), group="older", exit_on_error=False)

    def on_older_page_loaded(self, message: OlderPageLoaded) -> None:
        """Put the page before the first row, unless another page belongs there by now."""
        self._loading_older = False
        timeline = self.console.model.timeline
        if (message.shown, message.floor) == (timeline.filter, timeline.floor):
            timeline.add_older(message.events, has_older=message.has_older)
        self.timeline.advance()

    def on_store_read_failed(self, message: StoreReadFailed) -> None:
        """Say so, and leave the store in peace for a moment."""
        self._loading_older = False
        self._retry_older_at = self.console.tick() + RETRY_AFTER
        self.notify(clean(message.reason), severity="error", markup=False)

    def on_category_pane_toggled(self, message: CategoryPane.Toggled) -> None:
        """Show or hide a category or type."""
        self._show(self.shown.toggled(message.facet))

    def on_category_pane_soloed(self, message: CategoryPane.Soloed) -> None:
        """Show only a category or type, or everything again."""
        self._show(self.shown.soloed(message.facet))

    def on_health_pane_component_opened(self, message: HealthPane.ComponentOpened) -> None:
        """Open the component's resource page."""
        self._open_resource(message.resource_type, message.resource_id)

    def on_alerts_pane_alert_opened(self, message: AlertsPane.AlertOpened) -> None:
        """Open the resource page of what the alert is about."""
        self._open_resource(message.resource_type, message.resource_id)

    def on_filter_bar_typed(self, message: FilterBar.Typed) -> None:
        """Try a query; a broken one leaves the last good one in place and says where it broke."""
        # Lark costs more to import than the first paint may wait for.
        from store.query.parser import parse

        bar = self.query_one(FilterBar)
        try:
            query = parse(message.text)
        except QueryError as error:
            bar.show_error(str(error), error.column)
            return
        bar.show_error("")
        self._show(self.shown.with_query(message.text, query))
        if message.final:
            self._close_filter_bar()

    def on_filter_bar_closed(self) -> None:
        """Put back the filter that was there before."""
        self._show(self._before_editing)
        self._close_filter_bar()

    def _show(self, shown: Filter) -> None:
        if shown != self.shown:
            self.shown = shown
            self.console.model.timeline.apply(shown)
            self._counts_due = 0.0
        self.advance()

    def _show_counts(self) -> None:
        console, model, shown = self.console, self.console.model, self.shown
        now = console.now()
        self.query_one(CategoryPane).show(model.counts.facets(now), shown)
        window = model.counts.window_minutes
        span = f"{console.zone.minute(now - timedelta(minutes=window - 1))} – {console.zone.minute(now)}"
        hidden = model.timeline.hidden
        title = "Events a minute" + (", the query not counted in" if shown.text else "")
        title += f" · {hidden:,} hidden by the filter" if hidden else ""
        self.query_one(Histogram).show(model.counts.histogram(now, shown), title, span)

    async def _load_older(self, reader: Reader) -> None:
        timeline = self.console.model.timeline
        shown, floor = timeline.filter, timeline.floor
        try:
            page = await reader.before(floor, OLDER_PAGE, shown.node())
        except StoreError as error:
            self.post_message(StoreReadFailed(str(error)))
        except Exception as error:
            # Whatever it was, the next page must be asked for again.
            self.post_message(StoreReadFailed(f"reading failed: {type(error).__name__}"))
        else:
            self.post_message(OlderPageLoaded(shown, floor, page, len(page) >= OLDER_PAGE))

    def _open_resource(self, resource_type: str, resource_id: str) -> None:
        self.console.open_screen(ResourceScreen(resource_type, resource_id))

    def _after_detail(self, resource: tuple[str, str] | None) -> None:
        if resource is not None:
            self._open_resource(*resource)

    def _close_filter_bar(self) -> None:
        self.query_one(FilterBar).close()
        self.query_one(KeyHints).display = True
        self.timeline.focus()

    @staticmethod
    def _pane(widget: Widget) -> Widget:
        widget.add_class("pane")
        return widget

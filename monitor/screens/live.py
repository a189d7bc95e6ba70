"""The live screen: what is happening now, what happened before, what is broken."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from monitor.model.arrivals import Arrivals, Link
from monitor.model.place import Place
from monitor.model.rows import SortKey
from monitor.model.start import Start
from monitor.model.subjects import PageSubject, ResourceName
from monitor.model.view import BARS, HEATMAP, View, query_text
from monitor.screens.alert_acting import AlertActingScreen
from monitor.screens.alerts import AlertsScreen
from monitor.screens.console_screen import Selection
from monitor.screens.dashboard import DashboardScreen
from monitor.screens.detail import DetailScreen
from monitor.screens.filtering_screen import FilteringScreen
from monitor.screens.health_board import HealthBoardScreen
from monitor.screens.refusals import RefusalsScreen
from monitor.screens.views import ViewsScreen
from monitor.text import clean
from monitor.widgets.alerts_pane import AlertsPane
from monitor.widgets.component_list import ComponentList
from monitor.widgets.facet_pane import FacetPane
from monitor.widgets.filter_bar import FilterBar
from monitor.widgets.health_pane import HealthPane
from monitor.widgets.histogram import Histogram
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.progress_line import ProgressLine
from monitor.widgets.status_line import StatusLine
from monitor.widgets.timeline_view import TimelineView
from monitor.zone_names import zone_named
from store.event import Event
from store.query.syntax import QueryError

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


class LiveScreen(FilteringScreen, AlertActingScreen):
    """Timeline with facets, health and alerts beside it and a histogram under it."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (160, "-roomy")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
    BINDINGS = [
        Binding("Y", "command_line", "Copy the command that shows this again"),
        Binding("r", "resource", "Resource of the row"),
        Binding("a", "focus_pane('alerts')", "Alerts, then a to acknowledge one, s to silence it"),
        Binding("A", "alerts", "All alerts: now, before, silences", id="live.all-alerts"),
        Binding("1", "focus_pane('timeline')", "Timeline"),
        Binding("2", "focus_pane('facets')", "Facets"),
        Binding("3", "focus_pane('health')", "Health"),
        Binding("4", "focus_pane('alerts')", "Alerts", show=False),
        Binding("5", "dashboard", "Dashboard: what failed, who was busy, what was searched for"),
        Binding("H", "health_board", "Health: all components, their uptime, their last day"),
        Binding("s", "side", "Side panes show / hide"),
        Binding("V", "views", "Saved views: open, save, remove"),
        Binding("M", "malformed", "What was no event, and why"),
        Binding("escape", "back", "Back to the timeline", show=False),
        Binding("q", "app.quit", "Quit"),
    ]

    def __init__(self, start: Start) -> None:
        super().__init__()
        self._view_at_start = start.view
        self._starts_at = start.place

    def compose(self) -> ComposeResult:
        """Status line, panes, timeline, filter bar, key hints."""
        console = self.console
        yield StatusLine(id="status")
        with Horizontal(id="body"):
            with Vertical(id="side"):
                yield self._pane(FacetPane(id="facets"))
                yield self._pane(HealthPane(console.now, id="health"))
                yield self._pane(AlertsPane(console.now, id="alerts"))
            with Vertical(id="main"):
                yield self._pane(
                    TimelineView(console.model.timeline, console.model.marks, console.now, id="timeline")
                )
                yield self._pane(Histogram(id="histogram"))
        yield FilterBar(id="filter")
        yield ProgressLine(id="progress")
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Start on the timeline."""
        self.timeline.empty_text = "opening the store…"
        self.timeline.focus()
        self.timeline.zone = self.console.zone
        if self._view_at_start is not None:
            self._arrange(self._view_at_start)
        self.call_after_refresh(self.advance)

    @property
    def timeline(self) -> TimelineView:
        """The timeline."""
        return self.query_one("#timeline", TimelineView)

    async def read_before(self, place: SortKey | None, limit: int, chosen: Selection) -> list[Event]:
        """Events of all kinds."""
        return await self.reader.before(place, limit, chosen)

    async def read_after(self, place: SortKey, limit: int, chosen: Selection) -> list[Event]:
        """Events of all kinds."""
        return await self.reader.after(place, limit, chosen)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Draw what the model knows now."""
        model = self.console.model
        self.show_vitals()
        self.query_one(HealthPane).show(model.board.components())
        self.query_one(AlertsPane).show(model.alerts.shown(self.console.now()))
        self.count_when_due(arrivals)
        if self._starts_at is not None and self._can_begin:
            start, self._starts_at = self._starts_at, None
            self._begin_at(start)
        if model.opened:
            hides = self.shown.hides_something
            # While one is typed, C is a letter of it.
            way_out = "" if self.query_one(FilterBar).display else " · C clears it"
            self.timeline.empty_text = f"nothing matches the filter{way_out}" if hides else "no events yet"
        self.timeline.advance()

    @property
    def _can_begin(self) -> bool:
        """Whether the place to start at can be there: while files are read, a time may be still to come."""
        model, start = self.console.model, self._starts_at
        waits = start is not None and start.at is not None and model.status.link is Link.READING
        return model.opened and not waits

    def _begin_at(self, start: Place) -> None:
        if start.at is not None:
            self.timeline.viewport.detach()
        self.apply_filter(start.shown)
        if start.at is not None:
            self.go_to((start.at, 0))

    def action_command_line(self) -> None:
        """Copy the command that shows this filter, and the row under the cursor unless the newest is followed."""
        row = None if self.timeline.viewport.following else self.timeline.viewport.row
        place = Place(self.shown, None if row is None else row.sort_key[0])
        without = (
            "" if self.shown.without_hidden() is self.shown else ", without the personal data in the filter"
        )
        self.console.copy(clean(place.command_line(self.console.sources)), f"the command line{without}")

    def action_views(self) -> None:
        """List the saved views, to open one or to save this one."""

        def chosen(view: View | None) -> None:
            if view is not None:
                self.open_view(view)

        file = self.console.views
        if file is None:
            self.tell("there is no folder for views; set XDG_CONFIG_HOME")
        else:
            self.console.open_screen(ViewsScreen(self.console, file, self.present()), chosen)

    def present(self, *, fixed: bool = False) -> View:
        """What is shown now; `fixed` lets no moment of the query be another one when it is read again."""
        return View(
            query=query_text(self.shown, fixed=fixed),
            minimum=self.shown.minimum,
            zone=self.console.zone.name,
            side=not self.has_class("-side-hidden"),
            facets=self.query_one(FacetPane).field,
            histogram=HEATMAP if self.query_one(Histogram).is_heatmap else BARS,
            bars=self.bar_minutes,
        )

    def open_view(self, view: View) -> None:
        """Show what `view` tells; what it leaves open stays as it is."""
        console = self.console
        try:
            shown = view.filter(console.now(), console.zone.tzinfo)
        except QueryError as error:
            self.notify(clean(f"the filter of this view: {error}"), severity="error", markup=False)
            return
        if view.zone is not None:
            console.show_in(zone_named(view.zone))
        self._arrange(view)
        self.apply_filter(shown)

    def _arrange(self, view: View) -> None:
        """Show the panes as `view` has them."""
        if view.side is not None:
            self.set_class(not view.side, "-side-hidden")
        if view.histogram is not None:
            self.query_one(Histogram).show_heatmap(view.histogram == HEATMAP)
        if view.facets is not None:
            self.query_one(FacetPane).choose(view.facets)
        if view.bars is not None:
            self.zoom_to(view.bars)

    def action_malformed(self) -> None:
        """Show the last messages and lines that were no events."""
        self.console.open_screen(RefusalsScreen(self.console))

    def action_health_board(self) -> None:
        """Show all components."""
        self.console.open_screen(HealthBoardScreen())

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
        # At once, unlike `focus()`: the next key may be there already.
        self.set_focus(self.query_one(f"#{name}", Widget))

    def action_side(self) -> None:
        """Show or hide the side panes."""
        if self.has_class("-narrow"):
            self.toggle_class("-side-over")
            target = "#facets" if self.has_class("-side-over") else "#timeline"
            self.query_one(target, Widget).focus()
        else:
            self.toggle_class("-side-hidden")
            self.timeline.focus()

    def action_back(self) -> None:
        """Close the filter bar, fold the side away and go to the timeline."""
        if self.query_one(FilterBar).display:
            self.on_filter_bar_closed()
        self.remove_class("-side-over")
        self.timeline.focus()

    def on_timeline_view_event_opened(self, message: TimelineView.EventOpened) -> None:
        """Show the event in full."""
        self.console.open_screen(DetailScreen(message.event, self), self._after_detail)

    def on_timeline_view_facet_chosen(self, message: TimelineView.FacetChosen) -> None:
        """Mute or solo the type under the cursor."""
        self.apply_filter(
            self.shown.soloed(message.facet) if message.solo else self.shown.toggled(message.facet)
        )

    def on_component_list_component_opened(self, message: ComponentList.ComponentOpened) -> None:
        """Open the component's resource page."""
        self._open_resource(message.resource_type, message.resource_id)

    def on_alerts_pane_acknowledged(self, message: AlertsPane.Acknowledged) -> None:
        """Acknowledge an alert, or take that back."""
        self.acknowledge(message.one)

    def on_alerts_pane_silenced(self, message: AlertsPane.Silenced) -> None:
        """Silence an alert."""
        self.silence(message.one)

    def action_dashboard(self) -> None:
        """Show the figures of a period."""
        self.console.open_screen(DashboardScreen())

    def action_alerts(self) -> None:
        """Show all alerts, those before and the silences."""
        self.console.open_screen(AlertsScreen())

    def on_alerts_pane_alert_opened(self, message: AlertsPane.AlertOpened) -> None:
        """Open the resource page of what the alert is about."""
        self._open_resource(message.resource_type, message.resource_id)

    def _open_resource(self, resource_type: str, resource_id: str) -> None:
        self.console.open_page(ResourceName(resource_type, resource_id))

    def _after_detail(self, subject: PageSubject | None) -> None:
        if subject is not None:
            self.console.open_page(subject)

    @staticmethod
    def _pane(widget: Widget) -> Widget:
        widget.add_class("pane")
        return widget

"""The alerts: what fires and who acknowledged it, what fired before, what is silenced."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content

from monitor.health.alert_history import PastEpisode
from monitor.health.desk import DeskAlert
from monitor.health.engine import Alert
from monitor.health.silences import Silence
from monitor.model.alert_details import alert_facts
from monitor.model.alert_filter import alert_filter
from monitor.model.arrivals import Arrivals
from monitor.model.subjects import ResourceName
from monitor.screens.alert_acting import AlertActingScreen
from monitor.screens.help import HelpScreen
from monitor.text import clean
from monitor.widgets.alert_table import AlertTable, Entry
from monitor.widgets.alerts_pane import counted
from monitor.widgets.fact_lines import FactLines
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.status_line import StatusLine

HINTS = [
    ("a", "ack"),
    ("s", "silence"),
    ("enter", "events"),
    ("r", "resource"),
    ("tab", "before, silences"),
    ("esc", "back"),
    ("x", "end silence"),
    ("?", "help"),
]


class Tab(IntEnum):
    """What is listed."""

    NOW = 0
    BEFORE = 1
    SILENCES = 2


_TITLES = {Tab.NOW: "Alerts", Tab.BEFORE: "Alerts before", Tab.SILENCES: "Silences"}
_EMPTY = {
    Tab.BEFORE: "nothing is on record",
    Tab.SILENCES: "nothing is silenced; s silences an alert",
}


class AlertsScreen(AlertActingScreen):
    """Three lists, one at a time, and under them what is known of the alert under the cursor."""

    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    BINDINGS = [
        Binding("a", "acknowledge", "Acknowledge the alert until it clears, or take that back"),
        Binding("s", "silence", "Silence the alert for a time"),
        Binding("S", "silence_rule", "Silence all alerts of its rule"),
        Binding("x", "end_silence", "End the silence under the cursor"),
        Binding("enter", "events", "The events that it is made of, on the timeline"),
        Binding("r", "resource", "Resource of the alert"),
        Binding("tab", "next_list(1)", "Next / previous list", id="alerts.next-list"),
        Binding("shift+tab", "next_list(-1)", "Next / previous list", id="alerts.previous-list"),
        Binding("question_mark,f1", "help", "Help"),
        Binding("escape,q,A", "app.pop_screen", "Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._tab = Tab.NOW

    def compose(self) -> ComposeResult:
        """Status line, list, details, hints."""
        yield StatusLine(id="status")
        table = AlertTable(self.console.now, id="alert-table")
        table.add_class("pane")
        yield table
        details = FactLines(id="alert-details")
        details.add_class("pane")
        yield details
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Start on the list."""
        self._table.focus()
        self.call_after_refresh(self.advance)

    @property
    def _table(self) -> AlertTable:
        return self.query_one(AlertTable)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Draw what the model knows now."""
        self.show_vitals()
        now, alerting = self.console.now(), self.console.model.alerts
        alerts = alerting.shown(now)
        entries: Sequence[Entry]
        match self._tab:
            case Tab.NOW:
                entries, told = alerts, counted(alerts)
            case Tab.BEFORE:
                entries = alerting.history()
                told = f"{len(entries):,} times"
            case Tab.SILENCES:
                entries = silences = alerting.desk.silences()
                told = f"{sum(one.is_active(now) for one in silences)} active"
        table = self._table
        table.zone = self.console.zone
        title = f"{_TITLES[self._tab]} ─ {told}" if told else _TITLES[self._tab]
        table.border_title = Content(clean(title))
        unrecorded, untold = self.console.unrecorded, self.console.untold
        trouble = [
            unrecorded and f"not on record: {unrecorded}",
            untold and f"not told: {untold}",
            self._missed(),
        ]
        table.border_subtitle = Content(clean(" · ".join(filter(None, trouble))))
        table.show(entries, _EMPTY.get(self._tab) or self._quiet())
        self.show_details()

    def show_details(self) -> None:
        """Draw what is known of what is under the cursor."""
        details, one, console = self.query_one(FactLines), self._table.chosen, self.console
        details.display = isinstance(one, DeskAlert)
        if isinstance(one, DeskAlert):
            history = console.model.alerts.history()
            details.border_title = Content(clean(one.alert.title))
            details.show(alert_facts(one, history, console.zone, console.now()))

    def _quiet(self) -> str:
        """That nothing fires, and how much that says."""
        alerting, console = self.console.model.alerts, self.console
        if alerting.known_since is None or not alerting.is_settled(console.now()):
            return "nothing fires so far; looking at what was before"
        since = console.zone.stamp(alerting.known_since, console.now()).strip()
        return f"nothing fires; all since {since} was looked at"

    def _missed(self) -> str:
        """When nobody watched, and what fired and ended then is not known."""
        missed, console = self.console.model.alerts.missed, self.console
        if missed is None:
            return ""
        since, until = (console.zone.stamp(moment, console.now()).strip() for moment in missed)
        return f"nobody watched {since} to {until}, and too much happened to look at"

    def on_alert_table_moved(self) -> None:
        """Another entry is under the cursor."""
        self.show_details()

    def action_next_list(self, step: int) -> None:
        """Show the next or previous list."""
        self._tab = Tab((self._tab + step) % len(Tab))
        self._table.cursor = 0
        self.advance()

    def action_acknowledge(self) -> None:
        """Acknowledge the alert under the cursor, or take that back."""
        if (one := self._alert()) is not None:
            self.acknowledge(one)

    def action_silence(self) -> None:
        """Silence the alert under the cursor."""
        if (one := self._alert()) is not None:
            self.silence(one)

    def action_silence_rule(self) -> None:
        """Silence all alerts of the rule."""
        if (one := self._alert()) is not None:
            self.silence(one, rule=True)

    def action_end_silence(self) -> None:
        """End the silence under the cursor, or the one that holds for the alert there."""
        one = self._table.chosen
        silence = one if isinstance(one, Silence) else one.silenced_by if isinstance(one, DeskAlert) else None
        if silence is None or silence.is_expired(self.console.now()):
            self.notify("there is no silence to end here", markup=False, timeout=2)
        else:
            self.end_silence(silence)

    def action_resource(self) -> None:
        """Open the resource page of the alert under the cursor."""
        one = self._alert()
        if one is None:
            return
        kind, identifier = one.alert.resource or (None, None)
        if kind is None or identifier is None:
            self.notify("this alert is about no single resource", markup=False, timeout=2)
        else:
            self.console.open_page(ResourceName(kind, identifier))

    def action_events(self) -> None:
        """Go to the timeline, with the events that the alert is made of."""
        one = self._table.chosen
        match one:
            case DeskAlert(alert=alert, since=since):
                until = alert.resolved_at
            case PastEpisode(alert=Alert() as alert, fired=since, resolved=until):
                pass
            case _:
                self.notify("this is no alert", markup=False, timeout=2)
                return
        rule = self.console.model.alerts.rules.get(alert.rule)
        if rule is None:
            self.notify(clean(f"there is no rule {alert.rule} here"), markup=False, timeout=2)
        else:
            self.console.show_events(alert_filter(rule, alert, since, until or self.console.now()))

    def action_help(self) -> None:
        """Tell the keys."""
        self.console.open_screen(HelpScreen(self.focused, self, self.console.places))

    def _alert(self) -> DeskAlert | None:
        one = self._table.chosen
        if isinstance(one, DeskAlert):
            return one
        self.notify("that is for the list of what fires now (tab)", markup=False, timeout=2)
        return None

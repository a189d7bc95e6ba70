"""The alerts: what is firing since when, what may fire soon, then what was resolved lately."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from textual.binding import Binding
from textual.content import Content
from textual.message import Message

from monitor.health.engine import Alert, AlertState
from monitor.text import clean, fit
from monitor.widgets.lines import LineList, Part
from monitor.zone import short_age
from store.event import Severity


class AlertsPane(LineList):
    """One line an alert. Ones that do not hold for long enough yet are dim, and so are resolved ones, at the end."""

    BINDINGS = [Binding("enter,r", "open", "Resource")]

    @dataclass
    class AlertOpened(Message):
        """The operator wants the resource page of an alert's resource."""

        resource_type: str
        resource_id: str

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._now = now
        self._alerts: tuple[Alert, ...] = ()
        self._firing = 0
        self.border_title = Content("Alerts")

    def show(self, alerts: tuple[Alert, ...]) -> None:
        """Show these alerts, and the present ages."""
        firing = sum(alert.state is AlertState.FIRING for alert in alerts)
        if firing != self._firing:
            self._firing = firing
            self.border_title = Content(f"Alerts ─ {firing} firing" if firing else "Alerts")
            self.set_class(firing > 0, "-firing")
        under_cursor = self._alerts[self.cursor].fingerprint if self._alerts else None
        self._alerts = alerts
        self.keep_cursor_on(under_cursor, [alert.fingerprint for alert in alerts])
        self.lines_changed()

    def line_count(self) -> int:
        """One an alert."""
        return len(self._alerts)

    def empty_text(self) -> str:
        """Shown while nothing fired."""
        return "nothing is firing"

    def line_parts(self, index: int, width: int) -> list[Part]:
        """Glyph, title, age."""
        alert = self._alerts[index]
        when = " " + self._age(alert, self._now())
        title = fit(clean(alert.title), max(1, width - 2 - len(when)))
        if alert.state is AlertState.RESOLVED:
            return [("✓ ", "good"), (title, "dim"), (when, "dim")]
        if alert.state is AlertState.PENDING:
            return [("… ", "dim"), (title, "dim"), (when, "dim")]
        style = "error" if alert.severity is Severity.ERROR else "warning"
        return [("✖ " if style == "error" else "▲ ", style), (title, style), (when, style)]

    def action_open(self) -> None:
        """Open the resource page of the alert under the cursor."""
        if self._alerts and (resource := self._alerts[self.cursor].resource) is not None:
            kind, identifier = resource
            if identifier is not None:
                self.post_message(self.AlertOpened(kind, identifier))
                return
        if self._alerts:
            self.notify("this alert is about no single resource", markup=False, timeout=2)

    @staticmethod
    def _age(alert: Alert, now: datetime) -> str:
        return short_age(alert.resolved_at or alert.since, now)

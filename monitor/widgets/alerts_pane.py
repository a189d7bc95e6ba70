"""The alerts: what is firing since when, then what was resolved lately."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from textual.binding import Binding
from textual.content import Content
from textual.message import Message

from monitor.health.desk import DeskAlert
from monitor.health.engine import AlertState
from monitor.text import clean
from monitor.widgets.alert_line import alert_parts
from monitor.widgets.lines import LineList, Part


class AlertsPane(LineList):
    """One line an alert. What somebody should look at comes first and is coloured; the rest is dim."""

    BINDINGS = [
        Binding("enter,r", "open", "Resource"),
        Binding("a", "acknowledge", "Acknowledge the alert until it clears, or take that back"),
        Binding("s", "silence", "Silence the alert for a time"),
    ]

    @dataclass
    class AlertOpened(Message):
        """The operator wants the resource page of an alert's resource."""

        resource_type: str
        resource_id: str

    @dataclass
    class Acknowledged(Message):
        """The operator acknowledges an alert, or takes that back."""

        one: DeskAlert

    @dataclass
    class Silenced(Message):
        """The operator wants to hear no more of an alert for a time."""

        one: DeskAlert

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._now = now
        self._alerts: tuple[DeskAlert, ...] = ()
        self._title = ""
        self.border_title = Content("Alerts")

    def show(self, alerts: tuple[DeskAlert, ...]) -> None:
        """Show these alerts, and the present ages."""
        calling = sum(one.attention for one in alerts)
        title = f"Alerts ─ {told}" if (told := counted(alerts)) else "Alerts"
        if title != self._title:
            self._title = title
            self.border_title = Content(clean(title))
            self.set_class(calling > 0, "-firing")
        under_cursor = self.chosen
        self._alerts = alerts
        self.keep_cursor_on(
            under_cursor and under_cursor.alert.fingerprint, [one.alert.fingerprint for one in alerts]
        )
        self.lines_changed()

    @property
    def chosen(self) -> DeskAlert | None:
        """The alert under the cursor; None when there is none."""
        return self._alerts[min(self.cursor, len(self._alerts) - 1)] if self._alerts else None

    def line_count(self) -> int:
        """One an alert."""
        return len(self._alerts)

    def empty_text(self) -> str:
        """Shown while nothing fired."""
        return "nothing is firing"

    def line_parts(self, index: int, width: int) -> list[Part]:
        """Sign, title, what is made of it, age."""
        return alert_parts(self._alerts[index], self._now(), width)

    def action_open(self) -> None:
        """Open the resource page of the alert under the cursor."""
        one = self.chosen
        if one is None:
            return
        kind, identifier = one.alert.resource or (None, None)
        if kind is not None and identifier is not None:
            self.post_message(self.AlertOpened(kind, identifier))
        else:
            self.notify("this alert is about no single resource", markup=False, timeout=2)

    def action_acknowledge(self) -> None:
        """Acknowledge the alert under the cursor."""
        if self.chosen is not None:
            self.post_message(self.Acknowledged(self.chosen))

    def action_silence(self) -> None:
        """Hear no more of the alert under the cursor."""
        if self.chosen is not None:
            self.post_message(self.Silenced(self.chosen))


def counted(alerts: tuple[DeskAlert, ...]) -> str:
    """How many call for attention, and how many fire besides: `2 firing, 1 acked`."""
    calling = sum(one.attention for one in alerts)
    besides = [one for one in alerts if one.alert.state is AlertState.FIRING and not one.attention]
    acked = sum(one.acknowledged is not None for one in besides)
    muted = sum(bool(one.silenced_by or one.inhibited_by) and not one.acknowledged for one in besides)
    flapping = len(besides) - acked - muted
    numbers = ((calling, "firing"), (acked, "acked"), (muted, "muted"), (flapping, "flapping"))
    return ", ".join(f"{number} {word}" for number, word in numbers if number)

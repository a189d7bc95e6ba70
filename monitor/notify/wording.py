"""A notification in words for people, and as JSON for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from monitor.health.engine import Alert
from monitor.health.notifier import Notification
from monitor.text import clean
from monitor.zone import Zone

LINES_MAX = 20
"""Alerts that are named one by one; of more only the number is told."""
_NAMESPACE = UUID("6f1f2bd4-33c5-5b0e-9a3e-0f1c6f2a7e11")


@dataclass(frozen=True, slots=True)
class Wording:
    """`title` and `body` are clean text; `json` is what programs get, with event text as it came.

    `identifier` is the same for whoever tells the same: those who are told twice can see that. `is_firing` says that
    something fires, not only that something is over.
    """

    title: str
    body: str
    json: bytes
    identifier: UUID
    is_firing: bool


def worded(notification: Notification, system: str) -> Wording:
    """How `notification` of the system of that name is told. Times are in UTC: the reader may be anywhere."""
    alerts = [*notification.firing, *notification.resolved]
    lines = [_line(alert) for alert in alerts[:LINES_MAX]]
    if len(alerts) > LINES_MAX:
        lines.append(f"and {len(alerts) - LINES_MAX} more")
    status = "firing" if notification.firing else "resolved"
    told: dict[str, Any] = {
        "version": 1,
        "system": system,
        "status": status,
        "group": notification.group,
        "repeated": notification.repeated,
        "alerts": [_fields(alert) for alert in alerts],
    }
    title = clean(f"[{system}] {notification.title}")
    # The same for whoever tells the same, however much each of them knows of it; another one for each reminder.
    identity = [system, notification.group, str(notification.repeated)]
    identity += sorted(f"{alert.fingerprint} {alert.since.isoformat()} {alert.state}" for alert in alerts)
    named = "\n".join(identity).encode(errors="replace").decode()
    return Wording(
        title,
        "\n".join(lines),
        json.dumps(told).encode(),
        uuid5(_NAMESPACE, named),
        bool(notification.firing),
    )


def _line(alert: Alert) -> str:
    moment = alert.resolved_at or alert.since
    word = "resolved" if alert.resolved_at else f"{alert.severity} since"
    line = f"{alert.title}: {word} {Zone.UTC.full(moment)[:19]} UTC"
    return clean(f"{line}, {alert.runbook}" if alert.runbook else line)


def _fields(alert: Alert) -> dict[str, Any]:
    return {
        "fingerprint": alert.shown_fingerprint,
        "rule": alert.rule,
        "status": alert.state.value,
        "severity": alert.severity.value,
        "title": alert.title,
        "resource": None if alert.resource is None else "/".join(filter(None, alert.resource)),
        "labels": dict(alert.shown_labels),
        "since": alert.since.isoformat(),
        "resolved_at": alert.resolved_at and alert.resolved_at.isoformat(),
        "count": alert.count,
        "runbook": alert.runbook or None,
    }

"""Alerts for tests: every time is so many seconds after noon."""

from __future__ import annotations

from typing import Any

from monitor.health.alert_events import acknowledged, fired, resolved, unacknowledged
from monitor.health.engine import Alert, AlertState
from monitor.health.silences import Silence, silence_ended, silenced
from store.event import Event, Severity
from store.query.parser import parse
from tests.events import at

NAME = "component-down:client/qbt"


def alert(since: float = 0, until: float | None = None, fingerprint: str = NAME, **fields: Any) -> Alert:
    """An alert that fires since then, or was resolved at `until`."""
    kind, _, identifier = fingerprint.partition(":")[2].partition("/")
    given: dict[str, Any] = {
        "fingerprint": fingerprint,
        "rule": fingerprint.partition(":")[0],
        "severity": Severity.ERROR,
        "title": f"{kind}/{identifier} is down",
        "resource": (kind, identifier or None) if kind else None,
        "state": AlertState.FIRING if until is None else AlertState.RESOLVED,
        "since": at(since),
        "resolved_at": None if until is None else at(until),
        "count": 1,
    }
    return Alert(**(given | fields))


def pending(since: float, fingerprint: str = NAME) -> Alert:
    return alert(since, None, fingerprint, state=AlertState.PENDING)


def told(since: float, until: float | None = None, fingerprint: str = NAME) -> list[Event]:
    """What is on record of an episode."""
    record = [fired(alert(since, None, fingerprint), at(since))]
    if until is not None:
        record.append(resolved(alert(since, until, fingerprint), at(until)))
    return record


def ack(since: float, when: float, by: str = "ana", fingerprint: str = NAME, comment: str = "on it") -> Event:
    return acknowledged(alert(since, None, fingerprint), by, comment, at(when))


def unack(since: float, when: float, by: str = "ana", fingerprint: str = NAME) -> Event:
    return unacknowledged(alert(since, None, fingerprint), by, "", at(when))


def silence(
    query: str = "resource:client/qbt", starts: float = 0, ends: float = 3600, name: str = "c0ffee01"
) -> Silence:
    return Silence(name, query, parse(query), "ana", "new disks", at(starts), at(starts), at(ends))


def silencing(query: str = "resource:client/qbt", starts: float = 0, ends: float = 3600) -> Event:
    return silenced(silence(query, starts, ends))


def ending(when: float, name: str = "c0ffee01") -> Event:
    return silence_ended(silence(name=name), "bo", "", at(when))

"""Alerts as events: what is recorded of them, and what is read back, of which nothing is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any

from monitor.health.components import Subject
from monitor.health.engine import Alert, AlertState
from monitor.masking import without_labels
from store.event import ActorType, Event, Severity
from store.importing.stable_id import stable_id
from store.query.syntax import UNSTORABLE

CATEGORY = "alerts"
FIRED, RESOLVED = "alert.fired", "alert.resolved"
ACKNOWLEDGED, UNACKNOWLEDGED = "alert.acknowledged", "alert.unacknowledged"
SILENCED, SILENCE_ENDED = "alert.silenced", "alert.silence_ended"
RECORD_TYPES = (FIRED, RESOLVED, ACKNOWLEDGED, UNACKNOWLEDGED, SILENCED, SILENCE_ENDED)
"""The event types that a desk wants to be told of."""
TEXT_MAX = 1000
"""Characters of a title, a comment or a label that are recorded, and that are read."""
FINGERPRINT_MAX = 2000
LABELS_MAX = 32
_NAME_MAX = 255
_EARLIEST = datetime(MINYEAR + 1, 1, 1, tzinfo=UTC)
_LATEST = datetime(MAXYEAR - 1, 12, 31, tzinfo=UTC)


class MalformedAlertEventError(ValueError):
    """An `alert.*` event that does not say what its type promises."""


def fired(alert: Alert, now: datetime) -> Event:
    """`alert.fired`, dated when the alert began. The same episode gives the same id, whoever evaluates it.

    Raises:
        ValueError: no event can hold the alert.
    """
    fields = _fields(alert, FIRED, recorded_at=now)
    return Event(**fields, inserted_at=_held(alert.since), severity=alert.severity)


def resolved(alert: Alert, now: datetime) -> Event:
    """`alert.resolved`, dated when the alert ended, or now where that is not known; its id follows from when it began.

    Raises:
        ValueError: no event can hold the alert.
    """
    fields = _fields(alert, RESOLVED, recorded_at=now)
    return Event(**fields, inserted_at=_held(alert.resolved_at or now), severity=Severity.INFO)


def acknowledged(alert: Alert, by: str, comment: str, at: datetime) -> Event:
    """`alert.acknowledged`: the person `by` takes care of the episode that began at `alert.since`.

    Raises:
        ValueError: no event can hold it: `by` is empty or too long, say.
    """
    return _by_person(ACKNOWLEDGED, alert, by, comment, at)


def unacknowledged(alert: Alert, by: str, comment: str, at: datetime) -> Event:
    """`alert.unacknowledged`: takes the acknowledgement of the episode that began at `alert.since` back.

    Raises:
        ValueError: as `acknowledged`.
    """
    return _by_person(UNACKNOWLEDGED, alert, by, comment, at)


def alert_event(alert: Alert) -> Event:
    """`alert` as queries of silences and inhibitions see it: what `fired` would record.

    An alert that no event can hold is seen without its resource, labels and runbook.
    """
    seen: dict[str, Any] = {"inserted_at": _held(alert.since), "severity": alert.severity}
    try:
        return Event(**_fields(alert, FIRED), **seen)
    except ValueError:
        named = {"rule": alert.rule, "title": alert.title}
        metadata = {name: UNSTORABLE.sub("?", _clipped(text)) for name, text in named.items()}
        return Event(event_type=FIRED, category=CATEGORY, metadata=metadata, **seen)


def alert_of(event: Event) -> Alert:
    """The alert that an event of `fired`, `resolved`, `acknowledged` or `unacknowledged` is about.

    It is resolved, at the time of the event, when that is `alert.resolved`; else firing.

    Raises:
        MalformedAlertEventError: the metadata is not what these write.
    """
    told = event.metadata
    fingerprint = told.get("fingerprint")
    if not isinstance(fingerprint, str) or not 0 < len(fingerprint) <= FINGERPRINT_MAX:
        raise MalformedAlertEventError("no fingerprint")
    since = moment_in(told, "since")
    labels = _labels(told)
    is_resolved = event.event_type == RESOLVED
    if is_resolved and event.inserted_at < since:
        raise MalformedAlertEventError("resolved before it fired")
    return Alert(
        fingerprint=fingerprint,
        rule=text_in(told, "rule"),
        severity=_severity(told),
        title=without_labels(text_in(told, "title"), labels),
        resource=_resource_of(event),
        state=AlertState.RESOLVED if is_resolved else AlertState.FIRING,
        since=since,
        resolved_at=event.inserted_at if is_resolved else None,
        count=_count(told),
        labels=labels,
        runbook=text_in(told, "runbook"),
    )


def recorded_at(event: Event) -> datetime:
    """When `event` was recorded, as far as it says so; else when it happened."""
    try:
        return moment_in(event.metadata, "recorded_at")
    except MalformedAlertEventError:
        return event.inserted_at


def text_in(told: Mapping[str, Any], name: str) -> str:
    """The text under `name`, cut where it is longer than what is recorded; empty when there is none.

    Raises:
        MalformedAlertEventError: it is something else.
    """
    text = told.get(name, "")
    if not isinstance(text, str):
        raise MalformedAlertEventError(f"{name} is no text")
    return _clipped(text)


def moment_in(told: Mapping[str, Any], name: str) -> datetime:
    """The moment under `name`, in UTC.

    Raises:
        MalformedAlertEventError: there is none, or it has no zone.
    """
    text = told.get(name)
    if not isinstance(text, str):
        raise MalformedAlertEventError(f"{name} is no moment")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise MalformedAlertEventError(f"{name} is no moment")


def _by_person(event_type: str, alert: Alert, by: str, comment: str, at: datetime) -> Event:
    fields = _fields(alert, event_type, comment=comment)
    del fields["id"]
    fields |= {"actor_type": ActorType.USER, "actor_id": by}
    return Event(**fields, inserted_at=at, severity=Severity.INFO)


def _fields(
    alert: Alert, event_type: str, recorded_at: datetime | None = None, comment: str = ""
) -> dict[str, Any]:
    since = alert.since.astimezone(UTC).isoformat()
    metadata: dict[str, Any] = {
        "fingerprint": alert.fingerprint,
        "rule": _clipped(alert.rule),
        "title": _clipped(alert.title),
        "severity": str(alert.severity),
        "since": since,
        "count": alert.count,
    }
    if alert.labels:
        metadata["labels"] = {_clipped(name): _clipped(value) for name, value in alert.labels[:LABELS_MAX]}
    if alert.runbook:
        metadata["runbook"] = _clipped(alert.runbook)
    if comment:
        metadata["comment"] = _clipped(comment)
    if recorded_at is not None:
        metadata["recorded_at"] = recorded_at.astimezone(UTC).isoformat()
    kind, identifier = alert.resource or (None, None)
    return {
        "id": stable_id(alert.since, f"{event_type}\n{since}\n{alert.fingerprint}".encode(errors="replace")),
        "event_type": event_type,
        "category": CATEGORY,
        "actor_type": ActorType.SYSTEM,
        "actor_id": alert.rule[:_NAME_MAX] or None,
        "resource_type": kind,
        "resource_id": identifier,
        "metadata": metadata,
    }


def _held(moment: datetime) -> datetime:
    """`moment`, or the nearest that an event can have."""
    return min(max(moment, _EARLIEST), _LATEST)


def _clipped(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def _severity(told: Mapping[str, Any]) -> Severity:
    try:
        return Severity(told.get("severity", Severity.ERROR))
    except ValueError:
        raise MalformedAlertEventError("no severity") from None


def _count(told: Mapping[str, Any]) -> int:
    count = told.get("count", 0)
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise MalformedAlertEventError("no count")
    return count


def _labels(told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    labels: object = told.get("labels", {})
    if not isinstance(labels, dict):
        raise MalformedAlertEventError("labels are no object")
    # By name: databases keep the members of an object in no order.
    names = sorted(labels)[:LABELS_MAX]  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return tuple((_clipped(name), text_in(labels, name)) for name in names)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _resource_of(event: Event) -> Subject | None:
    return None if event.resource_type is None else (event.resource_type, event.resource_id)

"""Events of alerts: that they fire and end, and what people make of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol, cast

from store.event import Severity
from store.recording import Actor
from store.typed.events import Identity, Reference, Statement, TypedEvents, facts_of, read, records


class FiringAlert(Protocol):
    """An alert. Read too where there is one: `labels`, pairs of name and value, and `runbook`, a URL."""

    @property
    def fingerprint(self) -> str:
        """What it has in common with its earlier and later episodes, and with no other alert."""
        ...

    @property
    def rule(self) -> str:
        """The name of the rule that raised it."""
        ...

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        ...

    @property
    def title(self) -> str:
        """What is the matter, in a phrase."""
        ...

    @property
    def resource(self) -> tuple[str, str | None] | None:
        """Type and id of what it is about."""
        ...

    @property
    def since(self) -> datetime:
        """When it began; with the fingerprint, it names the episode."""
        ...

    @property
    def count(self) -> int:
        """The number of events behind it."""
        ...


class AlertEvents(TypedEvents):
    """Alerts that fire and end, and the people who acknowledge and silence them.

    The resource is that of the alert, or `silence/<id>`; the actor of what a rule says is `system/<rule>`. The console
    records the first two by itself, once for all consoles. Metadata, of which None is left out:

    ================================================  ==============================================
    `alert.fired`, `alert.resolved`                   `fingerprint`, `rule`, `title`, `severity`,
                                                      `labels`, `since`, `count`, `runbook`
    `alert.acknowledged`, `alert.unacknowledged`      the same, `comment`
    `alert.silenced`                                  `query`, `comment`, `starts`, `ends`
    `alert.silence_ended`                             `query`, `comment`
    ================================================  ==============================================

    `alert.fired` has the severity of the alert, all others are info. A query is one of the console's language, held
    against the alert as `alert.fired` tells it.
    """

    @records("alert.fired")
    def alert_fired(self, alert: FiringAlert) -> Statement:
        """An alert fires, and did not before."""
        severity = read(alert, "severity")
        is_known = isinstance(severity, Severity)
        return _of_alert(alert, _rule(alert), severity=severity if is_known else None)

    @records("alert.resolved")
    def alert_resolved(self, alert: FiringAlert) -> Statement:
        """What an alert told of is over."""
        return _of_alert(alert, _rule(alert))

    @records("alert.acknowledged")
    def alert_acknowledged(
        self, alert: FiringAlert, actor: Actor, *, comment: str | None = None
    ) -> Statement:
        """Someone takes care of an alert: until it ends, it calls for nobody's attention."""
        return _of_alert(alert, actor, comment)

    @records("alert.unacknowledged")
    def alert_unacknowledged(
        self, alert: FiringAlert, actor: Actor, *, comment: str | None = None
    ) -> Statement:
        """Nobody takes care of an alert any more."""
        return _of_alert(alert, actor, comment)

    @records("alert.silenced")
    def alert_silenced(
        self,
        silence: Identity,
        actor: Actor,
        *,
        query: str,
        starts: datetime,
        ends: datetime,
        comment: str | None = None,
    ) -> Statement:
        """Alerts that match `query` are to be silent for a time; `silence` is an id of the application's choice."""
        facts = {"query": query, "comment": comment, "starts": _moment(starts), "ends": _moment(ends)}
        return Statement(actor, ("silence", silence), metadata=facts)

    @records("alert.silence_ended")
    def alert_silence_ended(
        self, silence: Identity, actor: Actor, *, query: str | None = None, comment: str | None = None
    ) -> Statement:
        """Someone ended a silence before its time."""
        return Statement(actor, ("silence", silence), metadata={"query": query, "comment": comment})


def _of_alert(
    alert: object, actor: object, comment: object = None, severity: Severity | None = None
) -> Statement:
    facts = facts_of(
        *(alert, "fingerprint", "rule", "title", "severity", "count"), optional=("labels", "runbook")
    )
    labels = facts.pop("labels", None)
    if labels:
        facts["labels"] = _by_name(labels)
    facts["runbook"] = facts.get("runbook") or None
    facts |= {"since": _moment(read(alert, "since")), "comment": comment}
    return Statement(actor, _resource(alert), severity=severity, metadata=facts)


def _resource(alert: object) -> Reference | None:
    resource = read(alert, "resource")
    if resource is None:
        return None
    if isinstance(resource, tuple):
        kind, name = cast("Reference", resource)
        return kind, name
    # No event can hold it: it is left out and named.
    return resource, None


def _rule(alert: object) -> Reference:
    return "system", read(alert, "rule")


def _moment(moment: object) -> object:
    """Written the same whatever the zone, as it is a part of what names an episode."""
    try:
        return moment.astimezone(UTC) if isinstance(moment, datetime) else moment
    except (OverflowError, OSError):
        return moment


def _by_name(labels: object) -> object:
    try:
        return dict(cast("Iterable[tuple[str, object]]", labels))
    except (TypeError, ValueError):
        return labels

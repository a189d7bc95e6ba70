"""Events of what an application depends on and of its scheduled jobs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from store.event import Severity
from store.recording import SYSTEM, Actor
from store.typed.events import (
    Identity,
    Reference,
    Statement,
    TypedEvents,
    duration_ms,
    error_text,
    facts_of,
    named,
    records,
)


class HealthState(StrEnum):
    """How a service is."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"


_SEVERITY_BY_STATE = {
    **dict.fromkeys(("healthy", "up", "ok", "online"), Severity.INFO),
    **dict.fromkeys(("degraded", "slow", "warning"), Severity.WARNING),
    **dict.fromkeys(("down", "unhealthy", "failed", "offline", "error"), Severity.ERROR),
}


class Service(Protocol):
    """An indexer or a download client. Read too where there is one: `name`."""

    @property
    def id(self) -> Identity:
        """Its id among its kind."""
        ...


class SystemEvents(TypedEvents):
    """The health of services, and jobs.

    A health event has the new state as its status: `healthy` is info, `degraded` a warning, `down` an error; the
    words that the console takes for these (`up`, `slow`, `offline`…) do as well, and any other word leaves the
    severity to the taxonomy. Record changes, not checks. Metadata, of which None is left out:

    ================================  =================================================================
    `indexer.health_changed`          `name`, `previous_status`, `reason`, `response_ms`
    `download_client.health_changed`  `name`, `previous_status`, `reason`, `waiting`
    `job.executed`                    `duration_ms`, `attempt`, and the figures of the run; completed
    `job.cancelled`                   `reason`, `duration_ms`, `attempt`; cancelled
    `job.failed`                      `error`, `duration_ms`, `attempt`; failed, severity error
    ================================  =================================================================

    A job is actor and resource of its events, so that an alert ends when the same job works again. To time a
    job and to record both outcomes, see `store.integration.track`.
    """

    @records("indexer.health_changed")
    def indexer_health_changed(
        self,
        indexer: Service,
        state: HealthState | str,
        actor: Actor = SYSTEM,
        *,
        previous: HealthState | str | None = None,
        reason: str | None = None,
        response_ms: float | None = None,
    ) -> Statement:
        """The health of an indexer is another one now; `reason` says why, in a phrase."""
        facts = {**_facts(indexer, previous, reason), "response_ms": response_ms}
        return _health(actor, named("indexer", indexer), state, facts)

    @records("download_client.health_changed")
    def download_client_health_changed(
        self,
        client: Service,
        state: HealthState | str,
        actor: Actor = SYSTEM,
        *,
        previous: HealthState | str | None = None,
        reason: str | None = None,
        waiting: int | None = None,
    ) -> Statement:
        """The health of a download client is another one now; `waiting` downloads depend on it."""
        facts = {**_facts(client, previous, reason), "waiting": waiting}
        return _health(actor, named("download_client", client), state, facts)

    @records("job.executed")
    def job_executed(
        self,
        job: str,
        *,
        duration: timedelta | float,
        attempt: int | None = None,
        figures: Mapping[str, object] | None = None,
    ) -> Statement:
        """The job of this name succeeded, in `duration` seconds; `figures` are its own, `{"files_deleted": 12}`."""
        facts = {**(figures or {}), "duration_ms": duration_ms(duration), "attempt": attempt}
        return Statement(Actor.job(job), ("job", job), status="completed", metadata=facts)

    @records("job.cancelled")
    def job_cancelled(
        self,
        job: str,
        reason: str | None = None,
        *,
        duration: timedelta | float | None = None,
        attempt: int | None = None,
    ) -> Statement:
        """The job of this name was stopped from outside before it was done; `reason` says why, in a phrase."""
        facts = {"reason": reason, "duration_ms": duration_ms(duration), "attempt": attempt}
        return Statement(Actor.job(job), ("job", job), status="cancelled", metadata=facts)

    @records("job.failed")
    def job_failed(
        self,
        job: str,
        error: str | BaseException,
        *,
        duration: timedelta | float | None = None,
        attempt: int | None = None,
    ) -> Statement:
        """The job of this name failed for `error`: a text, or an exception, of which type and text are recorded."""
        facts = {"error": error_text(error), "duration_ms": duration_ms(duration), "attempt": attempt}
        return Statement(Actor.job(job), ("job", job), status="failed", metadata=facts)


def _facts(service: object, previous: object, reason: object) -> dict[str, object]:
    return {**facts_of(service, optional=("name",)), "previous_status": previous, "reason": reason}


def _health(actor: object, resource: Reference, state: object, facts: dict[str, object]) -> Statement:
    severity = _SEVERITY_BY_STATE.get(state.strip().casefold()) if isinstance(state, str) else None
    return Statement(actor, resource, status=state, severity=severity, metadata=facts)

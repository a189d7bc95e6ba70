"""Tracked work: how a piece of work ended, and the event that says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from store.event import Severity
from store.integration.facts import milliseconds, one_line, storable_metadata
from store.integration.guard import MISHAPS, record_safely
from store.recording import Actor, EventFields, Records, Resource, fields_of
from store.taxonomy import active

MESSAGE_MAX = 200
"""Characters of an exception's text in an event."""


class Outcome(StrEnum):
    """How it ended: the status of the event."""

    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


def outcome_of(error: BaseException | None) -> Outcome:
    """The outcome of work that ended with `error`.

    What is no `Exception` did not come from the work but stopped it from outside: a cancelled task, an
    interrupt, a closed coroutine. `SystemExit` is the work's own way to end: completed with code 0 or none.
    """
    if error is None:
        return Outcome.COMPLETED
    if isinstance(error, SystemExit):
        code = error.code
        # Compared by type first, because a code may be any object, and its `==` the host's.
        fine = code is None or (type(code) in (int, bool) and code == 0)
        return Outcome.COMPLETED if fine else Outcome.FAILED
    return Outcome.FAILED if isinstance(error, Exception) else Outcome.CANCELLED


@dataclass(frozen=True, slots=True)
class TrackedWork:
    """What is known of a piece of work before it begins. No method raises. `clock` is in seconds."""

    recorder: Records
    event_type: str
    failed: str | None
    cancelled: str | None
    actor: Actor
    resource: Resource | None
    secondary: Resource | None
    metadata: Mapping[str, object] | None
    message: bool
    clock: Callable[[], float]

    def now(self) -> float | None:
        """The time by the clock; None when the clock is broken."""
        try:
            return self.clock()
        except Exception as trouble:
            self.has_trouble(trouble)
            return None

    def has_trouble(self, trouble: Exception | str) -> None:
        """Count that the tracking of this work went wrong."""
        MISHAPS.note(self.event_type, trouble)

    def record(
        self,
        outcome: Outcome,
        facts: Mapping[str, object],
        *,
        began: float | None,
        ended: float | None,
        error: BaseException | None,
    ) -> None:
        """Record that the work ended like this, with `facts` and what can be said of its time and `error`."""
        try:
            told: dict[str, object] = {
                **(self.metadata or {}),
                **facts,
                "duration_ms": _elapsed_ms(began, ended),
            }
            if error is not None and outcome is not Outcome.COMPLETED:
                told |= _error_facts(error, message=self.message)
            fields = EventFields(**fields_of(self.actor, self.resource, self.secondary))
            fields["metadata"] = storable_metadata(told)
            fields["status"] = outcome.value
            event_type = self._type_for(outcome)
            fields |= self._category_and_severity(event_type, outcome)
        except Exception as trouble:
            self.has_trouble(trouble)
        else:
            record_safely(self.recorder, event_type, fields)

    def _type_for(self, outcome: Outcome) -> str:
        """The type that says it: where nothing came of `event_type`, another last word (`job.failed`)."""
        if outcome not in (Outcome.FAILED, Outcome.CANCELLED):
            return self.event_type
        given = self.failed if outcome is Outcome.FAILED else self.cancelled
        noun = self.event_type.rpartition(".")[0] or self.event_type
        return given or f"{noun}.{outcome}"

    def _category_and_severity(self, event_type: str, outcome: Outcome) -> EventFields:
        """Of these, what the taxonomy does not say by itself of an `event_type` with this `outcome`."""
        if outcome is Outcome.COMPLETED:
            return {}
        taxonomy = active()
        if outcome is Outcome.PARTIAL:
            # The default is that of success. One that is not info was declared, and holds for this too.
            return {"severity": Severity.WARNING} if taxonomy.severity_of(event_type) == "info" else {}
        if taxonomy.current_name(event_type) in taxonomy:
            return {}
        # By its name alone, `media_item.failed` would leave the category of `media_item.updated`.
        fields = EventFields(category=taxonomy.category_of(self.event_type))
        if outcome is Outcome.FAILED:
            fields["severity"] = Severity.ERROR
        return fields


def _elapsed_ms(began: float | None, ended: float | None) -> int | None:
    if began is None or ended is None:
        return None
    try:
        # An injected clock may go back; a duration does not.
        return milliseconds(max(0.0, ended - began))
    except (ArithmeticError, ValueError):
        return None


def _error_facts(error: BaseException, *, message: bool) -> dict[str, object]:
    name = type(error).__name__
    text = ""
    if message:
        try:
            text = one_line(str(error), MESSAGE_MAX)
        except Exception:
            text = "(its text raised)"
    return {"error": f"{name}: {text}" if text else name, "error_type": name}

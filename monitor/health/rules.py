"""The rules that a console starts with: a component is down, a job failed, too many downloads fail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from monitor.health.components import (
    HEALTH_SUFFIX,
    SUBJECTS_MAX,
    Histories,
    State,
    Subject,
    component_of,
    is_health_event,
    state_of,
)
from monitor.health.counting import TooMany
from monitor.health.rule import Episode, Rule, Watch
from store.event import Event, Severity
from store.query.syntax import And, Compare, Field, Node, Op, Or

FAILED, EXECUTED = "job.failed", "job.executed"


def types_of_interest(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The event types, globs among them, that `rules` need; a rule that is not about types adds none."""
    return tuple(dict.fromkeys(name for rule in rules for name in _types_in(rule.interest)))


def _types_in(node: Node) -> Iterator[str]:
    match node:
        case Compare(Field.TYPE, Op.EQ | Op.GLOB, value):
            yield value
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _types_in(operand)
        case _:
            return


def _of_type(event_type: str) -> Node:
    return Compare(Field.TYPE, Op.EQ, event_type)


@dataclass(frozen=True, slots=True)
class ComponentDown:
    """Fires for each component that is down, from its first such event; ends when it is up or degraded.

    An event that tells no state ends nothing: a doubtful recovery must not hide an outage.
    """

    name: str = "component-down"
    severity: Severity = Severity.ERROR
    interest: Node = field(default=Compare(Field.TYPE, Op.GLOB, f"*{HEALTH_SUFFIX}"))
    limit: int = SUBJECTS_MAX

    def watch(self) -> Watch:
        """A new watch over all components."""
        return _ComponentWatch(self.limit)


class _StateWatch(ABC):
    """A watch whose alerts hold while a subject is down."""

    def __init__(self, limit: int) -> None:
        self._histories = Histories(limit)

    def observe(self, event: Event) -> tuple[Subject, ...]:
        sighting = self.sighting(event)
        if sighting is None:
            return ()
        subject, state = sighting
        return self._histories.observe(subject, event.sort_key, state)

    def episode(self, subject: Subject) -> Episode | None:
        history = self._histories.get(subject)
        run = history.latest_run(State.DOWN) if history else None
        if run is None:
            return None
        return Episode(self.title(subject), self.resource(subject), run.since, run.until, run.count)

    @abstractmethod
    def sighting(self, event: Event) -> tuple[Subject, State] | None: ...

    @abstractmethod
    def title(self, subject: Subject) -> str: ...

    def resource(self, subject: Subject) -> Subject | None:
        return subject


class _ComponentWatch(_StateWatch):
    def sighting(self, event: Event) -> tuple[Subject, State] | None:
        if not is_health_event(event) or (state := state_of(event)) == State.UNKNOWN:
            return None
        return component_of(event), state

    def title(self, subject: Subject) -> str:
        return f"{_written(subject)} is down"


@dataclass(frozen=True, slots=True)
class JobFailed:
    """Fires for each job that failed, from the first failure since it last worked; ends when it works again.

    A job is the event's resource, else its actor's id, else all jobs without a name are one. A
    `job.executed` whose own status or severity says that it went wrong ends nothing.
    """

    name: str = "job-failed"
    severity: Severity = Severity.ERROR
    interest: Node = field(default=Or((_of_type(FAILED), _of_type(EXECUTED))))
    limit: int = SUBJECTS_MAX

    def watch(self) -> Watch:
        """A new watch over all jobs."""
        return _JobWatch(self.limit)


_BY_ACTOR = ""
"""Stands where the resource type would: the job is known by its actor only. No resource type is empty."""


class _JobWatch(_StateWatch):
    def sighting(self, event: Event) -> tuple[Subject, State] | None:
        if event.event_type == FAILED:
            return self._job(event), State.DOWN
        if event.event_type == EXECUTED and state_of(event) != State.DOWN:
            return self._job(event), State.UP
        return None

    @staticmethod
    def _job(event: Event) -> Subject:
        if event.resource_type is not None or event.resource_id is not None:
            return event.resource_type or "job", event.resource_id
        return _BY_ACTOR, event.actor_id

    def title(self, subject: Subject) -> str:
        kind, identifier = subject
        job = identifier if identifier is not None and kind in {"job", _BY_ACTOR} else _written(subject)
        return f"job {job} failed" if job else "a job failed"

    def resource(self, subject: Subject) -> Subject | None:
        return None if subject[0] == _BY_ACTOR else subject


def _written(subject: Subject) -> str:
    kind, identifier = subject
    return kind if identifier is None else f"{kind}/{identifier}"


DEFAULT_RULES: tuple[Rule, ...] = (
    ComponentDown(),
    JobFailed(),
    TooMany(
        name="downloads-failing",
        title="downloads are failing",
        event_type="download.failed",
        threshold=5,
        window=timedelta(minutes=5),
    ),
)
"""The rules of a console that was told no others."""

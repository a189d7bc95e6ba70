"""What a rule is: frozen data, with a watch that remembers what the rule needs of the events it saw.

A watch knows no clock: it says from when to when an alert holds, by event time, so that events give the
same alerts in whatever order and however often they arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.health.components import Subject
from store.event import Event, Severity
from store.query.syntax import Node


@dataclass(frozen=True, slots=True)
class Episode:
    """A time during which an alert holds: from `since` to before `until`; None is no end in sight.

    `until` may be in the future: then the alert ends by itself unless more events come.
    `count` is the number of events behind it. `title` is raw event text.
    """

    title: str
    resource: Subject | None
    since: datetime
    until: datetime | None
    count: int


class Watch(Protocol):
    """What one rule has seen."""

    def observe(self, event: Event) -> tuple[Subject, ...]:
        """Take in any event; return the subjects whose `episode` may be another now."""
        ...

    def episode(self, subject: Subject) -> Episode | None:
        """The latest episode of `subject`; None when there was none or it is forgotten."""
        ...


class Rule(Protocol):
    """When to raise an alert."""

    @property
    def name(self) -> str:
        """Short, unique, stable: it is part of the fingerprint of its alerts."""
        ...

    @property
    def severity(self) -> Severity:
        """How bad its alerts are."""
        ...

    @property
    def interest(self) -> Node:
        """The query that selects the events the rule needs, and perhaps more."""
        ...

    def watch(self) -> Watch:
        """A new watch, which has seen nothing."""
        ...

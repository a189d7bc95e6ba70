"""What a rule is: frozen data, with a watch that remembers what the rule needs of the events it saw.

A watch knows no clock: it says from when to when an alert holds, by event time, so that events give the
same alerts in whatever order and however often they arrive.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from monitor.health.grouping import GROUPS_MAX, Group, Key
from monitor.health.usual import Usual
from store.event import Event, Severity
from store.query.syntax import Node


@dataclass(frozen=True, slots=True)
class Episode:
    """A time during which an alert holds: from `since` to before `until`; None is no end in sight.

    `until` may be in the future: then the alert ends by itself unless more events come. An episode that is `foreseen`
    begins by itself at `since`, and not before; any other one holds since an event said so, even if by a clock that
    runs ahead. `count` is the number of events behind it.
    """

    since: datetime
    until: datetime | None
    count: int
    foreseen: bool = False


class Watch(Protocol):
    """What one rule has seen."""

    @property
    def forgotten(self) -> int:
        """How many groups were forgotten because the rule follows too many."""
        ...

    @property
    def counts_all(self) -> bool:
        """Whether it adds up and cannot tell an event it saw before: each is to be given to it once."""
        ...

    def begin(self, moment: datetime) -> tuple[Group, ...]:
        """From `moment` on all events are given, of those before perhaps some; return as `observe` does."""
        ...

    def observe(self, event: Event) -> tuple[Group, ...]:
        """Take in any event; return the groups whose `episodes` may be others now, forgotten ones included."""
        ...

    def episodes(self, group: Group) -> Sequence[Episode]:
        """The latest episodes of `group` that are known, in order; at the end there may be foreseen ones.

        Empty when there was none or the group is forgotten.
        """
        ...


class Kind(ABC):
    """How a rule decides: one of `monitor.health.{threshold,ratio,absence,state,anomaly,slow}`."""

    __slots__ = ()

    @property
    def queries(self) -> tuple[Node, ...]:
        """Further queries whose events the rule needs, beside its own."""
        return ()

    @property
    def wants_past(self) -> bool:
        """Whether the latest events that it needs decide, however old they are."""
        return False

    @property
    def asks_usual(self) -> bool:
        """Whether it asks what is usual of the rule's query."""
        return False

    @property
    def reach(self) -> timedelta:
        """How far before its beginning the first events of an alert may be."""
        return timedelta()

    @property
    @abstractmethod
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What a title may say of it: (name, text), `window` and `threshold` among them where there are such."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The template of titles when the rule has none."""

    @property
    @abstractmethod
    def meaning(self) -> str:
        """When it holds, in a phrase that follows the rule's query."""

    @abstractmethod
    def watch(self, rule: Rule, usual: Usual | None) -> Watch:
        """A new watch for `rule`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When to raise an alert.

    `name` is short, unique and stable: it is part of the fingerprint of its alerts, one for each group of values of
    `group_by`. What `query` selects and `kind` finds too much, too little or too slow must hold for as long as `hold`
    before it fires. `title` is a template (`monitor.health.title`). `inhibits` selects, of alerts as events, those
    that its own mute: of the same resource only, unless `everywhere`. `limit` is how many groups it follows.
    """

    name: str
    query: Node
    kind: Kind
    title: str = ""
    severity: Severity = Severity.ERROR
    hold: timedelta = timedelta()
    group_by: tuple[Key, ...] = ()
    runbook: str = ""
    inhibits: Node | None = None
    everywhere: bool = False
    limit: int = GROUPS_MAX

    @property
    def queries(self) -> tuple[Node, ...]:
        """What selects the events that it needs, together."""
        return (self.query, *self.kind.queries)

    def watch(self, usual: Usual | None = None) -> Watch:
        """A new watch, which has seen nothing."""
        return self.kind.watch(self, usual)

"""The rule of states: something is down, has failed, or was begun and not ended, and stays so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.health.components import Histories, State, is_health_event, state_of
from monitor.health.grouping import Group, Grouping
from monitor.health.rule import Episode, Kind, Rule, Watch
from monitor.health.usual import Usual
from store.event import Event
from store.query.predicate import compile_predicate
from store.query.syntax import Node

STATES = (State.DOWN, State.DEGRADED)
"""What a rule may wait for."""
Sighting = Callable[[Event], State | None]
"""Of an event, whether it begins an episode (down) or ends one (up); None when neither."""


@dataclass(frozen=True, slots=True)
class StateRule(Kind):
    """Holds while what is told apart is in a state, from the first event that says so.

    With `ended_by`, the rule's query begins it, and that query ends it, unless the event itself says that something
    went wrong. Without, the rule's query selects events that report health, and it holds while they say one of
    `states`; one that tells no state ends nothing: a doubtful recovery must not hide an outage.
    """

    states: tuple[State, ...] = (State.DOWN,)
    ended_by: Node | None = None

    def __post_init__(self) -> None:
        if not self.states or not set(self.states) <= set(STATES):
            raise ValueError("a state to wait for is needed: down, degraded or both")

    @property
    def queries(self) -> tuple[Node, ...]:
        """What ends it."""
        return () if self.ended_by is None else (self.ended_by,)

    @property
    def wants_past(self) -> bool:
        """What is down may be so since long."""
        return True

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """The state."""
        return (("state", " or ".join(self.states)),)

    @property
    def title(self) -> str:
        """What is in which state."""
        return "{rule}: {group}" if self.ended_by is not None else "{group} is {state}"

    @property
    def meaning(self) -> str:
        """When it holds."""
        return "not ended" if self.ended_by is not None else f"says {' or '.join(self.states)}"

    def watch(self, rule: Rule, usual: Usual | None) -> Watch:
        """A new watch over all that is told apart."""
        return _StateWatch(
            rule, _marked(rule.query, self.ended_by) if self.ended_by else _reported(self, rule)
        )


class _StateWatch:
    counts_all = False

    def __init__(self, rule: Rule, sighting: Sighting) -> None:
        self._sighting = sighting
        self._group = Grouping(rule.group_by)
        self._histories: Histories[Group] = Histories(rule.limit)

    @property
    def forgotten(self) -> int:
        return self._histories.forgotten

    def begin(self, moment: datetime) -> tuple[Group, ...]:
        return ()

    def observe(self, event: Event) -> tuple[Group, ...]:
        state = self._sighting(event)
        if state is None:
            return ()
        group, key = self._group(event), event.sort_key
        history = self._histories.get(group)
        goes_on_well = state == State.UP and history is not None and history.is_continued_by(key, state)
        changed = self._histories.observe(group, key, state)
        # Most events say that all is as well as it was, which no episode is changed by.
        return changed[1:] if goes_on_well else changed

    def episodes(self, group: Group) -> Sequence[Episode]:
        history = self._histories.get(group)
        if history is None:
            return ()
        return [Episode(run.since, run.until, run.count) for run in history.runs_of(State.DOWN)]


def _reported(kind: StateRule, rule: Rule) -> Sighting:
    matches, states = compile_predicate(rule.query), frozenset(kind.states)

    def sighting(event: Event) -> State | None:
        if not is_health_event(event) or not matches(event):
            return None
        state = state_of(event)
        if state == State.UNKNOWN:
            return None
        return State.DOWN if state in states else State.UP

    return sighting


def _marked(begun_by: Node, ended_by: Node) -> Sighting:
    begins, ends = compile_predicate(begun_by), compile_predicate(ended_by)

    def sighting(event: Event) -> State | None:
        if begins(event):
            return State.DOWN
        return State.UP if ends(event) and state_of(event) != State.DOWN else None

    return sighting

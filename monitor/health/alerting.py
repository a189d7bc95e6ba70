"""The engine and the desk, told of the same events: which alerts there are, and what is made of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.health.alert_history import PastEpisode
from monitor.health.components import ComponentBoard
from monitor.health.desk import AlertDesk, DeskAlert, Evaluation
from monitor.health.engine import Alert, AlertEngine, AlertState
from monitor.health.inhibition import Inhibition
from monitor.health.interest import types_of_interest
from monitor.health.replay import Replay
from monitor.health.rule import Rule
from monitor.health.usual import Usual
from monitor.health.watching import KNOWN_MAX
from store.event import Event

_FRESH = timedelta(seconds=1)
"""How long what is shown holds while nothing has come: silences and flapping end by the clock."""
RECORDED_AT_ONCE = 500
"""Events that are recorded in one go, and shown as one change."""
PAST_WITHIN = timedelta(seconds=30)
"""So long it is waited for the past, before anything is recorded or anybody told by what is known without it."""
PAST_MAX = 10_000
"""Alerts of the past that are recorded, the latest."""
_ORDER = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)


class Alerting:
    """Alerts as a console shows them and as they are to be recorded. The clock is passed in."""

    def __init__(
        self, rules: Sequence[Rule] = (), board: ComponentBoard | None = None, usual: Usual | None = None
    ) -> None:
        self.rules = {rule.name: rule for rule in rules}
        self.desk = AlertDesk(inhibitions_of(rules))
        self._usual = usual
        self._engine = AlertEngine(rules, board, usual)
        self.wants_record = False
        """Whether what is on record of alerts is still to be given, however old: nothing can be recorded before."""
        self.wants_past = False
        """Whether `look_back` is still to be called: to find what happened while nobody watched."""
        self.known_since: datetime | None = None
        """From when on all events were held against the rules; None until there were any."""
        self.missed: tuple[datetime, datetime] | None = None
        """From when until when nobody watched, and too much happened to look at; None where there is no such time."""
        self._opened_at: datetime | None = None
        self._opened: tuple[Event, ...] = ()
        self._meanwhile: deque[Event] | None = None
        """What came while a replay looks back, of which it may not have been given all."""
        self._unwatched: Sequence[Alert] = ()
        """What a replay found, to be recorded as far as nobody did; and what is to be recorded of it."""
        self._unwatched_events: list[Event] = []
        self._watched_to: datetime | None = None
        """When the last thing happened that was on record before this console added to it; None if nothing was."""
        self._history: Sequence[PastEpisode] | None = None
        self._shown: tuple[DeskAlert, ...] = ()
        self._shown_of: tuple[Alert, ...] = ()
        self._shown_at: datetime | None = None

    @property
    def interest(self) -> tuple[str, ...]:
        """The event types, globs among them, whose latest events are needed however old they are."""
        return types_of_interest(self.rules.values())

    def open(self, past: Iterable[Event], complete_from: datetime | None, now: datetime) -> None:
        """Begin with `past`, which holds all that came since `complete_from`; None: all there ever was."""
        past = tuple(past)
        oldest = min((event.inserted_at for event in past), default=now)
        self.known_since = complete_from or oldest
        self._engine.begin(self.known_since, now)
        self.wants_record = self.wants_past = True
        self._opened_at, self._opened, self._meanwhile = now, past, deque(maxlen=KNOWN_MAX)
        self.desk.evaluation = Evaluation(now, complete_from, frozenset(self.rules))
        self.apply(past, now)

    def apply(self, events: Sequence[Event], now: datetime) -> None:
        """Take in events, in any order and however often."""
        self._engine.apply(events, now)
        if self._meanwhile is not None:
            self._meanwhile.extend(events)
        if self._unwatched_events:
            known = {event.id for event in events}
            self._unwatched_events = [event for event in self._unwatched_events if event.id not in known]
        if self.desk.apply(events):
            self._shown_at = self._history = None

    def recalled(self) -> None:
        """All that is on record of alerts was given."""
        self._watched_to = self.desk.newest
        self.wants_record = False

    def is_settled(self, now: datetime) -> bool:
        """Whether the past is known, or was waited for long enough."""
        at = self._opened_at
        return at is not None and not (self.wants_past and at <= now < at + PAST_WITHIN)

    def look_back(self, since: datetime) -> Replay:
        """A replay that is to be given the stored events from its `since` on, and then handed to `looked_back`.

        That is `since`, or when the events begin that are known already.
        """
        known_since = self.known_since or since
        replay = Replay(tuple(self.rules.values()), min(since, known_since), self._usual)
        # What is known of the time before that is the latest of its kind, however old.
        older = [event for event in self._opened if event.inserted_at < replay.since]
        replay.apply(sorted(older, key=lambda event: event.sort_key))
        return replay

    def looked_back(self, replay: Replay, now: datetime, watched_to: datetime | None = None) -> None:
        """Go on from what `replay` has seen: it knows what began, and what began and ended, before this did.

        `watched_to` is when somebody last watched, None for never.
        """
        meanwhile, self._opened, self._meanwhile = self._meanwhile or (), (), None
        self.wants_past = False
        self._unwatched = [alert for alert in replay.alerts(now) if alert.resolved_at][-PAST_MAX:]
        self._engine.take_over(*replay.handed_over(), replay.since, now)
        self._engine.apply(meanwhile, now)
        self.known_since = replay.since
        if watched_to is not None and watched_to < replay.since:
            self.missed = (watched_to, replay.since)
        evaluation = self.desk.evaluation
        # Who was given all that there is knows no more now.
        if evaluation is not None and evaluation.known_since is not None:
            self.desk.evaluation = replace(evaluation, known_since=replay.since)
        self._shown_at = None

    def usual_is_known(self, now: datetime) -> None:
        """What is usual is known better now."""
        self._engine.usual_is_known(now)

    def tick(self, now: datetime) -> None:
        """Let time pass."""
        self._engine.tick(now)

    def shown(self, now: datetime) -> tuple[DeskAlert, ...]:
        """All alerts: those that somebody should look at, those acknowledged or muted, pending ones, resolved ones.

        Within each, by severity and then the newest first.
        """
        alerts = self._engine.alerts()
        at = self._shown_at
        if at is None or alerts is not self._shown_of or not at <= now < at + _FRESH:
            ordered = sorted(self.desk.show(alerts, now), key=_rank)
            self._shown, self._shown_of, self._shown_at = tuple(ordered), alerts, now
        return self._shown

    def history(self) -> Sequence[PastEpisode]:
        """The recorded episodes, the one that began last first; worked out when something was recorded since."""
        if self._history is None:
            self._history = self.desk.history()
        return self._history

    def to_record(self, now: datetime) -> list[Event]:
        """The `alert.fired` and `alert.resolved` that are not on record yet."""
        if self.wants_record or not self.is_settled(now):
            return []
        if self._unwatched:
            # Where nothing is on record nobody ever watched: what is over is history that nobody asked for.
            if self._watched_to is not None:
                self._unwatched_events = self.desk.past_to_record(self._unwatched, self._watched_to, now)
            self._unwatched = ()
        # First of all: how something ended is known better by what was read than by what began next.
        missing = self._unwatched_events or self.desk.to_record(self._engine.alerts(), now)
        return missing[:RECORDED_AT_ONCE]


def inhibitions_of(rules: Iterable[Rule]) -> list[Inhibition]:
    """What the alerts of `rules` mute."""
    return [
        Inhibition(rule.name, rule.inhibits, same_resource=not rule.everywhere)
        for rule in rules
        if rule.inhibits is not None
    ]


def _rank(one: DeskAlert) -> tuple[int, bool]:
    # Stable: within a rank, they stay as the engine orders them.
    return _ORDER.index(one.alert.state), not (one.attention or one.flapping > 0)

"""The engine and the desk, told of the same events: which alerts there are, and what is made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.health.alert_history import PastEpisode
from monitor.health.components import ComponentBoard
from monitor.health.desk import AlertDesk, DeskAlert, Evaluation
from monitor.health.engine import Alert, AlertEngine, AlertState
from monitor.health.inhibition import Inhibition
from monitor.health.interest import types_of_interest
from monitor.health.rule import Rule
from monitor.health.usual import Usual
from store.event import Event

_FRESH = timedelta(seconds=1)
"""How long what is shown holds while nothing has come: silences and flapping end by the clock."""
_ORDER = (AlertState.FIRING, AlertState.PENDING, AlertState.RESOLVED)


class Alerting:
    """Alerts as a console shows them and as they are to be recorded. The clock is passed in."""

    def __init__(
        self, rules: Sequence[Rule] = (), board: ComponentBoard | None = None, usual: Usual | None = None
    ) -> None:
        self.rules = {rule.name: rule for rule in rules}
        self.desk = AlertDesk(inhibitions_of(rules))
        self._engine = AlertEngine(rules, board, usual)
        self.wants_record = False
        """Whether what is on record of alerts is still to be given, however old: nothing can be recorded before."""
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
        self._engine.begin(complete_from or oldest, now)
        self.wants_record = True
        self.desk.evaluation = Evaluation(now, complete_from, frozenset(self.rules))
        self.apply(past, now)

    def apply(self, events: Sequence[Event], now: datetime) -> None:
        """Take in events, in any order and however often."""
        self._engine.apply(events, now)
        if self.desk.apply(events):
            self._shown_at = self._history = None

    def recall(self, record: Sequence[Event], now: datetime) -> None:
        """Take in what is on record of alerts."""
        self.apply(record, now)
        self.wants_record = False

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
        if self.wants_record:
            return []
        return self.desk.to_record(self._engine.alerts(), now)


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

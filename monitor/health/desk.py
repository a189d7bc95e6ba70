"""The alert desk: what people and other alerts make of the engine's alerts, and what is to be recorded of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from monitor.health import alert_events, flapping, inhibition
from monitor.health.acknowledgements import Acknowledgement, Acknowledgements
from monitor.health.alert_events import MalformedAlertEventError, alert_of
from monitor.health.alert_history import PastEpisode, past_episodes
from monitor.health.alert_record import RESOLVED_MARK, AlertEpisode, AlertRecord
from monitor.health.engine import Alert, AlertState
from monitor.health.inhibition import Inhibition
from monitor.health.reconciling import DOUBT, Course, course
from monitor.health.silences import Silence, Silences, matching
from store.event import Event

MALFORMED_MAX = 1000
"""Malformed events of which the id is remembered, so that each counts once."""


@dataclass(frozen=True, slots=True)
class DeskAlert:
    """An alert of the engine, and what is made of it.

    `since` is when its episode began by the record, which the engine may know less of. `flapping` is how often it fired
    within an hour, 0 when it does not flap. `attention` says that somebody should look: it fires, nobody took care of
    it, no silence means it and no other alert explains it. Of flapping, only the first episode calls for attention.
    """

    alert: Alert
    since: datetime
    acknowledged: Acknowledgement | None = None
    silenced_by: Silence | None = None
    inhibited_by: str | None = None
    flapping: int = 0
    attention: bool = False

    @property
    def episode(self) -> Alert:
        """The alert with `since` as the record has it: what an acknowledgement is made of."""
        return replace(self.alert, since=self.since)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the evaluator that records can vouch for.

    `began` is when it began: what ended before, and before anything on record, is old and not recorded.
    `known_since` is from when on it was told of all events, None of all that there are: what fired before may have
    begun earlier than its engine says. `rules` are the names of those it evaluates: what is on record as firing, and
    which its engine knows nothing of, is over when it is of one of these and began since `known_since`.
    """

    began: datetime
    known_since: datetime | None = None
    rules: frozenset[str] = frozenset()


class AlertDesk:
    """Acknowledgements, silences, inhibition, flapping: `alert.*` events and the engine's alerts in, `DeskAlert`s out.

    Events come in any order and any number of times, alerts as the engine has them now. Nothing here reads a clock;
    one that goes backwards gives what was then. Memory is bounded: `forgotten` counts what was let go, the oldest.
    """

    def __init__(self, inhibitions: Sequence[Inhibition] = (), evaluation: Evaluation | None = None) -> None:
        self.inhibitions = tuple(inhibitions)
        self.evaluation = evaluation
        self._record = AlertRecord()
        self._acknowledgements = Acknowledgements()
        self._silences = Silences()
        self._malformed: set[UUID] = set()
        self._noticed: dict[str, tuple[datetime, datetime]] = {}
        self._seen: dict[str, tuple[Alert, Event]] = {}
        self.malformed = 0
        """`alert.*` events that do not say what their type promises; they are ignored."""

    @property
    def forgotten(self) -> int:
        """What was let go of, because there is too much: marks of the record, acknowledgements, silences."""
        return self._record.forgotten + self._acknowledgements.forgotten + self._silences.forgotten

    @property
    def newest(self) -> datetime | None:
        """When the last thing on record happened: an alert fired, or ended; None when none ever did."""
        return self._record.newest()

    @property
    def written_at(self) -> datetime | None:
        """When `alert.fired` or `alert.resolved` was recorded last; None when neither ever was."""
        return self._record.written_at

    def apply(self, events: Iterable[Event]) -> bool:
        """Take in events, of which those that are about alerts count; say whether anything changed."""
        changed = False
        for event in events:
            if not event.event_type.startswith("alert."):
                continue
            try:
                changed = self._take(event) or changed
            except MalformedAlertEventError:
                self._refuse(event)
        return changed

    def show(self, alerts: Sequence[Alert], now: datetime) -> tuple[DeskAlert, ...]:
        """`alerts`, in their order and one a fingerprint, each with what is made of it."""
        by_fingerprint: dict[str, Alert] = {}
        for alert in alerts:
            by_fingerprint.setdefault(alert.fingerprint, alert)
        courses = {name: self._course(alert, now).episodes for name, alert in by_fingerprint.items()}
        counts = {name: flapping.flapping(episodes, now) for name, episodes in courses.items()}
        active = self._silences.active(now)
        muted = self._muted(
            [alert for name, alert in by_fingerprint.items() if _fires(alert) or counts[name]]
        )
        shown: list[DeskAlert] = []
        for name, alert in by_fingerprint.items():
            episodes, fires = courses[name], _fires(alert)
            silence = matching(active, self._event(alert)) if active and fires else None
            acknowledged = self._acknowledgements.present(name, episodes) if fires or counts[name] else None
            inhibited_by = muted.get(name) if fires else None
            is_new = not counts[name] or flapping.is_first(episodes, len(episodes) - 1)
            shown.append(
                DeskAlert(
                    alert=alert,
                    since=alert.since if alert.state == AlertState.PENDING else episodes[-1].since,
                    acknowledged=acknowledged,
                    silenced_by=silence,
                    inhibited_by=inhibited_by,
                    flapping=counts[name],
                    attention=fires
                    and is_new
                    and acknowledged is None
                    and silence is None
                    and inhibited_by is None,
                )
            )
        self._seen = {name: seen for name, seen in self._seen.items() if name in by_fingerprint}
        return tuple(shown)

    def to_record(self, alerts: Sequence[Alert], now: datetime) -> list[Event]:
        """The `alert.fired` and `alert.resolved` that the record lacks, given the engine's `alerts`.

        The same until they are applied: store them, then apply them. What is stored already is known by its id. What is
        old is not recorded, nor what is pending, nor what no event can hold.
        """
        missing: list[Event] = []
        explained: set[str] = set()
        by_fingerprint = {alert.fingerprint: alert for alert in reversed(alerts)}
        for fingerprint, alert in by_fingerprint.items():
            found = self._course(alert, now)
            missing += self._missing(alert, found, now)
            if alert.state != AlertState.RESOLVED or found.episodes[-1].until is not None:
                explained.add(fingerprint)
        missing += self._unexplained(explained, now)
        return missing

    def past_to_record(self, past: Iterable[Alert], after: datetime, now: datetime) -> list[Event]:
        """The same of `past` alerts that nobody watched: of those that did not end before `after`.

        What ended first comes first, so that whoever records a part of it leaves the rest to be found. What the record
        has of their time is left as it is, but that something is over is added.
        """
        missing: list[Event | None] = []
        ended: set[str] = set()
        over = [
            (alert.resolved_at, alert) for alert in past if alert.resolved_at and alert.resolved_at >= after
        ]
        for until, alert in sorted(over, key=lambda one: (one[0], one[1].fingerprint)):
            known = self._at_the_time(alert, until)
            if known is not None and known.until is not None:
                continue
            if known is None or alert.fingerprint in ended:
                missing += (
                    _recordable(alert, alert.since, None, now),
                    _recordable(alert, alert.since, until, now),
                )
            else:
                ended.add(alert.fingerprint)
                missing.append(_recordable(alert, known.since, until, now))
        return [event for event in missing if event is not None]

    def recorded(self) -> tuple[Alert, ...]:
        """The alerts as the record alone has them: what fires, by severity and then newest first; then what ended."""
        alerts = self._record.alerts()
        alerts.sort(key=lambda alert: (alert.resolved_at or alert.since, alert.fingerprint), reverse=True)
        alerts.sort(
            key=lambda alert: (_fires(alert), alert.severity.rank if _fires(alert) else 0), reverse=True
        )
        return tuple(alerts)

    def silences(self) -> tuple[Silence, ...]:
        """All silences that are known, the one that ends last first."""
        return self._silences.all()

    def expired(self, after: datetime, now: datetime) -> tuple[Silence, ...]:
        """The silences that ran out later than `after`, the moment that was asked for last, and by `now`."""
        return self._silences.expired(after, now)

    def history(self) -> list[PastEpisode]:
        """The recorded episodes, the one that began last first."""
        return past_episodes(self._record, self._acknowledgements)

    def _at_the_time(self, alert: Alert, until: datetime) -> AlertEpisode | None:
        """What is on record of the time of an episode."""
        for episode in self._record.episodes(alert.fingerprint):
            if episode.since < until and (episode.until is None or episode.until > alert.since):
                return episode
        return None

    def _take(self, event: Event) -> bool:
        match event.event_type:
            case alert_events.FIRED | alert_events.RESOLVED:
                return self._record.add(alert_of(event), alert_events.recorded_at(event))
            case alert_events.ACKNOWLEDGED | alert_events.UNACKNOWLEDGED:
                return self._acknowledgements.apply(event)
            case alert_events.SILENCED | alert_events.SILENCE_ENDED:
                return self._silences.apply(event)
            case _:
                return False

    def _refuse(self, event: Event) -> None:
        if event.id not in self._malformed:
            self.malformed += 1
            if len(self._malformed) < MALFORMED_MAX:
                self._malformed.add(event.id)

    def _course(self, alert: Alert, now: datetime) -> Course:
        known_since = self.evaluation.known_since if self.evaluation is not None else None
        return course(self._record.episodes(alert.fingerprint), alert, now, known_since)

    def _event(self, alert: Alert) -> Event:
        """`alert` as queries see it; made anew only when it has changed."""
        seen = self._seen.get(alert.fingerprint)
        if seen is None or seen[0] != alert:
            seen = self._seen[alert.fingerprint] = (alert, alert_events.alert_event(alert))
        return seen[1]

    def _muted(self, alerts: Sequence[Alert]) -> dict[str, str]:
        if not self.inhibitions:
            return {}
        return inhibition.inhibited([(alert, self._event(alert)) for alert in alerts], self.inhibitions)

    def _missing(self, alert: Alert, found: Course, now: datetime) -> list[Event]:
        if found.is_past and found.missing[-1][0] <= self._old_until(now):
            return []
        known = self._record.get(alert.fingerprint)
        marks = found.missing if known is None else [one for one in found.missing if one not in known.marks]
        return [
            event
            for when, since, kind in marks
            if (event := _recordable(alert, since, when if kind == RESOLVED_MARK else None, now))
        ]

    def _old_until(self, now: datetime) -> datetime:
        """What ended by then is old, unless it is on record."""
        began = self.evaluation.began if self.evaluation is not None else now
        newest = self._record.newest()
        return began if newest is None else min(began, newest)

    def _unexplained(self, explained: Collection[str], now: datetime) -> list[Event]:
        """That what is on record as firing is over, where the engine does not have it and would."""
        evaluation = self.evaluation
        if evaluation is None:
            return []
        over: list[Event] = []
        noticed: dict[str, tuple[datetime, datetime]] = {}
        for fingerprint, marks in self._record:
            if fingerprint in explained or marks.alert.rule not in evaluation.rules:
                continue
            since = marks.episodes()[-1].since
            if not marks.is_open or (evaluation.known_since is not None and since < evaluation.known_since):
                # What was told to be over may be told to fire again.
                if fingerprint in self._noticed:
                    noticed[fingerprint] = self._noticed[fingerprint]
                continue
            began, at = noticed[fingerprint] = self._noticed.get(fingerprint, (since, now))
            # Once, for another evaluator that tells of it again is to be believed; and not before what it tells of
            # can have come here.
            event = _recordable(marks.alert, since, max(since, now), now)
            if event is not None and began == since and now - at >= DOUBT:
                over.append(event)
        self._noticed = noticed
        return over


def _fires(alert: Alert) -> bool:
    return alert.state == AlertState.FIRING


def _recordable(alert: Alert, since: datetime, until: datetime | None, now: datetime) -> Event | None:
    try:
        if until is None:
            return alert_events.fired(
                replace(alert, state=AlertState.FIRING, since=since, resolved_at=None), now
            )
        ended = replace(alert, state=AlertState.RESOLVED, since=since, resolved_at=until)
        return alert_events.resolved(ended, now)
    except ValueError:
        return None

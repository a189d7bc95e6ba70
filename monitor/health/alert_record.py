"""What is on record of the alerts: from when to when each of them fired, in whatever order that is told."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.health.engine import Alert, AlertState

ALERTS_MAX = 1000
"""Alerts on record at a time; a quarter more while they are counted."""
MARKS_MAX = 100
"""What is kept of one alert: when it fired and when that ended, the latest."""
FIRED_MARK, RESOLVED_MARK = 0, 1

Mark = tuple[datetime, datetime, int]
"""When an alert fired or ended, since when it had fired then, and which of the two: in the order of what happened."""


@dataclass(frozen=True, slots=True)
class AlertEpisode:
    """A time in which an alert fired: from `since` to before `until`; None while it lasts."""

    since: datetime
    until: datetime | None


@dataclass(slots=True)
class AlertMarks:
    """What is on record of one alert. `alert` is as it was told last."""

    alert: Alert
    told: Mark
    marks: list[Mark] = field(default_factory=list[Mark])
    _episodes: tuple[AlertEpisode, ...] | None = None

    def add(self, mark: Mark) -> tuple[bool, int]:
        """Take in one mark; say whether it was new, and how many were let go for it."""
        place = bisect_left(self.marks, mark)
        if place < len(self.marks) and self.marks[place] == mark:
            return False, 0
        insort(self.marks, mark)
        self._episodes = None
        gone = len(self.marks) - MARKS_MAX
        if gone > 0:
            del self.marks[:gone]
        return True, max(0, gone)

    def episodes(self) -> tuple[AlertEpisode, ...]:
        """All known episodes, oldest first; only the last one may last still."""
        if self._episodes is None:
            self._episodes = tuple(_episodes(self.marks))
        return self._episodes

    @property
    def is_open(self) -> bool:
        """Whether it is on record as firing."""
        episodes = self.episodes()
        return bool(episodes) and episodes[-1].until is None


def _episodes(marks: list[Mark]) -> Iterator[AlertEpisode]:
    opened: datetime | None = None
    ended: datetime | None = None
    for when, since, kind in marks:
        if kind == FIRED_MARK:
            # Told to fire once more while it fires: another evaluator knew less of what went before.
            opened = opened or since
        elif opened is not None:
            yield AlertEpisode(opened, when)
            opened, ended = None, when
        elif ended is None or since >= ended:
            # That it fired is no longer known.
            yield AlertEpisode(since, when)
            ended = when
    if opened is not None:
        yield AlertEpisode(opened, None)


class AlertRecord:
    """The recorded episodes of all alerts. Neither the order in which they are told nor repetition counts.

    Of each alert the latest `MARKS_MAX` marks are kept, of all the `ALERTS_MAX` alerts that were heard of last, those
    that fire before any other. `forgotten` counts the marks that were let go.
    """

    def __init__(self) -> None:
        self._by_fingerprint: dict[str, AlertMarks] = {}
        self.forgotten = 0
        self.written_at: datetime | None = None
        """The latest moment at which something was recorded, as far as that is told."""

    def __iter__(self) -> Iterator[tuple[str, AlertMarks]]:
        return iter(self._by_fingerprint.items())

    def get(self, fingerprint: str) -> AlertMarks | None:
        """What is on record of one alert."""
        return self._by_fingerprint.get(fingerprint)

    def episodes(self, fingerprint: str) -> tuple[AlertEpisode, ...]:
        """The recorded episodes of one alert, oldest first."""
        known = self._by_fingerprint.get(fingerprint)
        return known.episodes() if known is not None else ()

    def add(self, alert: Alert, written_at: datetime) -> bool:
        """Take in that `alert` fired, or was resolved as it says; False when that is known already."""
        mark = mark_of(alert)
        known = self._by_fingerprint.get(alert.fingerprint)
        if known is None:
            known = self._by_fingerprint[alert.fingerprint] = AlertMarks(alert, mark)
        is_new, gone = known.add(mark)
        if mark > known.told:
            known.told, known.alert = mark, alert
        self.forgotten += gone
        if self.written_at is None or written_at > self.written_at:
            self.written_at = written_at
        if len(self._by_fingerprint) > ALERTS_MAX + ALERTS_MAX // 4:
            self._forget()
        return is_new

    def newest(self) -> datetime | None:
        """When anything fired or ended last."""
        return max((known.marks[-1][0] for known in self._by_fingerprint.values()), default=None)

    def alerts(self) -> list[Alert]:
        """Every alert as the record has it, with its last episode."""
        return [_as_recorded(known) for known in self._by_fingerprint.values()]

    def _forget(self) -> None:
        # At once for many, so that a flood of alerts does not look through all of them each time.
        ordered = sorted(self, key=lambda item: (item[1].is_open, item[1].marks[-1], item[0]))
        for fingerprint, known in ordered[: len(ordered) - ALERTS_MAX]:
            self.forgotten += len(known.marks)
            del self._by_fingerprint[fingerprint]


def mark_of(alert: Alert) -> Mark:
    """What a record keeps of `alert`."""
    if alert.resolved_at is not None:
        return alert.resolved_at, alert.since, RESOLVED_MARK
    return alert.since, alert.since, FIRED_MARK


def _as_recorded(known: AlertMarks) -> Alert:
    last = known.episodes()[-1]
    state = AlertState.FIRING if last.until is None else AlertState.RESOLVED
    return replace(known.alert, state=state, since=last.since, resolved_at=last.until)

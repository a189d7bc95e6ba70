"""What an engine says of an alert against what is on record of it: one course of episodes, and what to record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.alert_record import FIRED_MARK, RESOLVED_MARK, AlertEpisode, Mark
from monitor.health.components import shifted
from monitor.health.engine import Alert, AlertState

SAME_WITHIN = timedelta(minutes=1)
"""A firing that seems to have begun so much later than it is on record is the same one."""
DOUBT = timedelta(minutes=1)
"""So long the record is right that says that an alert is over, against an engine that has it firing still."""

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Course:
    """The episodes of one alert by record and engine together, oldest first, and the marks that the record lacks.

    `is_past` says that they are of an episode that is over already.
    """

    episodes: tuple[AlertEpisode, ...]
    missing: tuple[Mark, ...] = ()
    is_past: bool = False


def course(
    recorded: Sequence[AlertEpisode], alert: Alert, now: datetime, known_since: datetime | None = None
) -> Course:
    """Join the latest episode, which an engine has in `alert`, with the recorded ones.

    What the engine was told of begins at `known_since`, None when it was told of everything: what fired before then
    may have begun earlier than it says.
    """
    episodes = tuple(recorded)
    if alert.state == AlertState.PENDING:
        return _pending(episodes, alert.since, known_since)
    if alert.state == AlertState.FIRING:
        return _firing(episodes, alert.since, now, known_since)
    return _over(episodes, alert.since, alert.resolved_at or now)


def _firing(
    episodes: tuple[AlertEpisode, ...], since: datetime, now: datetime, known_since: datetime | None
) -> Course:
    if not episodes:
        return _another(episodes, since)
    earlier, last = episodes[:-1], episodes[-1]
    if last.until is None:
        if _may_be_older(last, known_since) or since - last.since <= SAME_WITHIN:
            return Course(episodes)
        # It ended and began anew while nobody looked; it ended by the time that it began, at the latest.
        ended = _ended(earlier, last, since)
        anew = _another(ended.episodes, since)
        return Course(anew.episodes, (*ended.missing, *anew.missing))
    if since >= last.until and since > last.since:
        return _another(episodes, since)
    if now - last.until < DOUBT:
        # The event that ended it may be on its way here, later than the news that it did.
        return Course((*earlier, AlertEpisode(last.since, None)))
    # An episode without length has taken the name that this one would have.
    is_taken = since == last.since == last.until
    return _another(episodes, shifted(last.until, _MOMENT) if is_taken else last.until)


def _pending(episodes: tuple[AlertEpisode, ...], since: datetime, known_since: datetime | None) -> Course:
    """What waits to fire does not: the episode before is over, by the time that it began to wait."""
    last = episodes[-1] if episodes else None
    if last is None or last.until is not None or since <= last.since or _may_be_older(last, known_since):
        return Course(episodes)
    return _ended(episodes[:-1], last, since)


def _may_be_older(recorded: AlertEpisode, known_since: datetime | None) -> bool:
    return known_since is not None and recorded.since < known_since


def _over(episodes: tuple[AlertEpisode, ...], since: datetime, until: datetime) -> Course:
    if episodes:
        last = episodes[-1]
        if last.until is None:
            ends_it = until > last.since or until == since == last.since
            return _ended(episodes[:-1], last, until) if ends_it else Course(episodes)
        if since < last.until or since <= last.since:
            return Course(episodes)
    marks = ((since, since, FIRED_MARK), (until, since, RESOLVED_MARK))
    return Course((*episodes, AlertEpisode(since, until)), marks, is_past=True)


def _ended(earlier: tuple[AlertEpisode, ...], last: AlertEpisode, until: datetime) -> Course:
    return Course((*earlier, AlertEpisode(last.since, until)), ((until, last.since, RESOLVED_MARK),))


def _another(episodes: tuple[AlertEpisode, ...], since: datetime) -> Course:
    return Course((*episodes, AlertEpisode(since, None)), ((since, since, FIRED_MARK),))

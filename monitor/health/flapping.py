"""Alerts that come and go: shown once, with how often, instead of each time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta

from monitor.health.alert_record import AlertEpisode
from monitor.health.components import shifted

EPISODES = 4
"""So many episodes within `WITHIN` are flapping."""
WITHIN = timedelta(hours=1)
QUIET = timedelta(minutes=10)
"""What neither fires nor ends for so long flaps no longer."""


def flaps(episodes: Sequence[AlertEpisode], number: int) -> int:
    """How many episodes began within `WITHIN` up to that of episode `number`; 0 when they are too few to flap."""
    since = episodes[number].since
    first = bisect_right(episodes, shifted(since, -WITHIN), hi=number + 1, key=lambda episode: episode.since)
    count = number + 1 - first
    return count if count >= EPISODES else 0


def flapping(episodes: Sequence[AlertEpisode], now: datetime) -> int:
    """How often the alert fired in the hour up to its last episode, while it flaps; else 0."""
    if not episodes:
        return 0
    last = episodes[-1]
    return flaps(episodes, len(episodes) - 1) if now - (last.until or last.since) < QUIET else 0


def goes_on(episodes: Sequence[AlertEpisode], number: int) -> bool:
    """Whether episode `number` is one more of the same flapping as the episode before it, or the one that makes it so.

    It was never quiet between the two.
    """
    if not number or not flaps(episodes, number):
        return False
    before, episode = episodes[number - 1], episodes[number]
    ended = before.until or episode.since
    return episode.since - ended < QUIET and ended - before.since < QUIET


def is_first(episodes: Sequence[AlertEpisode], number: int) -> bool:
    """Whether flapping begins with episode `number`: only that calls for attention."""
    return not (goes_on(episodes, number) and flaps(episodes, number - 1))

"""Who takes care of which alert: what people said of it, held against its episodes."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.health.alert_events import ACKNOWLEDGED, alert_of, text_in
from monitor.health.alert_record import AlertEpisode
from monitor.health.flapping import goes_on
from monitor.health.reconciling import SAME_WITHIN
from store.event import Event

ALERTS_MAX = 1000
"""Alerts of which acknowledgements are kept, those that were spoken of last; a quarter more while they are counted."""
STATEMENTS_MAX = 50
"""Acknowledgements, and their taking back, that are kept of one alert, the latest."""


@dataclass(frozen=True, slots=True, order=True)
class Acknowledgement:
    """Someone takes care of an alert, or with `is_taken_back` no longer does. `by` and `comment` are raw text.

    `since` is when the episode began that is meant; `number` is that of the event.
    """

    at: datetime
    number: int = field(repr=False)
    since: datetime
    by: str
    comment: str
    is_taken_back: bool = False


class Acknowledgements:
    """What was said of each alert, in whatever order and however often it is told.

    `forgotten` counts what is let go.
    """

    def __init__(self) -> None:
        self._by_fingerprint: dict[str, list[Acknowledgement]] = {}
        self.forgotten = 0

    def apply(self, event: Event) -> bool:
        """Take in `alert.acknowledged` or `alert.unacknowledged`; False when it is known already.

        Raises:
            MalformedAlertEventError: the event does not say which alert is meant.
        """
        alert = alert_of(event)
        said = Acknowledgement(
            at=event.inserted_at,
            number=event.id.int,
            since=alert.since,
            by=event.actor_id or str(event.actor_type),
            comment=text_in(event.metadata, "comment"),
            is_taken_back=event.event_type != ACKNOWLEDGED,
        )
        known = self._by_fingerprint.setdefault(alert.fingerprint, [])
        if said in known:
            return False
        insort(known, said)
        if len(known) > STATEMENTS_MAX:
            del known[0]
            self.forgotten += 1
        if len(self._by_fingerprint) > ALERTS_MAX + ALERTS_MAX // 4:
            self._forget()
        return True

    def by_episode(
        self, fingerprint: str, episodes: Sequence[AlertEpisode]
    ) -> dict[int, list[Acknowledgement]]:
        """What was said of each episode, by its number, in the order of time."""
        said: defaultdict[int, list[Acknowledgement]] = defaultdict(list)
        for statement in self._by_fingerprint.get(fingerprint, ()):
            number = _meant(statement, episodes)
            if number is not None:
                said[number].append(statement)
        return said

    def present(self, fingerprint: str, episodes: Sequence[AlertEpisode]) -> Acknowledgement | None:
        """The acknowledgement that holds in the last episode: said of it, or of one before in the same flapping."""
        if fingerprint not in self._by_fingerprint or not episodes:
            return None
        said = self.by_episode(fingerprint, episodes)
        number = len(episodes) - 1
        while number not in said:
            if not goes_on(episodes, number):
                return None
            number -= 1
        latest = said[number][-1]
        return None if latest.is_taken_back else latest

    def _forget(self) -> None:
        ordered = sorted(self._by_fingerprint.items(), key=lambda item: (item[1][-1], item[0]))
        for fingerprint, said in ordered[: len(ordered) - ALERTS_MAX]:
            self.forgotten += len(said)
            del self._by_fingerprint[fingerprint]


def _meant(said: Acknowledgement, episodes: Sequence[AlertEpisode]) -> int | None:
    """The episode that `said` names by its beginning; where none is known, the one in which it was said."""
    for number, episode in enumerate(episodes):
        if _is_named(said, episode):
            return number
    for number, episode in enumerate(episodes):
        if episode.since <= said.at and (episode.until is None or said.at < episode.until):
            return number
    return None


def _is_named(said: Acknowledgement, episode: AlertEpisode) -> bool:
    if said.since > said.at:
        # The clock of whoever told of the trouble runs ahead; but nobody means what is still to come.
        return abs(episode.since - said.since) <= SAME_WITHIN
    # Evaluators that know less of what went before have it begin later.
    has_begun = episode.since - said.since <= SAME_WITHIN
    return has_begun and (episode.until is None or said.since < episode.until or said.since == episode.since)

"""Past episodes of alerts: how long each lasted, who took care of it, and how soon."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.health.acknowledgements import Acknowledgements
from monitor.health.alert_record import AlertRecord
from monitor.health.engine import Alert
from store.event import Severity


@dataclass(frozen=True, slots=True)
class PastEpisode:
    """One recorded episode. `title` and `acknowledged_by` are raw text; `resolved` is None while it lasts.

    `acknowledged` is when that was said first, also when it was taken back later.
    """

    fingerprint: str
    rule: str
    title: str
    severity: Severity
    fired: datetime
    resolved: datetime | None
    acknowledged: datetime | None
    acknowledged_by: str
    alert: Alert | None = None
    """What it was of, as it was recorded last."""

    @property
    def shown_fingerprint(self) -> str:
        """The fingerprint as it may be shown."""
        return self.fingerprint if self.alert is None else self.alert.shown_fingerprint

    @property
    def to_acknowledge(self) -> timedelta | None:
        """How long nobody took care of it. Never below zero, though clocks differ."""
        return None if self.acknowledged is None else max(timedelta(), self.acknowledged - self.fired)

    @property
    def to_resolve(self) -> timedelta | None:
        """How long it lasted."""
        return None if self.resolved is None else self.resolved - self.fired


@dataclass(frozen=True, slots=True)
class ResponseTimes:
    """How the episodes of one rule went: how many, and means over those that were acknowledged, and resolved."""

    rule: str
    episodes: int
    acknowledged: int
    resolved: int
    mean_to_acknowledge: timedelta | None
    mean_to_resolve: timedelta | None


def past_episodes(record: AlertRecord, acknowledgements: Acknowledgements) -> list[PastEpisode]:
    """All recorded episodes, the one that began last first."""
    found: list[PastEpisode] = []
    for fingerprint, known in record:
        episodes = known.episodes()
        said = acknowledgements.by_episode(fingerprint, episodes)
        for number, episode in enumerate(episodes):
            first = next((one for one in said.get(number, ()) if not one.is_taken_back), None)
            found.append(
                PastEpisode(
                    fingerprint=fingerprint,
                    rule=known.alert.rule,
                    title=known.alert.title,
                    severity=known.alert.severity,
                    fired=episode.since,
                    resolved=episode.until,
                    acknowledged=None if first is None else first.at,
                    acknowledged_by="" if first is None else first.by,
                    alert=known.alert,
                )
            )
    return sorted(found, key=lambda episode: (episode.fired, episode.fingerprint), reverse=True)


def response_times(episodes: Iterable[PastEpisode]) -> list[ResponseTimes]:
    """How the rules of `episodes` went, by name."""
    by_rule: defaultdict[str, list[PastEpisode]] = defaultdict(list)
    for episode in episodes:
        by_rule[episode.rule].append(episode)
    return [_times(rule, by_rule[rule]) for rule in sorted(by_rule)]


def _times(rule: str, episodes: list[PastEpisode]) -> ResponseTimes:
    acknowledged = [span for episode in episodes if (span := episode.to_acknowledge) is not None]
    resolved = [span for episode in episodes if (span := episode.to_resolve) is not None]
    return ResponseTimes(
        rule=rule,
        episodes=len(episodes),
        acknowledged=len(acknowledged),
        resolved=len(resolved),
        mean_to_acknowledge=_mean(acknowledged),
        mean_to_resolve=_mean(resolved),
    )


def _mean(spans: list[timedelta]) -> timedelta | None:
    # In seconds: spans that events claim may add up to more than a `timedelta` holds.
    return timedelta(seconds=sum(span.total_seconds() for span in spans) / len(spans)) if spans else None

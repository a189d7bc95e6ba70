"""The event types evtop knows: their category, default severity and what they are about.

The taxonomy is data. Unknown event types are welcome: their category is the first word of their name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

SeverityName = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True)
class EventType:
    """What is known of one event type before any such event is seen."""

    name: str
    category: str
    severity: SeverityName | None = "info"


class Taxonomy:
    """A set of known event types, with a rule for the ones it does not know."""

    def __init__(self, types: Iterable[EventType]) -> None:
        self._types: Mapping[str, EventType] = {known.name: known for known in types}

    def __contains__(self, event_type: object) -> bool:
        return event_type in self._types

    def __len__(self) -> int:
        return len(self._types)

    def names(self) -> tuple[str, ...]:
        """All known event types, in the order they were declared."""
        return tuple(self._types)

    def category_of(self, event_type: str) -> str:
        """The category of `event_type`; for an unknown type, the first word of its name."""
        known = self._types.get(event_type)
        return known.category if known else event_type.partition(".")[0][:64]

    def severity_of(self, event_type: str) -> SeverityName | None:
        """The default severity of `event_type`; `info` for an unknown one, error when it ends in `.failed`."""
        known = self._types.get(event_type)
        if known:
            return known.severity
        return "error" if event_type.endswith(".failed") else "info"


def _types(category: str, names: str, severity: SeverityName | None = "info") -> list[EventType]:
    return [EventType(name, category, severity) for name in names.split()]


SHIPPED = Taxonomy(
    [
        # A media application.
        *_types(
            "media", "media_item.added media_item.updated media_item.removed media_item.monitored_changed"
        ),
        *_types("media", "episode.monitored_changed season.monitored_changed"),
        *_types("downloads", "search.manual search.automatic"),
        *_types("downloads", "download.initiated download.completed download.cancelled"),
        *_types("downloads", "download.paused download.resumed"),
        *_types("downloads", "download.failed", "error"),
        *_types("library", "library.scan_started library.scan_completed"),
        *_types("library", "library.file_imported library.file_renamed"),
        *_types("system", "indexer.health_changed download_client.health_changed", "warning"),
        *_types("system", "job.executed"),
        *_types("system", "job.failed", "error"),
        *_types("auth", "user.login user.logout settings.changed"),
        # A catalogue site.
        *_types("interaction", "movie.viewed movie.downloaded movie.rated movie.liked movie.unliked"),
        *_types("interaction", "movie.watchlisted movie.unwatchlisted actor.viewed tag.viewed"),
        *_types("interaction", "search.performed recommendation.clicked"),
        *_types("admin", "featured.item.created featured.item.updated featured.item.removed"),
        # A media gateway's user activity (its CamelCase names, as noun.verb).
        *_types("activity", "search.query search_result.clicked content.viewed content.rated"),
        *_types("activity", "playback.started playback.paused playback.resumed playback.completed"),
        *_types("activity", "playback.abandoned profile.updated preference.changed"),
    ]
)
"""The types of the media application, the catalogue site and the media gateway that evtop was made for."""

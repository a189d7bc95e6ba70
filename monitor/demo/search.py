"""Search: asks the indexers for releases, and notices when one of them is slow or away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from monitor.demo.catalogue import GROUPS, INDEXERS, QUALITIES
from monitor.demo.media import MediaItem
from store.event import Severity
from store.recording import Actor, Records, Resource, fields_of

MIB = 1024 * 1024


class Health(StrEnum):
    """How a service that the application depends on is."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


HEALTH_SEVERITY = {
    Health.UP: Severity.INFO,
    Health.DEGRADED: Severity.WARNING,
    Health.DOWN: Severity.ERROR,
}


class IndexersUnavailableError(Exception):
    """An indexer gave no answer."""


@dataclass(frozen=True, slots=True)
class Release:
    """Something that can be downloaded; `episode` is None for a movie."""

    name: str
    episode: str | None
    quality: str
    size_bytes: int
    indexer: str
    seeders: int


class Search:
    """The indexers and their health."""

    def __init__(self, recorder: Records, random: Random) -> None:
        self._recorder = recorder
        self._random = random
        self.indexers: dict[str, Health] = dict.fromkeys(INDEXERS, Health.UP)

    def answering(self) -> list[str]:
        """The indexers that are not down."""
        return [name for name, health in self.indexers.items() if health is not Health.DOWN]

    def manual(self, item: MediaItem, episode: str | None, actor: Actor) -> list[Release]:
        """A user looks for `item`; returns what the indexers offer."""
        return self._search("search.manual", item, episode, actor, self.answering())

    def automatic(
        self, item: MediaItem, episode: str | None, actor: Actor, indexer: str | None = None
    ) -> list[Release]:
        """A job looks for `item`, at one `indexer` or at all of them."""
        asked = [name for name in self.answering() if indexer in (None, name)]
        return self._search("search.automatic", item, episode, actor, asked)

    def _search(
        self, event_type: str, item: MediaItem, episode: str | None, actor: Actor, indexers: list[str]
    ) -> list[Release]:
        offered = self._random.choice((0, 1, 2, 3, 5, 8)) if len(indexers) > 1 else len(indexers)
        releases = [self._release(item, episode, self._random.choice(indexers)) for _ in range(offered)]
        self._recorder.record(
            event_type,
            **fields_of(actor, item.resource, Resource("episode", episode) if episode else None),
            status="found" if releases else "no_results",
            severity=Severity.INFO if releases else Severity.WARNING,
            metadata={
                "query": item.title,
                "result_count": len(releases),
                "indexers": indexers,
                "duration_ms": self._random.randint(180, 2_400),
            },
        )
        return releases

    def _release(self, item: MediaItem, episode: str | None, indexer: str) -> Release:
        quality, size_mib = self._random.choice(QUALITIES)
        name = item.title.replace(" ", ".")
        part = episode.rpartition("-")[2].upper() if episode else str(item.year)
        return Release(
            name=f"{name}.{part}.{quality}-{self._random.choice(GROUPS)}",
            episode=episode,
            quality=quality,
            size_bytes=int(size_mib * self._random.uniform(0.7, 1.6) * MIB),
            indexer=indexer,
            seeders=self._random.randint(1, 340),
        )

    def sync(self) -> int:
        """Read the feeds of all indexers; returns how many new releases they carry.

        Raises:
            IndexersUnavailableError: an indexer is down.
        """
        silent = [name for name, health in self.indexers.items() if health is Health.DOWN]
        if silent:
            raise IndexersUnavailableError(f"{', '.join(silent)}: connection timed out after 30 s")
        return self._random.randint(0, 60)

    def set_health(self, indexer: str, health: Health, detail: str) -> None:
        """Take note of how an indexer is. Only a change is an event; `detail` says why."""
        before = self.indexers[indexer]
        if before is health:
            return
        self.indexers[indexer] = health
        self._recorder.record(
            "indexer.health_changed",
            **fields_of(resource=Resource("indexer", indexer)),
            status=health,
            severity=HEALTH_SEVERITY[health],
            metadata={
                "previous_status": str(before),
                "reason": detail,
                "response_ms": {Health.UP: 240, Health.DEGRADED: 8_200, Health.DOWN: 30_000}[health],
            },
        )

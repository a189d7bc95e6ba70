"""The story: incidents that come round every five minutes, an indexer outage first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from monitor.demo.catalogue import ADMINISTRATOR, CLIENTS, INDEXERS
from monitor.demo.jobs import LIBRARY_SCAN
from monitor.demo.search import Health
from monitor.demo.world import World
from store.recording import Actor

CYCLE = 300.0
"""Seconds from one telling of the story to the next."""
QUIET = (200.0, 260.0)
"""The quiet minute of each cycle."""
DOOMED_DOWNLOADS = 10
"""Downloads from the indexer that is about to go down: enough for an alert when they fail."""
SCANNED_FILES = 24

Action = Callable[[], object]
Beat = tuple[float, Action]
"""Something to do, so many seconds after the cycle began."""


class Story:
    """What goes wrong, and right again, in each cycle."""

    def __init__(self, world: World) -> None:
        self._world = world

    def beats(self, cycle: int) -> list[Beat]:
        """The beats of one cycle. Cycles take turns in which indexer and which client have trouble."""
        indexer = INDEXERS[cycle % len(INDEXERS)]
        client = CLIENTS[cycle % len(CLIENTS)]
        return [
            *self._outage(indexer),
            *self._flapping(client),
            *self._scan(),
            (142.0, partial(self._world.library.set_all_monitored, False, Actor.user(ADMINISTRATOR))),
            (146.0, partial(self._world.library.set_all_monitored, True, Actor.user(ADMINISTRATOR))),
            *self._full_backup_disk(),
        ]

    def _outage(self, indexer: str) -> list[Beat]:
        health = self._world.search.set_health
        return [
            *((8 + 0.6 * turn, partial(self._grab_from, indexer)) for turn in range(DOOMED_DOWNLOADS)),
            (12.0, partial(health, indexer, Health.DEGRADED, "responses take over 8 s")),
            (20.0, partial(health, indexer, Health.DOWN, "connection timed out after 30 s")),
            (66.0, partial(health, indexer, Health.DEGRADED, "answers again, slowly")),
            (78.0, partial(health, indexer, Health.UP, "responses take 240 ms")),
        ]

    def _grab_from(self, indexer: str) -> None:
        world, actor = self._world, Actor.job("rss-sync")
        item = world.some_item()
        for release in world.search.automatic(item, world.some_episode(item), actor, indexer):
            world.downloads.initiate(item, release, actor)

    def _scan(self) -> list[Beat]:
        begin, spacing, path = 122.0, 0.15, "/media"
        actor = Actor.job(LIBRARY_SCAN)
        duration = SCANNED_FILES * spacing
        return [
            (begin, partial(self._world.library.start_scan, path, actor)),
            *((begin + spacing * (turn + 0.5), self._import_found) for turn in range(SCANNED_FILES)),
            (begin + duration, partial(self._complete_scan, path, int(duration * 1_000))),
        ]

    def _import_found(self) -> None:
        world = self._world
        item = world.some_item()
        episode = world.some_episode(item)
        size_bytes = world.random.randrange(8 * 10**8, 6 * 10**9)
        path = f"/media/{item.id}/{episode or item.id}.mkv"
        world.library.import_file(item, episode, path, size_bytes, Actor.job(LIBRARY_SCAN))

    def _complete_scan(self, path: str, duration_ms: int) -> None:
        self._world.library.complete_scan(path, SCANNED_FILES, duration_ms, Actor.job(LIBRARY_SCAN))
        self._world.jobs.record_executed(LIBRARY_SCAN, duration_ms, files_imported=SCANNED_FILES)

    def _flapping(self, client: str) -> list[Beat]:
        health = self._world.downloads.set_client_health
        beats: list[Beat] = []
        for turn in range(4):
            at = 88.0 + 7 * turn
            beats.append((at, partial(health, client, Health.DOWN, "connection refused")))
            beats.append((at + 3, partial(health, client, Health.UP, "connected")))
        return beats

    def _full_backup_disk(self) -> list[Beat]:
        return [
            (168.0, partial(self._back_up, True)),
            (188.0, partial(self._back_up, False)),
        ]

    def _back_up(self, disk_full: bool) -> None:
        self._world.jobs.backup_disk_full = disk_full
        self._world.jobs.run("backup")

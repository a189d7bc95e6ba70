"""Downloads: a queue whose items progress in a client, complete, fail, and are paused, resumed or cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from monitor.demo.catalogue import CLIENTS, DOWNLOAD_ERRORS, HOSTILE_ERRORS
from monitor.demo.media import Library, MediaItem
from monitor.demo.search import HEALTH_SEVERITY, Health, Release, Search
from store.recording import Actor, Records, Resource, fields_of

QUEUE_LENGTH = 400
FAILURE_SHARE = 0.06
"""Downloads that fail although indexer and client are well."""
HOSTILE_SHARE = 0.5
"""Failures among these whose error quotes what a stranger wrote."""
MONITOR = Actor.job("download-monitor")


class Progress(StrEnum):
    """Where a download is."""

    DOWNLOADING = "downloading"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Download:
    """One item of the queue. It takes `duration` seconds, of which `elapsed` have passed."""

    id: str
    item: MediaItem
    release: Release
    client: str
    duration: float
    elapsed: float = 0.0
    status: Progress = Progress.DOWNLOADING

    @property
    def resource(self) -> Resource:
        """The download as events name it."""
        return Resource("download", self.id)

    @property
    def percent(self) -> int:
        """How much of it is there, 0 to 100."""
        return min(100, int(100 * self.elapsed / self.duration))


class Downloads:
    """The queue. Initiate, pause, resume and cancel are recorded here, where they are asked for.

    That a download completed or failed is nobody's request: the monitor job finds out by `poll`.
    """

    def __init__(self, recorder: Records, library: Library, search: Search, random: Random) -> None:
        self._recorder = recorder
        self._library = library
        self._search = search
        self._random = random
        self.queue: dict[str, Download] = {}
        self.clients: dict[str, Health] = dict.fromkeys(CLIENTS, Health.UP)

    @property
    def full(self) -> bool:
        """Whether the queue takes no more."""
        return len(self.queue) >= QUEUE_LENGTH

    def some(self, status: Progress) -> Download | None:
        """Any download of the queue that is in `status`; None when there is none."""
        found = [download for download in self.queue.values() if download.status is status]
        return self._random.choice(found) if found else None

    def initiate(self, item: MediaItem, release: Release, actor: Actor) -> Download:
        """Hand `release` to a client."""
        download = Download(
            id=f"{self._random.getrandbits(32):08x}",
            item=item,
            release=release,
            client=self._random.choice(CLIENTS),
            duration=self._random.uniform(20, 60),
        )
        self.queue[download.id] = download
        self._say(
            "initiated",
            download,
            actor,
            quality=release.quality,
            size_bytes=release.size_bytes,
            indexer=release.indexer,
            seeders=release.seeders,
            client=download.client,
        )
        return download

    def pause(self, download: Download, actor: Actor) -> None:
        """Stop `download` for now."""
        download.status = Progress.PAUSED
        self._say("paused", download, actor, percent=download.percent)

    def resume(self, download: Download, actor: Actor) -> None:
        """Go on with a paused `download`."""
        download.status = Progress.DOWNLOADING
        self._say("resumed", download, actor, percent=download.percent)

    def cancel(self, download: Download, actor: Actor) -> None:
        """Give `download` up."""
        download.status = Progress.CANCELLED
        self.queue.pop(download.id, None)
        self._say("cancelled", download, actor, percent=download.percent)

    def poll(self, seconds: float) -> None:
        """The monitor job: ask the clients what became of the queue in the last `seconds`."""
        for download in list(self.queue.values()):
            if download.status is not Progress.DOWNLOADING or self.clients[download.client] is Health.DOWN:
                continue
            download.elapsed += seconds
            if self._search.indexers[download.release.indexer] is Health.DOWN:
                # Whatever came from the indexer loses its tracker, not all in the same moment.
                if self._random.random() < 0.1 * seconds:
                    self._fail(download, "tracker timed out")
            elif download.elapsed >= download.duration:
                if self._random.random() < FAILURE_SHARE:
                    hostile = self._random.random() < HOSTILE_SHARE
                    self._fail(download, self._random.choice(HOSTILE_ERRORS if hostile else DOWNLOAD_ERRORS))
                else:
                    self._complete(download)

    def set_client_health(self, client: str, health: Health, detail: str) -> None:
        """Take note of how a client is. Only a change is an event; `detail` says why."""
        before = self.clients[client]
        if before is health:
            return
        self.clients[client] = health
        self._recorder.record(
            "download_client.health_changed",
            **fields_of(resource=Resource("download_client", client)),
            status=health,
            severity=HEALTH_SEVERITY[health],
            metadata={
                "previous_status": str(before),
                "reason": detail,
                "waiting": sum(download.client == client for download in self.queue.values()),
            },
        )

    def _complete(self, download: Download) -> None:
        download.status = Progress.COMPLETED
        del self.queue[download.id]
        release = download.release
        self._say(
            "completed",
            download,
            MONITOR,
            quality=release.quality,
            size_bytes=release.size_bytes,
            duration_ms=int(download.elapsed * 1_000),
        )
        self._library.import_file(
            download.item,
            release.episode,
            f"/media/{download.item.id}/{release.name}.mkv",
            release.size_bytes,
            MONITOR,
        )

    def _fail(self, download: Download, error: str) -> None:
        download.status = Progress.FAILED
        del self.queue[download.id]
        self._say(
            "failed",
            download,
            MONITOR,
            error=error,
            indexer=download.release.indexer,
            client=download.client,
            percent=download.percent,
        )

    def _say(self, verb: str, download: Download, actor: Actor, **metadata: object) -> None:
        """Record what became of `download`. The title or episode it brings is the secondary resource."""
        episode = download.release.episode
        brought = Resource("episode", episode) if episode else download.item.resource
        self._recorder.record(
            f"download.{verb}",
            **fields_of(actor, download.resource, brought),
            status=download.status,
            metadata={
                "title": download.release.name,
                **metadata,
            },
        )

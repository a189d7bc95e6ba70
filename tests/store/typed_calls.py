"""An application's own objects, and one call of each typed helper with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import PurePosixPath
from uuid import UUID

from store.event import Severity
from store.recording import Actor, Records
from store.typed import (
    AlertEvents,
    AuthEvents,
    CatalogueEvents,
    DownloadEvents,
    GatewayEvents,
    HealthState,
    LibraryEvents,
    MediaEvents,
    PrivacyEvents,
    SystemEvents,
    Visitor,
)

ANA = Actor.user("ana")
RSS = Actor.job("rss-sync")
VISITOR = Visitor("ana", "203.0.113.9", "Firefox/141.0", "phone", "eu-west")
GUEST = Visitor(ip="203.0.113.9")
CLIENT_ID = UUID(int=7)


class Kind(Enum):
    """What an application calls its media types."""

    SERIES = "series"
    MOVIE = "movie"


@dataclass
class Item:
    """A mutable object of the application, with more than the events need."""

    id: int
    type: str
    title: str
    year: int | None = None
    quality_profile: str | None = None
    monitored: bool = True
    owner: object = None


@dataclass(frozen=True)
class Part:
    """An episode."""

    id: str
    series: Item


@dataclass(frozen=True)
class Season:
    """A season."""

    id: str
    number: int
    series: Item
    episode_count: int


@dataclass(frozen=True)
class Grab:
    """A download."""

    id: UUID
    title: str
    work: Item | Part
    size_bytes: int = 4_000
    client: str = "seedbox"
    percent: int = 40


@dataclass(frozen=True)
class Found:
    """A search result."""

    title: str
    indexer: str
    size_bytes: int
    quality: str
    seeders: int


@dataclass(frozen=True)
class Named:
    """An indexer, a client, a person or a tag."""

    id: str | UUID
    name: str


@dataclass(frozen=True)
class Playing:
    """A playback."""

    id: str
    content: Item
    position_s: float
    length_s: float


@dataclass(frozen=True)
class Trouble:
    """An alert."""

    fingerprint: str
    rule: str
    severity: Severity
    title: str
    resource: tuple[str, str | None] | None
    since: datetime
    count: int
    labels: tuple[tuple[str, str], ...] = ()
    runbook: str = ""


SERIES = Item(3, "series", "Brackwater", 2017, "HD-1080p")
MOVIE = Item(9, "movie", "Velvet Turbine", 2019)
EPISODE = Part("brackwater-s02e01", SERIES)
GRAB = Grab(UUID(int=1), "Brackwater.S02E01.1080p-MOSS", EPISODE)
RESULT = Found("Brackwater.S02E01.1080p-MOSS", "tidepool", 5_000, "1080p", 31)
PERSON = Named("mei-lindqvist", "Mei Lindqvist")
WATCHED = Playing("p1", MOVIE, 5_400, 6_000)
FIVE_PAST = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)
TROUBLE = Trouble(
    "component-down:client/qbt",
    "component-down",
    Severity.ERROR,
    "client/qbt is down",
    ("client", "qbt"),
    FIVE_PAST,
    3,
    (("region", "eu-west"),),
    "https://wiki.example/clients",
)
GRABBED = PurePosixPath("/media/brackwater/s02e01.mkv")

CALLS: dict[str, Callable[[Records], bool]] = {
    "media_item.added": lambda to: MediaEvents(to).item_added(SERIES, ANA),
    "media_item.updated": lambda to: MediaEvents(to).item_updated(
        SERIES, ANA, changes={"quality_profile": ("HD-720p", "HD-1080p")}
    ),
    "media_item.removed": lambda to: MediaEvents(to).item_removed(MOVIE, ANA, delete_files=True),
    "media_item.monitored_changed": lambda to: MediaEvents(to).item_monitored_changed(
        MOVIE, ANA, monitored=False
    ),
    "episode.monitored_changed": lambda to: MediaEvents(to).episode_monitored_changed(
        EPISODE, ANA, monitored=True
    ),
    "season.monitored_changed": lambda to: MediaEvents(to).season_monitored_changed(
        Season("brackwater-s02", 2, SERIES, 12), ANA, monitored=False
    ),
    "search.manual": lambda to: DownloadEvents(to).search_manual(
        EPISODE, ANA, result_count=3, indexers=["tidepool"], duration=0.25
    ),
    "search.automatic": lambda to: DownloadEvents(to).search_automatic(
        MOVIE, RSS, result_count=0, query="velvet"
    ),
    "download.initiated": lambda to: DownloadEvents(to).download_initiated(GRAB, RESULT, ANA),
    "download.completed": lambda to: DownloadEvents(to).download_completed(
        GRAB, RSS, duration=timedelta(seconds=40)
    ),
    "download.failed": lambda to: DownloadEvents(to).download_failed(GRAB, "no seeders\nfor 30 minutes"),
    "download.cancelled": lambda to: DownloadEvents(to).download_cancelled(GRAB, ANA),
    "download.paused": lambda to: DownloadEvents(to).download_paused(GRAB, ANA),
    "download.resumed": lambda to: DownloadEvents(to).download_resumed(GRAB, ANA),
    "library.scan_started": lambda to: LibraryEvents(to).scan_started("/media", RSS),
    "library.scan_completed": lambda to: LibraryEvents(to).scan_completed(
        PurePosixPath("/media"), RSS, files_imported=2, files_total=40, duration=3.6, library="films"
    ),
    "library.file_imported": lambda to: LibraryEvents(to).file_imported(
        EPISODE, RSS, path=GRABBED, size_bytes=4_000
    ),
    "library.file_renamed": lambda to: LibraryEvents(to).file_renamed(
        MOVIE, before="/media/a.mkv", after="/media/b.mkv"
    ),
    "indexer.health_changed": lambda to: SystemEvents(to).indexer_health_changed(
        Named("tidepool", "Tide Pool"),
        HealthState.DOWN,
        previous=HealthState.DEGRADED,
        reason="timed out",
        response_ms=30_000,
    ),
    "download_client.health_changed": lambda to: SystemEvents(to).download_client_health_changed(
        Named(CLIENT_ID, "Seedbox"), "up", previous="down", waiting=4
    ),
    "job.executed": lambda to: SystemEvents(to).job_executed(
        "cleanup", duration=1.5, attempt=1, figures={"files_deleted": 12}
    ),
    "job.cancelled": lambda to: SystemEvents(to).job_cancelled("backup", "shutdown", duration=2),
    "job.failed": lambda to: SystemEvents(to).job_failed(
        "backup", OSError(28, "No space left on device"), attempt=2
    ),
    "user.login": lambda to: AuthEvents(to).user_login(VISITOR),
    "user.logout": lambda to: AuthEvents(to).user_logout(VISITOR),
    "settings.changed": lambda to: AuthEvents(to).settings_changed(
        "downloads.max_active", ANA, before=3, after=5
    ),
    "movie.viewed": lambda to: CatalogueEvents(to).movie_viewed(MOVIE, GUEST),
    "movie.downloaded": lambda to: CatalogueEvents(to).movie_downloaded(
        MOVIE, VISITOR, size_bytes=10, quality="720p"
    ),
    "movie.rated": lambda to: CatalogueEvents(to).movie_rated(MOVIE, VISITOR, rating=8.5),
    "movie.liked": lambda to: CatalogueEvents(to).movie_liked(MOVIE, VISITOR),
    "movie.unliked": lambda to: CatalogueEvents(to).movie_unliked(MOVIE, VISITOR),
    "movie.watchlisted": lambda to: CatalogueEvents(to).movie_watchlisted(MOVIE, VISITOR),
    "movie.unwatchlisted": lambda to: CatalogueEvents(to).movie_unwatchlisted(MOVIE, VISITOR),
    "actor.viewed": lambda to: CatalogueEvents(to).actor_viewed(PERSON, GUEST),
    "tag.viewed": lambda to: CatalogueEvents(to).tag_viewed(Named("noir", "Noir"), GUEST),
    "search.performed": lambda to: CatalogueEvents(to).search_performed(
        "harbor", GUEST, result_count=0, entity_type="movie", filters={"year_from": 2015}
    ),
    "recommendation.shown": lambda to: CatalogueEvents(to).recommendation_shown(
        VISITOR, count=12, place="home-row-1"
    ),
    "recommendation.clicked": lambda to: CatalogueEvents(to).recommendation_clicked(
        MOVIE, VISITOR, place="home-row-1", rank=2
    ),
    "featured.item.created": lambda to: CatalogueEvents(to).featured_item_created("home-hero", MOVIE, ANA),
    "featured.item.updated": lambda to: CatalogueEvents(to).featured_item_updated("home-hero", MOVIE, ANA),
    "featured.item.removed": lambda to: CatalogueEvents(to).featured_item_removed("home-hero", MOVIE, ANA),
    "search.query": lambda to: GatewayEvents(to).search_query("heron", VISITOR, result_count=4),
    "search_result.clicked": lambda to: GatewayEvents(to).search_result_clicked(
        MOVIE, VISITOR, query="heron", rank=1
    ),
    "content.viewed": lambda to: GatewayEvents(to).content_viewed(SERIES, VISITOR),
    "content.rated": lambda to: GatewayEvents(to).content_rated(MOVIE, VISITOR, rating=7),
    "playback.started": lambda to: GatewayEvents(to).playback_started(
        Playing("p1", MOVIE, 0, 6_000), VISITOR
    ),
    "playback.paused": lambda to: GatewayEvents(to).playback_paused(WATCHED, VISITOR),
    "playback.resumed": lambda to: GatewayEvents(to).playback_resumed(WATCHED, VISITOR),
    "playback.completed": lambda to: GatewayEvents(to).playback_completed(WATCHED, VISITOR),
    "playback.abandoned": lambda to: GatewayEvents(to).playback_abandoned(
        Playing("p1", MOVIE, 600, 6_000), VISITOR
    ),
    "profile.updated": lambda to: GatewayEvents(to).profile_updated(VISITOR, fields=("avatar",)),
    "preference.changed": lambda to: GatewayEvents(to).preference_changed(
        "autoplay", VISITOR, before=None, after=True
    ),
    "alert.fired": lambda to: AlertEvents(to).alert_fired(TROUBLE),
    "alert.resolved": lambda to: AlertEvents(to).alert_resolved(TROUBLE),
    "alert.acknowledged": lambda to: AlertEvents(to).alert_acknowledged(TROUBLE, ANA, comment="on it"),
    "alert.unacknowledged": lambda to: AlertEvents(to).alert_unacknowledged(TROUBLE, ANA),
    "alert.silenced": lambda to: AlertEvents(to).alert_silenced(
        "c0ffee01",
        ANA,
        query="resource:client/qbt",
        starts=FIVE_PAST,
        ends=FIVE_PAST + timedelta(hours=2),
        comment="new disks",
    ),
    "actor.erased": lambda to: PrivacyEvents(to).actor_erased(
        "user", "erased-k3v9", ANA, counts={"events": 3}
    ),
    "alert.silence_ended": lambda to: AlertEvents(to).alert_silence_ended(
        "c0ffee01", ANA, query="resource:client/qbt"
    ),
}
"""By event type: the call that records it."""

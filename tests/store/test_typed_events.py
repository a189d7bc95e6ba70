"""Each shipped event type has its call; all of them give events of a documented shape."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest

from monitor.health.components import State, state_of
from monitor.model.summary import summarise
from store import typed
from store.event import Event, Severity
from store.recorder import Recorder
from store.taxonomy import SHIPPED
from store.typed import AuthEvents, DownloadEvents, GatewayEvents, SystemEvents, TypedEvents, Visitor
from store.typed.gateway import watched_share
from tests.store.recorded import Recorded
from tests.store.typed_calls import ANA, CALLS, GRAB, MOVIE, RSS, Grab, Item, Named, Playing

AREAS = [
    value
    for value in vars(typed).values()
    if isinstance(value, type) and issubclass(value, TypedEvents) and value is not TypedEvents
]
FROM = {"ip": "203.0.113.9", "user_agent": "Firefox/141.0", "device_id": "phone", "region": "eu-west"}
OF_TROUBLE = {
    "fingerprint": "component-down:client/qbt",
    "rule": "component-down",
    "title": "client/qbt is down",
    "severity": "error",
    "labels": {"region": "eu-west"},
    "since": "2026-11-21T14:05:00+00:00",
    "count": 3,
    "runbook": "https://wiki.example/clients",
}
GUEST_FROM = {"ip": "203.0.113.9"}


def recorded_by(event_type: str) -> Event:
    recorder = Recorded()
    assert CALLS[event_type](recorder) is True
    assert recorder.only.event_type == event_type
    return recorder.only


def test_each_shipped_type_has_one_call_and_no_call_another_type() -> None:
    types = [
        vars(method)["event_type"]
        for area in AREAS
        for _, method in inspect.getmembers(area, inspect.isfunction)
        if "event_type" in vars(method)
    ]
    assert sorted(types) == sorted(SHIPPED.names())
    assert sorted(CALLS) == sorted(SHIPPED.names())


def test_each_call_and_area_is_documented_and_answers_with_a_bool() -> None:
    for area in AREAS:
        assert area.__doc__
        for name, method in inspect.getmembers(area, inspect.isfunction):
            event_type = vars(method).get("event_type")
            if event_type is not None:
                assert method.__doc__, name
                assert "\n" not in method.__doc__, name
                assert inspect.signature(method).return_annotation in (bool, "bool"), name
                assert event_type in (area.__doc__ + _families(area.__doc__)), name


def _families(doc: str) -> str:
    """The types that a line such as "every `movie.*`" stands for."""
    return " ".join(name for name in SHIPPED.names() if f"`{name.rpartition('.')[0]}.*`" in doc)


@pytest.mark.parametrize("event_type", SHIPPED.names())
def test_category_and_severity_are_the_taxonomys_unless_they_depend(event_type: str) -> None:
    event = recorded_by(event_type)
    assert event.category == SHIPPED.category_of(event_type)
    depends = event_type.endswith("health_changed") or event_type.startswith("search.")
    assert depends or event.severity == SHIPPED.severity_of(event_type)
    assert event.resource_type
    assert event.resource_id
    assert "unreadable" not in event.metadata


@pytest.mark.parametrize("event_type", SHIPPED.names())
def test_the_taxonomy_admits_what_a_call_records(event_type: str) -> None:
    event = recorded_by(event_type)
    assert SHIPPED.admit(event) is event


def test_the_recorder_stores_what_the_calls_record(tmp_path: Path) -> None:
    recorder = Recorder(f"sqlite:///{tmp_path / 'events.db'}")
    try:
        for event_type, call in CALLS.items():
            assert call(recorder) is True, event_type
        assert recorder.flush(10)
    finally:
        recorder.close(10)
    stats = recorder.stats()
    assert stats.stored == len(CALLS), stats


SHAPES: list[tuple[str, str, str, str | None, str | None, dict[str, Any]]] = [
    (
        "media_item.added",
        "user:ana",
        "series/3",
        None,
        None,
        {"title": "Brackwater", "year": 2017, "quality_profile": "HD-1080p", "monitored": True},
    ),
    (
        "media_item.updated",
        "user:ana",
        "series/3",
        None,
        None,
        {"title": "Brackwater", "changes": {"quality_profile": ["HD-720p", "HD-1080p"]}},
    ),
    (
        "media_item.removed",
        "user:ana",
        "movie/9",
        None,
        None,
        {"title": "Velvet Turbine", "delete_files": True},
    ),
    (
        "episode.monitored_changed",
        "user:ana",
        "series/3",
        "episode/brackwater-s02e01",
        None,
        {"title": "Brackwater", "monitored": True},
    ),
    (
        "season.monitored_changed",
        "user:ana",
        "series/3",
        "season/brackwater-s02",
        None,
        {"title": "Brackwater", "season": 2, "monitored": False, "episode_count": 12},
    ),
    (
        "search.manual",
        "user:ana",
        "series/3",
        "episode/brackwater-s02e01",
        "found",
        {"query": "Brackwater", "result_count": 3, "indexers": ["tidepool"], "duration_ms": 250},
    ),
    (
        "search.automatic",
        "job:rss-sync",
        "movie/9",
        None,
        "no_results",
        {"query": "velvet", "result_count": 0},
    ),
    (
        "download.initiated",
        "user:ana",
        f"download/{GRAB.id}",
        "episode/brackwater-s02e01",
        "downloading",
        {
            "title": "Brackwater.S02E01.1080p-MOSS",
            "quality": "1080p",
            "size_bytes": 5_000,
            "indexer": "tidepool",
            "seeders": 31,
            "client": "seedbox",
        },
    ),
    (
        "download.completed",
        "job:rss-sync",
        f"download/{GRAB.id}",
        "episode/brackwater-s02e01",
        "completed",
        {
            "title": "Brackwater.S02E01.1080p-MOSS",
            "size_bytes": 4_000,
            "duration_ms": 40_000,
            "client": "seedbox",
        },
    ),
    (
        "download.failed",
        "system",
        f"download/{GRAB.id}",
        "episode/brackwater-s02e01",
        "failed",
        {
            "title": "Brackwater.S02E01.1080p-MOSS",
            "error": "no seeders for 30 minutes",
            "percent": 40,
            "client": "seedbox",
        },
    ),
    (
        "library.scan_completed",
        "job:rss-sync",
        "library/films",
        None,
        "completed",
        {"path": "/media", "files_imported": 2, "files_total": 40, "duration_ms": 3_600},
    ),
    (
        "library.file_imported",
        "job:rss-sync",
        "series/3",
        "episode/brackwater-s02e01",
        "imported",
        {"title": "Brackwater", "path": "/media/brackwater/s02e01.mkv", "size_bytes": 4_000},
    ),
    (
        "indexer.health_changed",
        "system",
        "indexer/tidepool",
        None,
        "down",
        {"name": "Tide Pool", "previous_status": "degraded", "reason": "timed out", "response_ms": 30_000},
    ),
    (
        "job.executed",
        "job:cleanup",
        "job/cleanup",
        None,
        "completed",
        {"files_deleted": 12, "duration_ms": 1_500, "attempt": 1},
    ),
    (
        "job.cancelled",
        "job:backup",
        "job/backup",
        None,
        "cancelled",
        {"reason": "shutdown", "duration_ms": 2_000},
    ),
    (
        "job.failed",
        "job:backup",
        "job/backup",
        None,
        "failed",
        {"error": "OSError: [Errno 28] No space left on device", "attempt": 2},
    ),
    ("user.login", "user:ana", "user/ana", None, "succeeded", FROM),
    (
        "settings.changed",
        "user:ana",
        "settings/downloads.max_active",
        None,
        None,
        {"before": 3, "after": 5},
    ),
    (
        "movie.viewed",
        "user",
        "movie/9",
        None,
        None,
        {**GUEST_FROM, "title": "Velvet Turbine", "year": 2019},
    ),
    (
        "movie.rated",
        "user:ana",
        "movie/9",
        None,
        None,
        {**FROM, "title": "Velvet Turbine", "year": 2019, "rating": 8.5},
    ),
    (
        "actor.viewed",
        "user",
        "actor/mei-lindqvist",
        None,
        None,
        {**GUEST_FROM, "name": "Mei Lindqvist"},
    ),
    (
        "search.performed",
        "user",
        "search/catalogue",
        None,
        "no_results",
        {
            **GUEST_FROM,
            "query": "harbor",
            "entity_type": "movie",
            "filters": {"year_from": 2015},
            "result_count": 0,
        },
    ),
    (
        "featured.item.created",
        "user:ana",
        "featured_item/home-hero",
        "movie/9",
        None,
        {"title": "Velvet Turbine"},
    ),
    (
        "playback.completed",
        "user:ana",
        "movie/9",
        "playback/p1",
        None,
        {**FROM, "title": "Velvet Turbine", "position_s": 5_400, "length_s": 6_000, "watched": 0.9},
    ),
    ("preference.changed", "user:ana", "user/ana", None, None, {**FROM, "key": "autoplay", "after": True}),
    ("alert.fired", "system:component-down", "client/qbt", None, None, OF_TROUBLE),
    ("alert.acknowledged", "user:ana", "client/qbt", None, None, {**OF_TROUBLE, "comment": "on it"}),
    (
        "alert.silenced",
        "user:ana",
        "silence/c0ffee01",
        None,
        None,
        {
            "query": "resource:client/qbt",
            "comment": "new disks",
            "starts": "2026-11-21T14:05:00+00:00",
            "ends": "2026-11-21T16:05:00+00:00",
        },
    ),
]


@pytest.mark.parametrize(
    ("event_type", "actor", "resource", "secondary", "status", "metadata"),
    SHAPES,
    ids=[shape[0] for shape in SHAPES],
)
def test_the_shape_of_an_event(
    event_type: str,
    actor: str,
    resource: str,
    secondary: str | None,
    status: str | None,
    metadata: dict[str, Any],
) -> None:
    event = recorded_by(event_type)
    assert (event.actor, event.resource, event.secondary_resource, event.status) == (
        actor,
        resource,
        secondary,
        status,
    )
    assert event.metadata == metadata


@pytest.mark.parametrize(
    ("event_type", "summary"),
    [
        ("download.failed", "no seeders for 30 minutes · Brackwater.S02E01.1080p-MOSS"),
        ("indexer.health_changed", "degraded → down · timed out · Tide Pool"),
        ("download_client.health_changed", "down → up · Seedbox"),
        ("search.automatic", "no_results · velvet"),
        ("job.failed", "OSError: [Errno 28] No space left on device"),
        ("movie.viewed", "Velvet Turbine"),
    ],
)
def test_the_console_finds_in_an_event_what_it_shows(event_type: str, summary: str) -> None:
    assert summarise(recorded_by(event_type)) == summary


@pytest.mark.parametrize(
    ("state", "severity", "shown"),
    [
        ("healthy", Severity.INFO, State.UP),
        ("up", Severity.INFO, State.UP),
        ("degraded", Severity.WARNING, State.DEGRADED),
        ("Degraded ", Severity.WARNING, State.DEGRADED),
        ("down", Severity.ERROR, State.DOWN),
        ("offline", Severity.ERROR, State.DOWN),
        ("flapping", Severity.WARNING, State.DEGRADED),
    ],
)
def test_severity_of_a_health_event_follows_the_state(state: str, severity: Severity, shown: State) -> None:
    recorder = Recorded()
    SystemEvents(recorder).indexer_health_changed(Named("tidepool", "Tide Pool"), state)
    assert recorder.only.severity is severity
    assert state_of(recorder.only) is shown


def test_a_search_without_results_is_a_warning() -> None:
    recorder = Recorded()
    searches = DownloadEvents(recorder)
    searches.search_manual(MOVIE, ANA, result_count=0)
    searches.search_manual(MOVIE, ANA, result_count=2)
    assert [(event.status, event.severity) for event in recorder.events] == [
        ("no_results", Severity.WARNING),
        ("found", Severity.INFO),
    ]


def test_a_download_of_a_movie_has_the_movie_as_secondary_resource() -> None:
    recorder = Recorded()
    DownloadEvents(recorder).download_initiated(Grab(GRAB.id, "Velvet", MOVIE), None, RSS)
    assert recorder.only.secondary_resource == "movie/9"
    assert recorder.only.metadata == {"title": "Velvet", "size_bytes": 4_000, "client": "seedbox"}


@pytest.mark.parametrize(
    ("key", "secret", "hidden"),
    [
        ("indexer.api_key", False, True),
        ("smtpPassword", False, True),
        ("downloads.max_active", False, False),
        ("naming", True, True),
        ("tokens_shown", False, False),
        ("author", False, False),
    ],
)
def test_secret_settings_do_not_reach_an_event(key: str, secret: bool, hidden: bool) -> None:
    recorder = Recorded()
    AuthEvents(recorder).settings_changed(key, ANA, before="hunter1", after="hunter2", secret=secret)
    GatewayEvents(recorder).preference_changed(
        key, Visitor("ana"), before="hunter1", after="hunter2", secret=secret
    )
    for event in recorder.events:
        expected = "(redacted)" if hidden else "hunter2"
        assert event.metadata["after"] == expected
        assert ("hunter" in str(event.metadata)) is not hidden


def test_secrets_within_a_value_do_not_reach_an_event_either() -> None:
    recorder = Recorded()
    AuthEvents(recorder).settings_changed(
        "indexers",
        ANA,
        before=None,
        after=[{"url": "https://x", "apiKey": "hunter2", "auth": {"token": ["a"]}}],
    )
    assert recorder.only.metadata == {
        "after": [{"url": "https://x", "apiKey": "(redacted)", "auth": {"token": "(redacted)"}}]
    }


@pytest.mark.parametrize(
    ("position", "length", "watched"),
    [
        (5_400, 6_000, 0.9),
        (5_399, 6_000, 0.899),
        (5_399.99, 6_000.0, 0.899),
        (6.3, 7, 0.9),
        (7_000, 6_000, 1.0),
        (-5, 6_000, 0.0),
        (5, 0, None),
        (5, -1, None),
        (float("nan"), 10, None),
        (10, float("nan"), None),
        (float("inf"), 10, None),
        (10, float("inf"), 0.0),
        (10**400, 1.5, None),
        (10**400, 1, None),
        ("5", 10, None),
        (None, None, None),
    ],
)
def test_completed_means_that_nine_tenths_were_watched(
    position: Any, length: Any, watched: float | None
) -> None:
    assert watched_share(position, length) == watched
    recorder = Recorded()
    gateway = GatewayEvents(recorder)
    playback = Playing("p1", MOVIE, position, length)
    complete = watched is not None and watched >= 0.9
    assert gateway.playback_completed(playback, Visitor("ana")) is complete
    assert gateway.playback_ended(playback, Visitor("ana")) is True
    verbs = ["completed", "completed"] if complete else ["abandoned"]
    assert [event.event_type for event in recorder.events] == [f"playback.{verb}" for verb in verbs]


def test_an_item_may_have_no_more_than_its_protocol_asks_for() -> None:
    class Bare:
        id, type, title = "x", "movie", "X"

    recorder = Recorded()
    assert typed.MediaEvents(recorder).item_added(Bare())
    assert recorder.only.metadata == {"title": "X"}
    assert isinstance(MOVIE, Item)

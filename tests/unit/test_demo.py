from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from monitor.demo.application import SimulatedApplication, seed_history
from monitor.demo.catalogue import HOSTILE_ERRORS, SERIES, USERS
from monitor.demo.downloads import Progress
from monitor.demo.media import Library
from monitor.demo.search import Health
from monitor.demo.tracking import SYSTEM, Tracking, job, user
from monitor.demo.world import World
from store.event import ActorType, Event, Severity
from store.events import EventStore
from store.taxonomy import SHIPPED

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MEDIA_APPLICATION_TYPES = {
    name
    for name in SHIPPED.names()
    if SHIPPED.category_of(name) in {"media", "downloads", "library", "system", "auth"}
}


class Recorder:
    """A tracker that keeps what it is given, and how it was given it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[int] = []

    async def create(self, event: Event) -> Event:
        self.events.append(event)
        return event

    async def create_many(self, events: Sequence[Event]) -> list[Event]:
        self.events.extend(events)
        self.batches.append(len(events))
        return list(events)


class Broken:
    """A tracker whose database is away."""

    async def create(self, event: Event) -> Event:
        raise OSError("database \x1b[31mis away")

    async def create_many(self, events: Sequence[Event]) -> list[Event]:
        raise OSError("database is away")


class Time:
    """A clock that only sleeping moves, and that stops `run` at its end."""

    def __init__(self, end: float) -> None:
        self.now = 0.0
        self.end = end
        self.stop = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += max(seconds, 1e-6)
        if self.now >= self.end:
            self.stop.set()


def application(
    tracker: Recorder | Broken, *, seed: int = 1, rate: float = 5.0, start: datetime | None = START
) -> SimulatedApplication:
    return SimulatedApplication(tracker, seed=seed, rate=rate, start=start)


async def first(seconds: float, *, seed: int = 1, rate: float = 5.0) -> list[Event]:
    """The events of the first seconds of simulated time."""
    simulated = application(Recorder(), seed=seed, rate=rate)
    events: list[Event] = []
    while not events or events[-1].inserted_at < START + timedelta(seconds=seconds):
        events += await simulated.step()
    return [event for event in events if event.inserted_at < START + timedelta(seconds=seconds)]


async def run_for(seconds: float, rate: float, tracker: Recorder | Broken) -> SimulatedApplication:
    time = Time(seconds)
    simulated = application(tracker, rate=rate)
    await simulated.run(clock=time.clock, sleep=time.sleep, stop=time.stop)
    return simulated


def world_on(tracker: Recorder | Broken) -> World:
    return World.build(Tracking(tracker, lambda: START), Random(1))


def without_ids(events: list[Event]) -> list[dict[str, object]]:
    return [event.model_dump(exclude={"id"}) for event in events]


async def test_the_same_seed_gives_the_same_events_at_the_same_times() -> None:
    assert without_ids(await first(400, seed=7)) == without_ids(await first(400, seed=7))


async def test_another_seed_gives_other_events() -> None:
    assert without_ids(await first(30, seed=7)) != without_ids(await first(30, seed=8))


async def test_what_happens_does_not_depend_on_whether_events_are_stored_or_on_the_time_of_day() -> None:
    async def happenings(simulated: SimulatedApplication) -> list[dict[str, object]]:
        events = [event for _ in range(1_000) for event in await simulated.step()]
        return [event.model_dump(exclude={"id", "inserted_at"}) for event in events]

    stored = await happenings(application(Recorder()))
    assert stored == await happenings(application(Broken()))
    assert stored == await happenings(application(Recorder(), start=None))


async def test_live_events_have_the_time_of_day() -> None:
    before = datetime.now(UTC)
    simulated = application(Recorder(), start=None)
    events = [event for _ in range(50) for event in await simulated.step()]
    assert len(events) > 40
    assert all(before <= event.inserted_at <= datetime.now(UTC) for event in events)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_event_type_of_the_media_application_occurs_within_ten_minutes(seed: int) -> None:
    seen = {event.event_type for event in await first(600, seed=seed)}
    assert len(MEDIA_APPLICATION_TYPES) >= 25
    assert seen >= MEDIA_APPLICATION_TYPES
    assert {
        "movie.viewed",
        "movie.liked",
        "search.performed",
        "playback.completed",
        "featured.item.created",
    } <= seen


async def test_events_spread_over_users_series_and_actors_and_name_their_episodes() -> None:
    events = await first(600)
    assert {event.actor_id for event in events if event.actor_type is ActorType.USER} == {None, *USERS}
    assert {event.resource_id for event in events if event.resource_type == "series"} >= {
        title.id for title in SERIES
    }
    assert {"system", "job:rss-sync"} <= {event.actor for event in events}
    episodes = [event for event in events if event.secondary_resource_type == "episode"]
    assert all("-s0" in (event.secondary_resource_id or "") for event in episodes)
    assert len(episodes) > 100


async def test_awkward_and_hostile_text_occurs_but_hostile_text_is_rare() -> None:
    events = [event for seed in range(4) for event in await first(600, seed=seed)]
    assert any("蓬莱 🏮 [REPACK]" in event.metadata.get("title", "") for event in events)
    hostile = [event for event in events if event.metadata.get("error") in HOSTILE_ERRORS]
    assert {event.event_type for event in hostile} == {"download.failed"}
    assert len(events) / 2_000 < len(hostile) < len(events) / 150


@pytest.mark.parametrize("seed", range(12))
async def test_two_minutes_tell_of_an_outage_failing_downloads_and_a_job_that_recovers(seed: int) -> None:
    events = await first(120, seed=seed)
    indexer = [event for event in events if event.event_type == "indexer.health_changed"]
    assert [event.status for event in indexer] == ["degraded", "down", "degraded", "up"]
    assert [event.severity for event in indexer] == ["warning", "error", "warning", "info"]
    assert len({event.resource for event in indexer}) == 1
    down, back = indexer[1].inserted_at, indexer[3].inserted_at
    failed = [
        event
        for event in events
        if event.event_type == "download.failed" and event.metadata["indexer"] == indexer[0].resource_id
    ]
    assert sum(down <= event.inserted_at <= back for event in failed) >= 5
    syncs = [event for event in events if event.resource == "job/rss-sync"]
    assert [event.status for event in syncs] == [
        "completed",
        "failed",
        "failed",
        "failed",
        "completed",
        "completed",
    ]


@pytest.mark.parametrize("cycle", [0, 1])
async def test_each_cycle_has_a_flapping_client_a_full_disk_and_a_quiet_minute(cycle: int) -> None:
    begin = START + timedelta(seconds=300 * cycle)
    events = [
        event for event in await first(600) if begin <= event.inserted_at < begin + timedelta(seconds=300)
    ]
    flaps = [event for event in events if event.event_type == "download_client.health_changed"]
    assert [event.status for event in flaps] == ["down", "up"] * 4
    full = next(event for event in events if event.resource == "job/backup" and event.status == "failed")
    assert "No space left on device" in full.metadata["error"]
    minutes = Counter((event.inserted_at - begin) // timedelta(minutes=1) for event in events)
    assert minutes[3] < 0.6 * (len(events) / 5)


async def test_a_scan_imports_a_burst_of_files_and_says_how_many() -> None:
    scan = [event for event in await first(120) if event.actor == "job:library-scan"]
    files = [event for event in scan if event.event_type == "library.file_imported"]
    assert scan[0].event_type == "library.scan_started"
    assert [event.event_type for event in scan[-2:]] == ["library.scan_completed", "job.executed"]
    assert scan[-2].metadata["files_imported"] == len(files) > 20
    assert files[-1].inserted_at - files[0].inserted_at < timedelta(seconds=5)


async def test_operations_succeed_though_their_events_fail(caplog: pytest.LogCaptureFixture) -> None:
    world = world_on(Broken())
    item = world.library.items["brackwater"]
    with caplog.at_level(logging.WARNING):
        await world.library.set_monitored(item, False, user("ana"))
        (release,) = await world.search.automatic(item, "brackwater-s01e01", job("rss-sync"), "orchard")
        download = await world.downloads.initiate(item, release, user("ana"))
        await world.downloads.pause(download, user("ana"))
    assert not item.monitored
    assert world.downloads.queue[download.id].status is Progress.PAUSED
    assert await world.jobs.run("cleanup")
    (record,) = caplog.records
    assert "\x1b" not in record.getMessage()


async def test_an_event_that_breaks_a_rule_is_lost_and_counted_not_raised() -> None:
    recorder = Recorder()
    tracking = Tracking(recorder, lambda: START)
    await tracking.track("not a type")
    await tracking.track("job.executed", metadata={"when": START})
    await tracking.track("job.executed")
    assert tracking.lost == 2
    assert [event.event_type for event in recorder.events] == ["job.executed"]


async def test_a_bulk_change_is_one_event_that_says_how_many() -> None:
    recorder = Recorder()
    library = Library(Tracking(recorder, lambda: START), SERIES)
    await library.set_monitored(library.items["brackwater"], False, user("ana"))
    recorder.events.clear()
    assert await library.set_all_monitored(False, user("ana")) == len(SERIES) - 1
    (event,) = recorder.events
    assert (event.event_type, event.actor) == ("media_item.monitored_changed", "user:ana")
    assert event.metadata["item_count"] == len(event.metadata["items"]) == len(SERIES) - 1
    assert "brackwater" not in event.metadata["items"]
    assert await library.set_all_monitored(False, user("ana")) == 0
    assert len(recorder.events) == 1


async def test_the_monitor_job_finds_what_completed_and_imports_it() -> None:
    recorder = Recorder()
    world = world_on(recorder)
    item = world.library.items["brackwater"]
    (release,) = await world.search.automatic(item, "brackwater-s01e01", SYSTEM, "orchard")
    download = await world.downloads.initiate(item, release, user("ana"))
    await world.downloads.poll(download.duration - 1)
    assert recorder.events[-1].event_type == "download.initiated"
    await world.downloads.poll(2)
    assert [event.event_type for event in recorder.events[-2:]] == [
        "download.completed",
        "library.file_imported",
    ]
    assert recorder.events[-2].actor == "job:download-monitor"
    assert not world.downloads.queue


async def test_downloads_wait_while_their_client_is_down_or_they_are_paused() -> None:
    recorder = Recorder()
    world = world_on(recorder)
    item = world.library.items["brackwater"]
    (release,) = await world.search.automatic(item, "brackwater-s01e01", SYSTEM, "orchard")
    download = await world.downloads.initiate(item, release, user("ana"))
    await world.downloads.set_client_health(download.client, Health.DOWN, "connection refused")
    await world.downloads.poll(1_000)
    await world.downloads.set_client_health(download.client, Health.UP, "connected")
    await world.downloads.pause(download, user("ana"))
    await world.downloads.poll(1_000)
    assert download.elapsed == 0
    assert download.id in world.downloads.queue


async def test_health_that_stays_the_same_is_no_event() -> None:
    recorder = Recorder()
    world = world_on(recorder)
    await world.search.set_health("orchard", Health.UP, "")
    await world.search.set_health("orchard", Health.DOWN, "timed out")
    await world.search.set_health("orchard", Health.DOWN, "timed out")
    await world.downloads.set_client_health("attic", Health.UP, "")
    assert [event.severity for event in recorder.events] == [Severity.ERROR]


@pytest.mark.parametrize(
    ("rate", "seconds", "batched"),
    [(0.5, 6_000, False), (5.0, 1_200, False), (2_000.0, 15, True), (20_000.0, 1, True)],
)
async def test_the_rate_is_held_and_high_rates_are_batched(
    rate: float, seconds: float, batched: bool
) -> None:
    recorder = Recorder()
    await run_for(seconds, rate, recorder)
    # Fifteen seconds lie within the busy part of a cycle, which is 1.2 times the average.
    assert 0.93 < len(recorder.events) / (rate * seconds) < 1.3
    if batched:
        assert max(recorder.batches) <= 500
        assert sum(recorder.batches) == len(recorder.events)
    else:
        assert not recorder.batches


async def test_run_does_each_thing_at_its_time() -> None:
    time = Time(60)
    recorder = Recorder()
    lateness: list[float] = []

    class Punctual(Recorder):
        async def create(self, event: Event) -> Event:
            lateness.append(time.now - (event.inserted_at - START).total_seconds())
            return await recorder.create(event)

    await application(Punctual()).run(clock=time.clock, sleep=time.sleep, stop=time.stop)
    assert len(lateness) > 200
    assert min(lateness) > -0.001
    assert max(lateness) < 0.01


async def test_a_short_delay_is_caught_up_with_and_a_long_one_is_skipped() -> None:
    async def delayed_by(seconds: float) -> int:
        time, recorder = Time(60 + seconds), Recorder()

        async def sleep(wanted: float) -> None:
            late = seconds if time.now < 30 <= time.now + wanted else 0.0
            await time.sleep(wanted + late)

        await application(recorder).run(clock=time.clock, sleep=sleep, stop=time.stop)
        return len(recorder.events)

    undisturbed = await delayed_by(0)
    assert await delayed_by(4) > undisturbed + 10
    assert abs(await delayed_by(3_600) - undisturbed) < 10


@pytest.mark.parametrize("rate", [5.0, 1_000.0])
async def test_a_broken_store_does_not_stop_the_application(rate: float) -> None:
    simulated = await run_for(4, rate, Broken())
    assert simulated.tracking.lost > 10


def test_history_is_in_the_past_sorted_and_unique() -> None:
    history = seed_history(6, seed=1, end=START)
    assert 4_500 < len(history) < 5_500
    times = [event.inserted_at for event in history]
    assert times == sorted(set(times))
    assert START - timedelta(hours=6) <= times[0]
    assert times[-1] < START
    assert times[0] - (START - timedelta(hours=6)) < timedelta(minutes=2) > START - times[-1]
    assert len({event.id for event in history}) == len(history)
    assert all(event.id.int >> 80 == int(event.inserted_at.timestamp() * 1_000) for event in history)


def test_history_is_the_same_for_the_same_seed_and_ends_before_now_by_itself() -> None:
    past = seed_history(2, seed=3, end=START)
    assert without_ids(past) == without_ids(seed_history(2, seed=3, end=START))
    assert seed_history(0.5, seed=3)[-1].inserted_at < datetime.now(UTC)


def test_history_is_busier_in_the_evening_and_leaves_nothing_broken() -> None:
    history = seed_history(24, seed=1, end=START)
    by_hour = Counter(event.inserted_at.hour for event in history)
    assert sum(by_hour[hour] for hour in range(18, 23)) > 1.5 * sum(by_hour[hour] for hour in range(6, 11))
    last = {event.resource: event.status for event in history if event.event_type.endswith("health_changed")}
    assert len(last) > 2
    assert set(last.values()) == {"up"}


async def test_the_present_shares_no_download_with_the_past_of_the_same_seed() -> None:
    def downloads(events: list[Event]) -> set[str | None]:
        return {event.resource_id for event in events if event.event_type == "download.initiated"}

    past = downloads(seed_history(6, seed=1, end=START))
    assert past
    assert past.isdisjoint(downloads(await first(600)))


async def test_the_event_store_takes_the_events_as_a_tracker() -> None:
    async with await EventStore.open("sqlite://") as store:
        simulated = SimulatedApplication(store, seed=1, rate=5.0, start=START)
        events = [event for _ in range(40) for event in await simulated.step()]
        assert simulated.tracking.lost == 0
        stored = await store.repository.get([event.id for event in events])
    assert {event.id for event in stored} == {event.id for event in events}


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_not_a_number_above_zero_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate must be"):
        application(Recorder(), rate=rate)


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        application(Recorder(), start=datetime(2026, 3, 1))


def test_only_an_application_in_simulated_time_can_be_rewound() -> None:
    with pytest.raises(ValueError, match="start"):
        application(Recorder(), start=None).rewind(1)

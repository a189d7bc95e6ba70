from __future__ import annotations

import asyncio
import signal
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import ClassVar, Unpack

import pytest

from monitor.demo import __main__ as demo
from monitor.demo.application import SLEEP_MIN, TURN_STEPS, SimulatedApplication, seed_history
from monitor.demo.catalogue import HOSTILE_ERRORS, SERIES, USERS
from monitor.demo.downloads import Progress
from monitor.demo.media import Library
from monitor.demo.search import Health
from monitor.demo.stamped_records import StampedRecords
from monitor.demo.world import World
from store.event import ActorType, Event, Severity
from store.events import EventStore
from store.recorder import Recorder
from store.recording import SYSTEM, Actor, EventFields, Records
from store.taxonomy import SHIPPED
from tests.store.recorded import Recorded
from tests.waiting import until

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Nobody ever stops one of its jobs.
MEDIA_APPLICATION_TYPES = {
    name
    for name in SHIPPED.names()
    if SHIPPED.category_of(name) in {"media", "downloads", "library", "system", "auth"}
} - {"job.cancelled"}


class Time:
    """A clock that only sleeping moves, and that stops `run` at its end."""

    def __init__(self, end: float) -> None:
        self.now = 0.0
        self.end = end
        self.naps = 0
        self.stop = asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.naps += 1
        self.now += seconds
        if self.now >= self.end:
            self.stop.set()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'events.db'}"


@pytest.fixture
def hopeless(tmp_path: Path) -> str:
    """A store that can never be opened, under a name that a terminal must not see as it is."""
    file = tmp_path / "no\x1b[31mfolder"
    file.touch()
    return f"sqlite:///{file / 'events.db'}"


async def stored_in(url: str) -> list[Event]:
    """The events in the order of their commits."""
    async with await EventStore.open(url) as store:
        return await store.repository.after(0, limit=100_000)


def application(
    recorder: Records, *, seed: int = 1, rate: float = 5.0, start: datetime | None = START
) -> SimulatedApplication:
    return SimulatedApplication(recorder, seed=seed, rate=rate, start=start)


def steps(simulated: SimulatedApplication, count: int) -> list[Event]:
    return [event for _ in range(count) for event in simulated.step()]


def first(seconds: float, *, seed: int = 1, rate: float = 5.0) -> list[Event]:
    """The events of the first seconds of simulated time."""
    simulated = application(Recorded(), seed=seed, rate=rate)
    events: list[Event] = []
    while not events or events[-1].inserted_at < START + timedelta(seconds=seconds):
        events += simulated.step()
    return [event for event in events if event.inserted_at < START + timedelta(seconds=seconds)]


async def run_for(seconds: float, rate: float, recorder: Records) -> Time:
    time = Time(seconds)
    await application(recorder, rate=rate).run(clock=time.clock, sleep=time.sleep, stop=time.stop)
    return time


def stamped(recorder: Records) -> StampedRecords:
    return StampedRecords(recorder, lambda: START)


def world_on(recorder: Records) -> World:
    return World.build(stamped(recorder), Random(1))


def without_ids(events: list[Event]) -> list[dict[str, object]]:
    return [event.model_dump(exclude={"id"}) for event in events]


def test_the_same_seed_gives_the_same_events_at_the_same_times() -> None:
    assert without_ids(first(400, seed=7)) == without_ids(first(400, seed=7))


def test_another_seed_gives_other_events() -> None:
    assert without_ids(first(30, seed=7)) != without_ids(first(30, seed=8))


def test_what_happens_does_not_depend_on_whether_events_are_stored_or_on_the_time_of_day() -> None:
    def happenings(simulated: SimulatedApplication) -> list[dict[str, object]]:
        return [event.model_dump(exclude={"id", "inserted_at"}) for event in steps(simulated, 1_000)]

    stored = happenings(application(Recorded()))
    assert stored == happenings(application(Recorded(broken=True)))
    assert stored == happenings(application(Recorded(), start=None))


def test_live_events_have_the_time_of_day() -> None:
    before = datetime.now(UTC)
    events = steps(application(Recorded(), start=None), 50)
    assert len(events) > 40
    assert all(before <= event.inserted_at <= datetime.now(UTC) for event in events)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_event_type_of_the_media_application_occurs_within_ten_minutes(seed: int) -> None:
    seen = {event.event_type for event in first(600, seed=seed)}
    assert len(MEDIA_APPLICATION_TYPES) >= 25
    assert seen >= MEDIA_APPLICATION_TYPES
    assert {
        "movie.viewed",
        "movie.liked",
        "search.performed",
        "playback.completed",
        "featured.item.created",
    } <= seen


def test_events_spread_over_users_series_and_actors_and_name_their_episodes() -> None:
    events = first(600)
    assert {event.actor_id for event in events if event.actor_type is ActorType.USER} == {None, *USERS}
    assert {event.resource_id for event in events if event.resource_type == "series"} >= {
        title.id for title in SERIES
    }
    assert {"system", "job:rss-sync"} <= {event.actor for event in events}
    episodes = [event for event in events if event.secondary_resource_type == "episode"]
    assert all("-s0" in (event.secondary_resource_id or "") for event in episodes)
    assert len(episodes) > 100


def test_awkward_and_hostile_text_occurs_but_hostile_text_is_rare() -> None:
    events = [event for seed in range(4) for event in first(600, seed=seed)]
    assert any("蓬莱 🏮 [REPACK]" in event.metadata.get("title", "") for event in events)
    hostile = [event for event in events if event.metadata.get("error") in HOSTILE_ERRORS]
    assert {event.event_type for event in hostile} == {"download.failed"}
    assert len(events) / 2_000 < len(hostile) < len(events) / 150


@pytest.mark.parametrize("seed", range(12))
def test_two_minutes_tell_of_an_outage_failing_downloads_and_a_job_that_recovers(seed: int) -> None:
    events = first(120, seed=seed)
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
def test_each_cycle_has_a_flapping_client_a_full_disk_and_a_quiet_minute(cycle: int) -> None:
    begin = START + timedelta(seconds=300 * cycle)
    events = [event for event in first(600) if begin <= event.inserted_at < begin + timedelta(seconds=300)]
    flaps = [event for event in events if event.event_type == "download_client.health_changed"]
    assert [event.status for event in flaps] == ["down", "up"] * 4
    full = next(event for event in events if event.resource == "job/backup" and event.status == "failed")
    assert "No space left on device" in full.metadata["error"]
    minutes = Counter((event.inserted_at - begin) // timedelta(minutes=1) for event in events)
    assert minutes[3] < 0.6 * (len(events) / 5)


def test_within_two_minutes_a_client_flaps() -> None:
    flaps = [event for event in first(120) if event.event_type == "download_client.health_changed"]
    assert [event.status for event in flaps] == ["down", "up"] * 4


def test_a_scan_imports_a_burst_of_files_and_says_how_many() -> None:
    scan = [event for event in first(140) if event.actor == "job:library-scan"]
    files = [event for event in scan if event.event_type == "library.file_imported"]
    assert scan[0].event_type == "library.scan_started"
    assert [event.event_type for event in scan[-2:]] == ["library.scan_completed", "job.executed"]
    assert scan[-2].metadata["files_imported"] == len(files) > 20
    assert files[-1].inserted_at - files[0].inserted_at < timedelta(seconds=5)


async def test_operations_succeed_though_their_events_cannot_be_stored(
    hopeless: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(hopeless)
    world = world_on(recorder)
    item = world.library.items["brackwater"]
    world.library.set_monitored(item, False, Actor.user("ana"))
    (release,) = world.search.automatic(item, "brackwater-s01e01", Actor.job("rss-sync"), "orchard")
    download = world.downloads.initiate(item, release, Actor.user("ana"))
    world.downloads.pause(download, Actor.user("ana"))
    assert not item.monitored
    assert world.downloads.queue[download.id].status is Progress.PAUSED
    assert world.jobs.run("cleanup")
    await until(lambda: recorder.stats().away)
    assert not recorder.close(0.1)
    away, closed = (record.getMessage() for record in caplog.records)
    assert "\x1b" not in away
    assert closed == "the recorder was closed, and 5 events could not be kept"
    stats = recorder.stats()
    assert (stats.balance, sum(stats.dropped.values())) == (0, 5)


def test_operations_succeed_though_their_events_are_dropped() -> None:
    world = world_on(Recorded(broken=True))
    item = world.library.items["brackwater"]
    world.library.set_monitored(item, False, Actor.user("ana"))
    assert not item.monitored
    assert world.jobs.run("cleanup")


def test_an_event_that_breaks_a_rule_is_refused_and_counted_not_raised(url: str) -> None:
    with Recorder(url) as recorder:
        records = stamped(recorder)
        records.record("not a type")
        records.record("job.executed", metadata={"big": "x" * 65_536})
        records.record("job.executed", metadata={"bigger": "x" * 300_000})
        records.record("job.executed")
        assert recorder.flush(10)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.dropped) == (1, 2, {"too large": 1})
    (event,) = records.take()
    assert (event.event_type, event.metadata) == ("job.executed", {})
    assert records.take() == []


def test_what_is_recorded_has_the_simulated_time_and_an_id_that_orders_like_it() -> None:
    moments = [START + timedelta(milliseconds=n) for n in range(3)]
    recorder = Recorded()
    records = StampedRecords(recorder, iter(moments).__next__)
    assert all(records.record("job.executed") for _ in moments)
    assert recorder.events == records.take()
    assert [event.inserted_at for event in recorder.events] == moments
    assert [event.id.int >> 80 for event in recorder.events] == [m.timestamp() * 1_000 for m in moments]
    assert {event.id.version for event in recorder.events} == {7}


def test_a_bulk_change_is_one_event_that_says_how_many() -> None:
    recorder = Recorded()
    library = Library(stamped(recorder), SERIES)
    library.set_monitored(library.items["brackwater"], False, Actor.user("ana"))
    recorder.events.clear()
    assert library.set_all_monitored(False, Actor.user("ana")) == len(SERIES) - 1
    (event,) = recorder.events
    assert (event.event_type, event.actor) == ("media_item.monitored_changed", "user:ana")
    assert event.metadata["item_count"] == len(event.metadata["items"]) == len(SERIES) - 1
    assert "brackwater" not in event.metadata["items"]
    assert library.set_all_monitored(False, Actor.user("ana")) == 0
    assert len(recorder.events) == 1


def test_the_monitor_job_finds_what_completed_and_imports_it() -> None:
    recorder = Recorded()
    world = world_on(recorder)
    item = world.library.items["brackwater"]
    (release,) = world.search.automatic(item, "brackwater-s01e01", SYSTEM, "orchard")
    download = world.downloads.initiate(item, release, Actor.user("ana"))
    world.downloads.poll(download.duration - 1)
    assert recorder.events[-1].event_type == "download.initiated"
    world.downloads.poll(2)
    assert [event.event_type for event in recorder.events[-2:]] == [
        "download.completed",
        "library.file_imported",
    ]
    assert recorder.events[-2].actor == "job:download-monitor"
    assert not world.downloads.queue


def test_downloads_wait_while_their_client_is_down_or_they_are_paused() -> None:
    recorder = Recorded()
    world = world_on(recorder)
    item = world.library.items["brackwater"]
    (release,) = world.search.automatic(item, "brackwater-s01e01", SYSTEM, "orchard")
    download = world.downloads.initiate(item, release, Actor.user("ana"))
    world.downloads.set_client_health(download.client, Health.DOWN, "connection refused")
    world.downloads.poll(1_000)
    world.downloads.set_client_health(download.client, Health.UP, "connected")
    world.downloads.pause(download, Actor.user("ana"))
    world.downloads.poll(1_000)
    assert download.elapsed == 0
    assert download.id in world.downloads.queue


def test_health_that_stays_the_same_is_no_event() -> None:
    recorder = Recorded()
    world = world_on(recorder)
    world.search.set_health("orchard", Health.UP, "")
    world.search.set_health("orchard", Health.DOWN, "timed out")
    world.search.set_health("orchard", Health.DOWN, "timed out")
    world.downloads.set_client_health("attic", Health.UP, "")
    assert [event.severity for event in recorder.events] == [Severity.ERROR]


@pytest.mark.parametrize(("rate", "seconds"), [(0.5, 6_000), (5.0, 1_200), (2_000.0, 15), (5_000.0, 4)])
async def test_the_rate_is_held_and_at_high_rates_much_is_done_in_one_go(rate: float, seconds: float) -> None:
    recorder = Recorded()
    time = await run_for(seconds, rate, recorder)
    # A few seconds lie within the busy part of a cycle, which is 1.2 times the average.
    assert 0.93 < len(recorder.events) / (rate * seconds) < 1.3
    assert time.naps <= seconds / SLEEP_MIN + 1


async def test_run_does_each_thing_at_its_time() -> None:
    time = Time(60)
    lateness: list[float] = []

    class Punctual(Recorded):
        def record(self, event_type: str, /, **fields: Unpack[EventFields]) -> bool:
            lateness.append(time.now - (fields.get("inserted_at", START) - START).total_seconds())
            return super().record(event_type, **fields)

    await application(Punctual()).run(clock=time.clock, sleep=time.sleep, stop=time.stop)
    assert len(lateness) > 200
    assert min(lateness) > -0.001
    assert max(lateness) < 0.01


async def test_a_short_delay_is_caught_up_with_and_a_long_one_is_skipped() -> None:
    async def delayed_by(seconds: float) -> int:
        time, recorder = Time(60 + seconds), Recorded()

        async def sleep(wanted: float) -> None:
            late = seconds if time.now < 30 <= time.now + wanted else 0.0
            await time.sleep(wanted + late)

        await application(recorder).run(clock=time.clock, sleep=sleep, stop=time.stop)
        return len(recorder.events)

    undisturbed = await delayed_by(0)
    assert await delayed_by(4) > undisturbed + 10
    assert abs(await delayed_by(3_600) - undisturbed) < 10


async def test_what_is_overdue_is_done_in_turns_between_which_a_stop_is_noticed() -> None:
    time, recorder = Time(4), Recorded()
    turns: list[int] = []

    async def sleep(wanted: float) -> None:
        turns.append(recorder.calls - sum(turns))
        await time.sleep(wanted + (2.0 if len(turns) == 5 else 0.0))

    await application(recorder, rate=5_000).run(clock=time.clock, sleep=sleep, stop=time.stop)
    # A step of the download monitor may be many events.
    assert TURN_STEPS <= max(turns) < 5 * TURN_STEPS
    assert sum(turns) > 4 * 5_000 * 0.93


@pytest.mark.parametrize("rate", [5.0, 1_000.0])
async def test_a_store_that_is_away_does_not_stop_the_application(
    rate: float, hopeless: str, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(hopeless)
    await run_for(4, rate, recorder)
    await until(lambda: recorder.stats().away)
    assert not recorder.close(0.1)
    stats = recorder.stats()
    assert (stats.balance, stats.stored) == (0, 0)
    assert sum(stats.dropped.values()) == stats.accepted > 10
    assert caplog.messages[1:] == [f"the recorder was closed, and {stats.accepted} events could not be kept"]


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


def test_the_present_shares_no_download_with_the_past_of_the_same_seed() -> None:
    def downloads(events: list[Event]) -> set[str | None]:
        return {event.resource_id for event in events if event.event_type == "download.initiated"}

    past = downloads(seed_history(6, seed=1, end=START))
    assert past
    assert past.isdisjoint(downloads(first(600)))


@pytest.mark.parametrize("rate", [5.0, 1_000.0])
async def test_the_recorder_stores_every_event_as_it_was_made_and_in_order(rate: float, url: str) -> None:
    with Recorder(url) as recorder:
        made = steps(application(recorder, rate=rate), 1_500)
        assert recorder.close(10)
        stats = recorder.stats()
    assert (stats.balance, stats.stored, stats.accepted) == (0, len(made), len(made))
    assert [event.model_dump(exclude={"position"}) for event in await stored_in(url)] == [
        event.model_dump(exclude={"position"}) for event in made
    ]


class Watched(Recorder):
    """A recorder that can be asked afterwards."""

    made: ClassVar[list[Watched]] = []

    def __init__(self, store: str, bus: str) -> None:
        super().__init__(store, bus)
        self.made.append(self)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[Watched]:
    """The recorders that the program makes."""
    monkeypatch.setattr(Watched, "made", [])
    monkeypatch.setattr(demo, "Recorder", Watched)
    return Watched.made


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_at_the_end_of_the_program_its_last_events_are_stored(
    number: int, url: str, watched: list[Watched], caplog: pytest.LogCaptureFixture
) -> None:
    begins: list[datetime] = []

    def end_soon() -> None:
        begins.append(datetime.now(UTC))
        asyncio.get_running_loop().call_later(0.3, signal.raise_signal, number)

    await demo.live(url, "none", rate=500, seed=1, history=0.1, ready=end_soon)
    (recorder,) = watched
    stats = recorder.stats()
    assert stats.accepted == stats.stored > 50
    assert (stats.balance, dict(stats.dropped)) == (0, {})
    # The past is not recorded but stored: it is no news.
    live = [event.inserted_at >= begins[0] for event in await stored_in(url)]
    assert live.count(True) == stats.stored
    assert live.count(False) > 20
    assert not caplog.records


async def test_a_program_that_is_stopped_while_it_prepares_its_past_ends_at_once(
    url: str, watched: list[Watched]
) -> None:
    asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGTERM)
    await demo.live(url, "none", rate=5, seed=1, history=2, ready=lambda: pytest.fail("it is not ready"))
    assert not watched


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_that_is_not_a_number_above_zero_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="rate must be"):
        application(Recorded(), rate=rate)


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        application(Recorded(), start=datetime(2026, 3, 1))


def test_only_an_application_in_simulated_time_can_be_rewound() -> None:
    with pytest.raises(ValueError, match="start"):
        application(Recorded(), start=None).rewind(1)

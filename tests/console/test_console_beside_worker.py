"""A console while a worker does what both could do, when that is killed, and when nobody knows."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.health.notifier import Timing
from monitor.notify.channels import Command, identity_of
from monitor.notify.chosen import Telling
from monitor.notify.teller import LEFT_FOR
from monitor.screens.help import HelpScreen
from monitor.widgets.status_line import StatusLine
from monitor.worker.lookout import LOOK_EVERY
from monitor.worker.tells import tell_name
from store.errors import StoreUnavailableError
from store.event import Event
from store.events import EventStore
from store.leases import LEASE, JobState, Leases
from store.memory_bus import MemoryBus
from tests.events import make_event
from tests.waiting import until

AT_ONCE = Timing(timedelta(), timedelta(), timedelta(hours=4))


class Times:
    """The clock of the database, as leases see it: they run out when the test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    async def __call__(self, _: object) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Bench:
    """A console with a command as its channel, and a worker's leases on the same store."""

    app: EvtopApp
    store: EventStore
    worker: Leases
    times: Times
    command: Command
    noted: Path

    @property
    def told(self) -> list[str]:
        """What the command was started with, each time."""
        return self.noted.read_text().splitlines() if self.noted.exists() else []

    async def works(self, *names: str) -> None:
        await self.worker.register(names)
        for name in names:
            assert await self.worker.take(name) is not None

    async def is_killed(self) -> None:
        self.times.ahead += LEASE

    async def fail(self, number: int) -> None:
        await self.store.create_many([failed(number)])

    async def fires(self, count: int) -> None:
        await until(
            lambda: sum(one.attention for one in self.app.model.alerts.shown(datetime.now(UTC))) == count
        )

    async def recorded(self) -> int:
        found = await self.store.repository.newest(100)
        return sum(event.event_type == "alert.fired" for event in found)

    @property
    def lookout(self) -> Any:
        lookout = self.app._lookout  # pyright: ignore[reportPrivateUsage]
        assert lookout is not None
        return lookout


def failed(number: int) -> Event:
    return make_event(
        number,
        event_type="job.failed",
        resource_type="job",
        resource_id=f"job-{number}",
        inserted_at=datetime.now(UTC),
    )


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.alert_keeper.LOOK_EVERY", 0.05)
    monkeypatch.setattr("monitor.worker.lookout.LOOK_EVERY", 0.05)
    monkeypatch.setattr("monitor.worker.lookout.RETRY_MAX", 0.05)


@asynccontextmanager
async def bench(folder: Path, *names: str, broken: bool = False) -> AsyncIterator[Bench]:
    """A worker has the jobs `names` before the console is opened, and tells its channel where one is "tell"."""
    noted, times, bus = folder / "told", Times(), MemoryBus()
    script = f"import sys; print(sys.argv[1], file=open({str(noted)!r}, 'a'))"
    command = Command([sys.executable, "-c", script])
    url = f"sqlite:///{folder / 'events.db'}"
    store, own = await EventStore.open(url, bus), await EventStore.open(url, bus)
    worker = Leases(own.database, "web-1:7:ab", clock=times)

    async def connect() -> Backend:
        backend = Backend(store, bus, keeps_alerts=True)
        backend.leases = Leases(store.database, clock=times)
        if broken:
            backend.leases.states = _refused  # type: ignore[method-assign]
        return backend

    app = EvtopApp(connect, name="test", telling=Telling(channels=(command,), timing=AT_ONCE))
    made = Bench(app, own, worker, times, command, noted)
    await made.works(*(tell_name(command.identity()) if name == "tell" else name for name in names))
    async with app.run_test(size=(160, 40)) as pilot:
        await until(lambda: app.model.opened and not app.model.alerts.wants_record)
        await until(lambda: not app.model.alerts.wants_past)
        # What begins to fire from now on is news.
        app.second()
        await pilot.pause()
        yield made
    await own.close()


async def _refused(*_: object) -> dict[str, JobState]:
    raise StoreUnavailableError("permission denied for table jobs")


async def test_what_a_worker_tells_is_told_here_when_it_is_killed(tmp_path: Path) -> None:
    async with bench(tmp_path, "tell") as made:
        await until(lambda: made.lookout.told)
        await made.fail(1)
        await made.fires(1)
        made.app.second()
        looks = _looks(made)
        await until(lambda: looks() > 3)
        assert made.told == []
        await made.is_killed()
        # It may have been killed before it told of it.
        await until(lambda: made.told == ["[test] firing: job job-1 failed"])
        await made.fail(2)
        await made.fires(2)
        made.app.second()
        await until(lambda: len(made.told) == 2)


def _looks(made: Bench) -> Any:
    count = 0
    states = made.lookout._leases.states

    async def counted() -> Any:
        nonlocal count
        count += 1
        return await states()

    made.lookout._leases.states = counted
    return lambda: count


async def test_a_channel_that_no_worker_tells_is_told_here(tmp_path: Path) -> None:
    async with bench(tmp_path, "alerts", tell_name(identity_of("webhook", "https://other.example"))) as made:
        await until(lambda: made.lookout.jobs)
        await made.fail(1)
        await made.fires(1)
        made.app.second()
        await until(lambda: made.told)


async def test_where_the_jobs_cannot_be_read_all_is_done_here(tmp_path: Path) -> None:
    async with bench(tmp_path, "alerts", "tell", broken=True) as made:
        await until(lambda: made.lookout.failure)
        await made.fail(1)
        await made.fires(1)
        made.app.second()
        await until(lambda: made.told)
        await _until_recorded(made, 1)
        assert made.app.work_done == "permission denied for table jobs"


async def test_what_a_worker_records_is_left_to_it_while_it_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path, "alerts") as made:
        await until(lambda: made.lookout.alerts_are_watched)
        await made.fail(1)
        await made.fires(1)
        looks = _looks(made)
        await until(lambda: looks() > 3)
        assert await made.recorded() == 0
        await made.is_killed()
        await _until_recorded(made, 1)
        # Another one, which goes by other rules: what it does not record is recorded here, a little later.
        await made.worker.take("alerts")
        await until(lambda: made.lookout.alerts_are_watched)
        monkeypatch.setattr("monitor.alert_keeper.OTHERS_WITHIN", 0.2)
        await made.fail(2)
        await _until_recorded(made, 2)


async def _until_recorded(made: Bench, count: int) -> None:
    desk = made.app.model.alerts.desk
    await until(lambda: len(desk.recorded()) == count)
    assert await made.recorded() == count


async def test_the_console_says_what_workers_do(tmp_path: Path) -> None:
    async with bench(tmp_path) as made:
        app = made.app
        await until(lambda: made.lookout.jobs is not None)
        assert app.work_done.startswith("none: ")
        assert app.worker_trouble == ""
        await made.works("alerts", "retention")
        await made.worker.end("retention", "the disk \x1b[31mis full")
        await until(lambda: app.worker_trouble == "retention failed")
        app.second()
        assert "▲ retention failed" in _status(app)
        await made.worker.take("retention")
        await until(lambda: app.worker_trouble == "")
        made.times.ahead += LEASE + timedelta(minutes=2)
        await until(lambda: app.worker_trouble == "worker gone")
        app.second()
        assert "▲ worker gone" in _status(app)
        assert ("worker", app.work_done) in app.places
        app.push_screen(HelpScreen(None, app.screen, app.places))
        await until(lambda: isinstance(app.screen, HelpScreen))


def _status(app: EvtopApp) -> str:
    line = app.screen.query_one(StatusLine)
    return "".join(segment.text for segment in line.render_line(0))


def test_leases_last_long_enough_to_be_seen() -> None:
    """What is left to a worker is kept until its lease is seen to be gone."""
    assert LEASE + 2 * timedelta(seconds=LOOK_EVERY) + Timing().wait < LEFT_FOR

"""Several real workers on one store: one of them runs a job, and another one when that is killed or frozen."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.notify.chosen import chosen_telling
from monitor.worker.tells import PREFIX
from store.bus import CHANNEL
from store.database import Database
from store.event import Event
from store.event_filter import EventFilter
from store.events import EventStore
from store.leases import JobState, Leases
from store.wire import encode
from tests.console.commands import Running
from tests.database_server import PASSWORD
from tests.events import make_event
from tests.hurried_worker import LEASE
from tests.postgres import PostgresServer
from tests.pty_console import PrivateHome
from tests.receiver import Receiver
from tests.slow_job import TAKES
from tests.valkey import ValkeyServer
from tests.waiting import until, wait_until

pytestmark = pytest.mark.fault
WITHIN = 60.0


class Worker(Running):
    """A worker whose leases are short."""

    program = (sys.executable, "-m", "tests.hurried_worker")

    def __init__(self, home: PrivateHome, name: str, **variables: str) -> None:
        super().__init__(home, "worker", called=name, **variables)

    @property
    def watches(self) -> bool:
        """Whether it has begun to watch alerts."""
        return "alerts: begun" in self.errors


@pytest.fixture
def home(store_url: str) -> Iterator[PrivateHome]:
    with PrivateHome(EVTOP_STORE=store_url, EVTOP_BUS="none", EVTOP_RECORD_ALERTS="1") as home:
        yield home


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.close()


def states(url: str) -> dict[str, JobState]:
    async def look() -> dict[str, JobState]:
        database = await Database.open(url)
        try:
            return await Leases(database, "the test").states()
        finally:
            await database.close()

    return asyncio.run(look())


def store_events(url: str, *events: Event) -> None:
    async def store() -> None:
        async with await EventStore.open(url) as opened:
            await opened.create_many(events)

    asyncio.run(store())


def recorded(url: str) -> list[tuple[str, str | None]]:
    async def read() -> list[tuple[str, str | None]]:
        async with await EventStore.open(url) as opened:
            found = await opened.list_events(EventFilter(category="alerts"))
        return [(event.event_type, event.resource_id) for event in reversed(found)]

    return asyncio.run(read())


def health(number: int, name: str, status: str) -> Event:
    return make_event(
        number,
        event_type="indexer.health_changed",
        resource_type="indexer",
        resource_id=name,
        status=status,
        inserted_at=datetime.now(UTC),
    )


def told(receiver: Receiver) -> list[tuple[str, tuple[str, ...]]]:
    """What the webhook was told, in its order: the status, and the resources of those alerts that have it."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for _, body in receiver.requests:
        message = json.loads(body)
        names = sorted(one["resource"] for one in message["alerts"] if one["status"] == message["status"])
        found.append((message["status"], tuple(names)))
    return found


def test_one_worker_tells_of_alerts_and_another_one_goes_on_when_it_is_killed(
    home: PrivateHome, store_url: str, receiver: Receiver
) -> None:
    webhook = home.directory / "webhook"
    webhook.write_text(receiver.url.get_secret_value())
    variables = {"EVTOP_NOTIFY_WEBHOOK_FILE": str(webhook), "EVTOP_NOTIFY_TIMES": "1s 1s 4h"}
    with ExitStack() as running:
        first = running.enter_context(Worker(home, "first", **variables))
        wait_until(lambda: first.watches, WITHIN, lambda: first.errors)
        second = running.enter_context(Worker(home, "second", **variables))
        wait_until(lambda: "retention, alerts" in second.errors, WITHIN, lambda: second.errors)
        store_events(store_url, health(1, "a", "down"), health(2, "b", "down"))
        wait_until(
            lambda: told(receiver) == [("firing", ("indexer/a", "indexer/b"))], WITHIN, lambda: told(receiver)
        )
        told_at = datetime.now(UTC)
        # Renewed once more since: by that the one that comes after it knows what was told.
        wait_until(lambda: _renewed_at(store_url, "alerts") > told_at.timestamp() + 1, WITHIN)
        wait_until(
            lambda: any(name.startswith(PREFIX) and state.holder for name, state in states(store_url).items())
        )
        assert not second.watches
        first.process.kill()
        first.process.wait()
        # What happens while nobody watches.
        store_events(store_url, health(3, "a", "up"), health(4, "c", "down"))
        wait_until(lambda: second.watches, WITHIN, lambda: second.errors)
        wait_until(lambda: len(receiver.requests) > 1, WITHIN)
        store_events(store_url, health(5, "b", "up"), health(6, "c", "up"))
        wait_until(
            lambda: told(receiver)[-1] == ("resolved", ("indexer/b", "indexer/c")),
            WITHIN,
            lambda: told(receiver),
        )
        wait_until(lambda: len(recorded(store_url)) == 6, WITHIN, lambda: recorded(store_url))
        assert second.end(signal.SIGTERM) == 143
    assert told(receiver) == [
        ("firing", ("indexer/a", "indexer/b")),
        ("firing", ("indexer/b", "indexer/c")),
        ("resolved", ("indexer/b", "indexer/c")),
    ]
    # The second message says of `a`, which ended while nobody watched, that it is over.
    second_message = json.loads(receiver.requests[1][1])
    assert [one["resource"] for one in second_message["alerts"] if one["status"] == "resolved"] == [
        "indexer/a"
    ]
    assert sorted(recorded(store_url)) == sorted(
        (kind, name) for kind in ("alert.fired", "alert.resolved") for name in "abc"
    )
    ended = states(store_url)
    assert {state.holder for state in ended.values()} == {None}
    assert not ended["alerts"].is_broken_off


def _renewed_at(url: str, name: str) -> float:
    until = states(url)[name].last_held_until
    return 0.0 if until is None else until.timestamp() - LEASE


def test_people_are_told_while_the_database_is_away_and_work_goes_on_when_it_is_back(
    postgres_server: PostgresServer, valkey: ValkeyServer, receiver: Receiver
) -> None:
    with PrivateHome(
        EVTOP_STORE=postgres_server.url,
        EVTOP_BUS=valkey.url,
        EVTOP_RECORD_ALERTS="1",
        EVTOP_NOTIFY_TIMES="1s 1s 4h",
    ) as home:
        webhook = home.directory / "webhook"
        webhook.write_text(receiver.url.get_secret_value())
        with Worker(home, "only", EVTOP_NOTIFY_WEBHOOK_FILE=str(webhook)) as worker:
            wait_until(lambda: worker.watches, WITHIN, lambda: worker.errors)
            store_events(postgres_server.url, health(1, "a", "down"))
            wait_until(lambda: told(receiver), WITHIN, lambda: worker.errors)
            before = states(postgres_server.url)["counters"]
            postgres_server.kill()
            wait_until(lambda: "EVTOP_STORE" in worker.errors, WITHIN, lambda: worker.errors)
            # Longer than its leases last.
            wait_until(_passed(2 * LEASE), WITHIN)
            # What the bus alone has: it is believed as long as the store cannot be asked.
            publish(valkey.url, encode(health(2, "b", "down")))
            wait_until(
                lambda: ("firing", ("indexer/a", "indexer/b")) in told(receiver),
                WITHIN,
                lambda: told(receiver),
            )
            postgres_server.start()
            wait_until(lambda: "the store is back" in worker.errors, WITHIN, lambda: worker.errors)
            wait_until(lambda: states(postgres_server.url)["alerts"].holder is not None, WITHIN)
            assert worker.errors.count("alerts: begun") == 1
            assert states(postgres_server.url)["counters"].began_at == before.began_at
            assert worker.end(signal.SIGTERM) == 143
            assert "Traceback" not in worker.errors
            assert PASSWORD not in worker.errors


def _passed(seconds: float) -> Callable[[], bool]:
    """A condition that comes true after a time, for what must not have happened by then."""
    began = time.monotonic()
    return lambda: time.monotonic() - began >= seconds


def publish(url: str, payload: bytes) -> None:
    with Redis.from_url(url) as client:
        client.publish(CHANNEL, payload)


async def test_a_console_and_a_worker_with_one_webhook_tell_once(
    home: PrivateHome, store_url: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.worker.lookout.LOOK_EVERY", 0.2)
    webhook = home.directory / "webhook"
    webhook.write_text(receiver.url.get_secret_value())
    variables = {"EVTOP_NOTIFY_WEBHOOK_FILE": str(webhook), "EVTOP_NOTIFY_TIMES": "1s 1s 4h"}
    with Worker(home, "only", **variables) as worker:
        await until(lambda: worker.watches, WITHIN)
        store = await EventStore.open(store_url)

        async def connect() -> Backend:
            return Backend(store, None, keeps_alerts=True)

        app = EvtopApp(connect, name="local", telling=chosen_telling(variables))
        async with app.run_test(size=(120, 40)):
            await until(lambda: app.model.opened and not app.model.alerts.wants_past, WITHIN)
            lookout = app._lookout  # pyright: ignore[reportPrivateUsage]
            assert lookout is not None
            await until(lambda: lookout.told, WITHIN)
            await store.create_many([health(1, "a", "down")])
            await until(lambda: receiver.requests, WITHIN)
            await until(lambda: len(app.model.alerts.desk.recorded()) == 1, WITHIN)
            worker.process.kill()
            worker.process.wait()
            await until(lambda: not lookout.told, WITHIN)
            await store.create_many([health(2, "b", "down")])
            await until(lambda: ("firing", ("indexer/a", "indexer/b")) in told(receiver), WITHIN)
    identities = [headers["X-Evtop-Id"] for headers, _ in receiver.requests]
    # What the worker may have had no time to tell is told again, as the same.
    assert len(set(identities)) == 2
    assert len(identities) <= 3


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_job_is_run_by_one_at_a_time_whoever_is_killed_or_frozen(
    home: PrivateHome, seed: int, how: signal.Signals
) -> None:
    file = home.directory / "runs"
    file.touch()
    rng = random.Random(seed)
    gone: set[int] = set()
    with ExitStack() as running:

        def start(number: int) -> Worker:
            return running.enter_context(Worker(home, f"worker-{number}", SLOW_JOB_FILE=str(file)))

        workers = {number: start(number) for number in range(2)}
        for round_ in range(3):
            before = len(runs(file))
            wait_until(lambda: len(runs(file)) > before and runs(file)[-1]["what"] == "began", WITHIN)  # noqa: B023
            pid = runs(file)[-1]["pid"]
            time.sleep(rng.uniform(0, TAKES / 2))
            number = next(number for number, one in workers.items() if one.process.pid == pid)
            gone.add(pid)
            workers[number].process.send_signal(how)
            workers[2 + round_] = start(2 + round_)
            wait_until(lambda: runs(file)[-1]["pid"] not in gone, WITHIN)
            if how is signal.SIGSTOP:
                workers[number].process.send_signal(signal.SIGCONT)
        wait_until(lambda: sum(one["what"] == "ended" for one in runs(file)) >= 3, WITHIN)
        found = runs(file)
        for number, one in workers.items():
            if one.process.poll() is None:
                wait_until(lambda: ": slow" in one.errors, WITHIN)  # noqa: B023
                assert one.end(signal.SIGTERM) == 143, one.errors
            assert "Traceback" not in one.errors, (number, one.errors)
    _assert_one_at_a_time(found, gone)


def test_a_clock_that_is_set_back_by_a_day_holds_no_job_up() -> None:
    with PrivateHome(EVTOP_BUS="none") as home:
        file = home.directory / "runs"
        file.touch()
        with Worker(home, "only", SLOW_JOB_FILE=str(file)) as worker:
            wait_until(lambda: runs(file), WITHIN, lambda: worker.errors)
            worker.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: runs(file)[-1]["at"] and runs(file)[-1]["at"] < time.time() - 80_000, WITHIN)
            before = len(runs(file))
            wait_until(lambda: len(runs(file)) >= before + 4, WITHIN)
            assert worker.end(signal.SIGTERM) == 143
            assert "Traceback" not in worker.errors


def runs(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _assert_one_at_a_time(found: Sequence[dict[str, Any]], gone: set[int]) -> None:
    """Nobody begins while another one has the job, and nobody too early; what was broken off is begun again."""
    last: dict[str, Any] | None = None
    ended = True
    for one in found:
        if one["what"] == "ended":
            if last is not None and one["pid"] == last["pid"]:
                ended = True
            else:
                # Frozen in the middle of it, and through with it before it heard that the job was another one's.
                assert one["pid"] in gone
            continue
        if last is not None:
            passed = one["at"] - last["at"]
            if ended:
                assert passed >= 1, found
            else:
                assert last["pid"] in gone, found
                assert passed >= LEASE, found
        last, ended = one, False

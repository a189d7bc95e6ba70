"""Accounts of the bus with the rights that docs/operations.md gives them: enough, and no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from monitor.feed import FeedOptions
from monitor.model.arrivals import Link
from store.bus import Disconnected, Messages, Subscribed
from store.counters.check import CounterCheck
from store.counters.flush import flush
from store.counters.repository import CounterRepository
from store.counters.rows import head_of
from store.counters.tally import CounterKey
from store.events import EventStore
from store.recorder import Recorder
from store.redis_bus import RETRY_MAX, RedisBus
from store.wire import decode
from tests.console.commands import EVTOP, WITHIN, emitted, evtop
from tests.events import make_event
from tests.operations import access_list
from tests.pty_console import PrivateHome, PtyConsole
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import watching

DEADLINE = 20.0
PASSWORDS = {
    "evtop-viewer": "v13wer@:/%?#+",
    "evtop-producer": "pr0ducer@:/%?#+",
    "evtop-worker": "w0rker@:/%?#+",
}
ADMIN = "admin"


class GuardedBus:
    """A server that lets in the accounts of the docs, and one that may ask it what it refused."""

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server

    def url(self, account: str) -> str:
        return f"unix://{account}:{quote(PASSWORDS[account], safe='')}@{self._server.socket}"

    def bare_url(self, account: str) -> str:
        return f"unix://{account}@{self._server.socket}"

    @property
    def anonymous_url(self) -> str:
        return self._server.url

    @contextmanager
    def client(self, account: str) -> Iterator[Redis]:
        """A plain client, logged in. Unlike redis-py's default, it says nothing by itself."""
        with Redis(
            unix_socket_path=str(self._server.socket),
            username=account,
            password=PASSWORDS.get(account, "any"),
            protocol=2,
            driver_info=None,
        ) as client:
            yield client

    @property
    def refused(self) -> list[str]:
        """What was refused for want of a right: the account and the command or channel."""
        with self.client(ADMIN) as admin:
            entries: list[dict[str, Any]] = admin.acl_log()  # type: ignore[assignment]
        return [f"{entry['username']} {entry['object']}" for entry in entries if entry["reason"] != "auth"]

    def calls(self, command: str) -> int:
        """How often a command was carried out."""
        with self.client(ADMIN) as admin:
            statistics: dict[str, Any] = admin.info("commandstats")  # type: ignore[assignment]
        return statistics.get(f"cmdstat_{command}", {}).get("calls", 0)


@contextmanager
def guarded(folder: Path, without: str = "") -> Iterator[GuardedBus]:
    """A server with the access list of the docs, less one right."""
    rules = access_list(*PASSWORDS.values())
    if without:
        assert f" {without}" in rules
        rules = rules.replace(f" {without}", "")
    file = folder / "users.acl"
    file.write_text(f"{rules}user {ADMIN} on nopass ~* &* +@all\n")
    with ValkeyServer("--aclfile", str(file)) as server:
        yield GuardedBus(server)


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[GuardedBus]:
    with guarded(tmp_path) as bus:
        yield bus


@pytest.fixture
def home(tmp_path: Path) -> Iterator[PrivateHome]:
    """An environment of a viewer's own, whose passwords are in files."""
    with PrivateHome() as home:
        for account, password in PASSWORDS.items():
            file = home.directory / account
            file.write_text(f"{password}\n")
            file.chmod(0o600)
        yield home


def as_account(home: PrivateHome, bus: GuardedBus, account: str) -> dict[str, str]:
    return {"EVTOP_BUS": bus.bare_url(account), "EVTOP_BUS_PASSWORD_FILE": str(home.directory / account)}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisBus]:
    bus = RedisBus(url, heartbeat=0.1, deadline=5)
    yield bus
    await bus.close()


async def disconnections(bus: RedisBus, count: int) -> list[Disconnected]:
    """The first signals of a subscription that does not come about."""
    found: list[Disconnected] = []
    async with asyncio.timeout(DEADLINE), bus.subscribe() as signals:
        async for signal in signals:
            assert isinstance(signal, Disconnected)
            found.append(signal)
            if len(found) == count:
                return found
    raise AssertionError("the signals ended")


async def test_both_accounts_do_all_they_have_to_and_nothing_is_refused(bus: GuardedBus) -> None:
    async with (
        asyncio.timeout(DEADLINE),
        opened(bus.url("evtop-viewer")) as viewer,
        opened(bus.url("evtop-producer")) as producer,
        viewer.subscribe() as signals,
    ):
        assert await anext(signals) == Subscribed()
        # Nothing is said for some heartbeats.
        waiting = asyncio.ensure_future(anext(signals))
        await until(lambda: bus.calls("ping") >= 3, DEADLINE)
        assert not waiting.done()
        event = make_event(1, resource_type="job", resource_id="sync")
        assert await producer.announce([event])
        message = await waiting
        assert isinstance(message, Messages)
        assert decode(message.payloads[0]).event == event
    assert bus.refused == []


async def test_what_is_counted_is_added_up_by_one_flushed_by_another_and_read_by_a_third(
    bus: GuardedBus, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    views = [
        make_event(number, event_type="movie.viewed", resource_type="movie", resource_id="dune")
        for number in range(1, 8)
    ]
    async with (
        opened(bus.url("evtop-worker")) as worker,
        opened(bus.url("evtop-viewer")) as viewer,
        await EventStore.open(url, RedisBus(bus.url("evtop-producer"))) as store,
    ):
        await flush(store.database, worker.pending)
        await store.create_many(views)
        async with store.database.read() as connection:
            epoch = (await head_of(connection)).epoch
        assert await viewer.pending.get(epoch, [CounterKey("movie", "dune", "views")]) == [7]
        counters = CounterRepository(store.database, viewer.pending)
        assert (await counters.of("movie", "dune")).values == {"views": 7}
        check = CounterCheck(store.database, worker.pending)
        assert [difference async for difference in check.differences()] == []
    assert bus.refused == []


async def test_who_may_not_count_announces_all_the_same(tmp_path: Path) -> None:
    with guarded(tmp_path, "+hincrby") as bus:
        async with (
            opened(bus.url("evtop-worker")) as worker,
            await EventStore.open(
                f"sqlite:///{tmp_path}/events.db", RedisBus(bus.url("evtop-producer"))
            ) as store,
            worker.subscribe() as signals,
        ):
            assert await anext(signals) == Subscribed()
            await flush(store.database, worker.pending)
            event = make_event(1, event_type="movie.viewed", resource_type="movie", resource_id="dune")
            await store.create(event)
            assert isinstance(await anext(signals), Messages)
            # The next one to be announced also says that what was added up is not whole.
            await store.create(make_event(2))
            counters = CounterRepository(store.database, worker.pending)
            assert (await counters.of("movie", "dune")).values == {"views": 1}


@pytest.mark.pty
def test_a_console_and_commands_with_passwords_in_files_get_by_on_them(
    bus: GuardedBus, home: PrivateHome
) -> None:
    viewer = {**home.environment, **as_account(home, bus, "evtop-viewer")}
    with PtyConsole(EVTOP, environment=viewer) as console:
        console.wait_for_text("● live", WITHIN * 3)
        emitted(home, "job.emitted", **as_account(home, bus, "evtop-producer"))
        console.wait_for_text("job.emitted", WITHIN)
        with Recorder(home.store_url, bus.url("evtop-producer")) as recorder:
            recorder.record("job.recorded")
            assert recorder.flush(WITHIN)
            assert recorder.stats().announced == 1
        console.wait_for_text("job.recorded", WITHIN)
        console.wait_for_text("● live", WITHIN)
    assert bus.refused == []


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ("evtop-viewer", ["PUBLISH", "evtop:events", "{}"]),
        ("evtop-viewer", ["SUBSCRIBE", "others"]),
        ("evtop-viewer", ["PSUBSCRIBE", "*"]),
        ("evtop-producer", ["SUBSCRIBE", "evtop:events"]),
        ("evtop-producer", ["PUBLISH", "others", "{}"]),
        ("evtop-producer", ["HMGET", "evtop:c:1", "x"]),
        ("evtop-producer", ["EXPIRE", "evtop:s:1", "1"]),
        ("evtop-viewer", ["HSET", "evtop:c:1", "x", "1"]),
        ("evtop-worker", ["PUBLISH", "others", "{}"]),
        *(
            (account, words.split())
            for account in PASSWORDS
            for words in ("GET x", "SET x 1", "KEYS *", "FLUSHALL", "CONFIG GET *", "CLIENT LIST", "ACL LIST")
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_an_account_has_no_business_with_is_refused(
    bus: GuardedBus, account: str, words: list[str]
) -> None:
    with bus.client(account) as client, pytest.raises(NoPermissionError):
        client.execute_command(*words)
    assert [refused.partition(" ")[0] for refused in bus.refused] == [account]


async def test_a_viewer_that_announces_says_so_once_and_loses_no_event(
    bus: GuardedBus, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        opened(bus.url("evtop-viewer")) as viewer,
        await EventStore.open(f"sqlite:///{tmp_path}/events.db", viewer) as store,
    ):
        for number in range(20):
            await store.create(make_event(number))
        assert await store.count() == 20
    lines = [record.getMessage() for record in caplog.records if record.name == "store.redis_bus"]
    assert len(lines) == 1
    assert "permission" in lines[0]
    assert "publish" in lines[0]


def test_a_command_that_may_not_announce_stores_and_says_so_in_one_line(
    bus: GuardedBus, home: PrivateHome
) -> None:
    done = evtop(home, "emit", "job.emitted", **as_account(home, bus, "evtop-viewer"))
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("evtop: announcing to unix://")
    assert "permission" in line
    assert evtop(home, "tail", "--count", EVTOP_BUS="none").stdout == "1\n"


@pytest.mark.parametrize(
    ("without", "said"),
    [("+subscribe", "subscribe"), ("&evtop:*", "channel"), ("on", "WRONGPASS"), ("", "")],
)
async def test_a_subscriber_without_a_right_says_why_and_slows_down(
    tmp_path: Path, without: str, said: str
) -> None:
    with guarded(tmp_path, without) as bus:
        async with opened(bus.url("evtop-viewer") if without else bus.anonymous_url) as viewer:
            began = time.monotonic()
            lost = await disconnections(viewer, 5)
            waited = time.monotonic() - began
    assert [signal.attempt for signal in lost] == [1, 2, 3, 4, 5]
    assert waited >= sum(signal.retry_in for signal in lost[:-1])
    assert RETRY_MAX / 4 < lost[-1].retry_in <= RETRY_MAX
    for signal in lost:
        assert signal.reason.isprintable()
        assert any(word in signal.reason.lower() for word in ("permission", "password", "authentication"))
        assert said.lower() in signal.reason.lower() or said == "WRONGPASS"
        assert not any(password in signal.reason for password in PASSWORDS.values())


async def test_a_subscriber_that_may_not_ask_whether_the_server_lives_says_why_and_slows_down(
    tmp_path: Path,
) -> None:
    with guarded(tmp_path, "+ping") as bus:
        async with (
            asyncio.timeout(DEADLINE),
            opened(bus.url("evtop-viewer")) as viewer,
            viewer.subscribe() as signals,
        ):
            assert await anext(signals) == Subscribed()
            lost = await anext(signals)
    assert isinstance(lost, Disconnected)
    assert "ping" in lost.reason


async def test_a_feed_whose_account_may_not_subscribe_goes_on_from_the_store(
    bus: GuardedBus, tmp_path: Path
) -> None:
    async with (
        opened(bus.url("evtop-producer")) as producer,
        await EventStore.open(f"sqlite:///{tmp_path}/events.db") as store,
    ):
        await store.create(make_event(1))
        async with watching(store.repository, producer, FeedOptions()) as watch:
            await until(lambda: watch.openings and watch.status.attempt >= 2, DEADLINE)
            await store.create(make_event(2))
            await until(lambda: make_event(2).id in watch.ids, DEADLINE)
            assert watch.status.link is Link.POLLING
            assert "permission" in watch.status.reason
            assert watch.status.store_error == ""


@pytest.mark.pty
def test_a_console_whose_account_may_not_subscribe_shows_why(bus: GuardedBus, home: PrivateHome) -> None:
    environment = {**home.environment, **as_account(home, bus, "evtop-producer")}
    emitted(home, "job.emitted", EVTOP_BUS="none")
    with PtyConsole(EVTOP, environment=environment) as console:
        console.wait_for_text("◐ polling", WITHIN * 3)
        console.wait_for_text("job.emitted", WITHIN)
        console.wait_for(lambda console: "evtop-producer has no p" in console.lines[0], WITHIN)
        emitted(home, "job.later", EVTOP_BUS="none")
        console.wait_for_text("job.later", WITHIN)


async def test_an_account_that_is_let_in_again_goes_live(tmp_path: Path) -> None:
    with guarded(tmp_path, "+subscribe") as bus:
        async with (
            asyncio.timeout(DEADLINE),
            opened(bus.url("evtop-viewer")) as viewer,
            viewer.subscribe() as signals,
        ):
            assert isinstance(await anext(signals), Disconnected)
            with bus.client(ADMIN) as admin:
                admin.execute_command("ACL", "SETUSER", "evtop-viewer", "+subscribe")
            async for signal in signals:
                if signal == Subscribed():
                    break


def test_a_wrong_password_is_one_line_that_quotes_none(bus: GuardedBus, home: PrivateHome) -> None:
    variables = as_account(home, bus, "evtop-producer") | {
        "EVTOP_BUS_PASSWORD_FILE": str(home.directory / "evtop-viewer")
    }
    done = evtop(home, "emit", "job.emitted", **variables)
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert "password" in line
    assert not any(password in line for password in PASSWORDS.values())

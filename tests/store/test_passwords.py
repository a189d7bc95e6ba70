"""Passwords and keys appear nowhere: not in errors, logs, representations, crash reports or lists of processes."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from textwrap import dedent
from traceback import TracebackException
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import pytest
from pydantic import SecretStr
from typer.main import get_command

from monitor.backend import open_backend, open_store
from monitor.cli.main import app
from monitor.errors import StartError
from monitor.settings import Settings
from store.bus_url import producer_bus
from store.database import Database
from store.database_url import parsed
from store.engines import mariadb, postgresql
from store.environment import Environment, SettingError
from store.errors import StoreError
from store.events import EventStore
from store.recorder import Recorder
from store.redis_bus import RedisBus
from store.status import missing_file, store_status
from tests.console.commands import EVTOP, WITHIN, Running, descendants, evtop, one_line
from tests.database_server import HOST, DatabaseServer
from tests.events import make_event
from tests.pty_console import PrivateHome, PtyConsole
from tests.valkey import ValkeyServer

MARK = "hunter2"
SECRET = f"{MARK}-a@{MARK}-b:{MARK}-c/%{MARK}-d?{MARK}-e#{MARK}-f=&+ {MARK}"
"""Has all that ends a part of a URL: whichever part of it is shown, the mark is in it."""
KEY = f"{MARK} signs what goes over the bus"
NOWHERE = f"{HOST}:9"
"""Nothing listens on the discard port."""

# Every URL here is wrapped from the start: the frames of a test are in the crash reports, too.
Opening = Callable[[SecretStr], Coroutine[Any, Any, object]]


def with_secret(scheme: str, place: str, where: str, query: str = "") -> SecretStr:
    """A URL with the secret in its user part or in its query string."""
    if place == "user":
        return SecretStr(f"{scheme}://ann:{quote(SECRET, safe='')}@{where}?{query}")
    return SecretStr(f"{scheme}://ann@{where}?password={quote_plus(SECRET)}&{query}")


def settings(store: SecretStr, bus: SecretStr | None = None) -> Settings:
    return Settings(store, bus or SecretStr("none"), "test", Path("/nowhere"), (), SecretStr(KEY))


async def _opened(url: SecretStr) -> object:
    return await Database.open(url)


async def _opened_as_text(url: SecretStr) -> object:
    return await Database.open(url.get_secret_value())


async def _opened_by_an_application(url: SecretStr) -> object:
    return await EventStore.open(url.get_secret_value())


async def _asked_for_its_version(url: SecretStr) -> object:
    database = await Database.connect(url)
    try:
        return await database.version()
    finally:
        await database.close()


async def _looked_at(url: SecretStr) -> object:
    missing_file(url)
    return await store_status(url)


async def _opened_by_a_command(url: SecretStr) -> object:
    return await open_store(settings(url))


async def _opened_by_the_console(url: SecretStr) -> object:
    return await open_backend(settings(url))


OPENINGS: list[Opening] = [
    _opened,
    _opened_as_text,
    _opened_by_an_application,
    _asked_for_its_version,
    _looked_at,
    _opened_by_a_command,
    _opened_by_the_console,
]


@pytest.fixture(autouse=True)
def _talkative(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


async def failure(work: Coroutine[Any, Any, object]) -> str:
    """All that there is to read after `work` has failed, in the words of the most talkative tools."""
    try:
        found = await work
    except (StoreError, StartError, SettingError, ValueError) as error:
        return f"{error!r} {crash_report(error)}"
    raise AssertionError(f"it worked: {found}")


def crash_report(error: BaseException) -> str:
    return "".join(TracebackException.from_exception(error, capture_locals=True).format())


def assert_hidden(*shown: str) -> None:
    for text in shown:
        assert text
        assert MARK not in text, text[max(0, text.index(MARK) - 300) :][:600]


@pytest.mark.parametrize("opening", OPENINGS, ids=lambda opening: opening.__name__)
@pytest.mark.parametrize("place", ["user", "query"])
@pytest.mark.parametrize(
    ("scheme", "where", "query"),
    [
        ("postgresql", f"{NOWHERE}/db", ""),
        ("mysql", f"{NOWHERE}/db", ""),
        ("postgresql", "nosuch.invalid/db", "sslmode=require"),
        ("mysql", "nosuch.invalid/db", ""),
        ("postgresql", f"{NOWHERE}/db", "hunter=1"),
        ("postgresql", f"{NOWHERE}/db", "statement_cache_size=x"),
        ("postgresql", f"{NOWHERE}/db", "sslmode=bogus"),
        ("mysql", f"{NOWHERE}/db", "hunter=1"),
        ("mysql", f"{NOWHERE}/db", "read_timeout=x"),
        ("mysql", f"{NOWHERE}", ""),
        ("mysql", f"{NOWHERE}/db", "ssl_ca=/no/ca.pem"),
        ("postgresql+psycopg", f"{NOWHERE}/db", ""),
        ("oracle", f"{NOWHERE}/db", ""),
    ],
)
async def test_a_store_that_cannot_be_opened_shows_no_password(
    opening: Opening, place: str, scheme: str, where: str, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert_hidden(await failure(opening(with_secret(scheme, place, where, query))))
    assert MARK not in caplog.text


@pytest.mark.parametrize("opening", OPENINGS, ids=lambda opening: opening.__name__)
@pytest.mark.parametrize(
    "url",
    [
        SecretStr(f"postgresql://ann:{SECRET}@host/db"),
        SecretStr(f"mysql://ann:{MARK}@{MARK}@host/db"),
        SecretStr(f"postgresql://ann:{MARK}@host:{MARK}/db"),
        SecretStr(f"{MARK}"),
        SecretStr(f"mysql://ann@host/db?read_timeout={MARK}"),
    ],
    ids=range(5),
)
async def test_a_url_that_is_none_shows_no_password(
    opening: Opening, url: SecretStr, caplog: pytest.LogCaptureFixture
) -> None:
    assert_hidden(await failure(opening(url)))
    assert MARK not in caplog.text


@pytest.fixture(params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> DatabaseServer:
    """A shared server of each kind in turn."""
    return request.getfixturevalue({"postgresql": "postgres", "mariadb": "mariadb"}[request.param])


@pytest.mark.parametrize("place", ["user", "query"])
async def test_a_login_that_is_refused_shows_no_password(
    server: DatabaseServer, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    where = f"{HOST}:{server.port}/evtop"
    for opening in OPENINGS:
        said = await failure(opening(with_secret(server.scheme, place, where)))
        assert_hidden(said)
        assert "authentication failed" in said or "Access denied" in said
    assert MARK not in caplog.text


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a server that takes connections and says nothing."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), HOST, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for writer in writers:
            writer.close()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_server_that_says_nothing_shows_no_password(
    scheme: str, silent: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (postgresql, mariadb):
        monkeypatch.setattr(module, "CONNECT_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(mariadb.Mariadb, "timeout", 0.2)
    for place in ("user", "query"):
        assert_hidden(await failure(_opened(with_secret(scheme, place, f"{HOST}:{silent}/db"))))
    assert MARK not in caplog.text


async def test_what_a_driver_breaks_with_shows_no_password_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of a kind that is no failure of the database's comes through as it is."""
    import asyncpg

    async def broken(**options: object) -> None:
        password = options["password"]
        raise NotImplementedError(type(password))

    monkeypatch.setattr(asyncpg, "connect", broken)
    with pytest.raises(NotImplementedError) as caught:
        await Database.open(with_secret("postgresql", "user", f"{NOWHERE}/db"))
    assert_hidden(crash_report(caught.value))
    assert "in broken" in crash_report(caught.value)


@pytest.mark.parametrize("place", ["user", "query"])
def test_objects_print_no_password(place: str) -> None:
    for scheme in ("postgresql", "mysql"):
        url = with_secret(scheme, place, f"{NOWHERE}/db")
        address = parsed(url)
        engine = address.kind.create_engine(address.url)
        pool = engine.sync_engine.pool
        shown: list[object] = [url, address, engine, engine.sync_engine, pool, vars(engine.sync_engine)]
        database = Database(engine, address.kind, "here")
        shown += [database, vars(database)]
        recorder = Recorder(url, with_secret("redis", place, NOWHERE))
        shown += [recorder, vars(recorder)]
        chosen = settings(url, with_secret("redis", place, NOWHERE))
        shown += [chosen, vars(chosen)]
        for item in shown:
            assert_hidden(repr(item), str(item))
    bus = producer_bus(with_secret("redis", place, NOWHERE))
    assert isinstance(bus, RedisBus)
    assert_hidden(repr(bus), repr(vars(bus)))
    variables = {"EVTOP_SIGNING_KEY": KEY, "EVTOP_STORE": f"postgresql://u:{MARK}@h/db"}
    environment = Environment(variables)
    assert_hidden(repr(environment), repr(environment.signing_key()), repr(environment.store_url()))


@pytest.mark.parametrize("place", ["user", "query"])
@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_a_bus_that_is_away_shows_no_password(
    scheme: str, place: str, caplog: pytest.LogCaptureFixture
) -> None:
    bus = producer_bus(with_secret(scheme, place, NOWHERE))
    assert isinstance(bus, RedisBus)
    async with bus.subscribe() as signals:
        lost = await anext(signals)
        assert not await bus.announce([make_event(1)])
    await bus.close()
    assert_hidden(repr(lost), caplog.text)


@pytest.mark.parametrize("place", ["user", "query"])
async def test_a_bus_that_refuses_the_password_does_not_show_it(
    place: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ValkeyServer("--requirepass", "another") as server:
        bus = producer_bus(with_secret("unix", place, str(server.socket)))
        assert isinstance(bus, RedisBus)
        async with bus.subscribe() as signals:
            lost = await anext(signals)
            assert not await bus.announce([make_event(1)])
        await bus.close()
    assert "password" in repr(lost)
    assert_hidden(repr(lost), caplog.text)


@pytest.mark.parametrize(
    "bus",
    [
        SecretStr(f"redis://u:{SECRET}@h"),
        SecretStr(f"redis://u:{MARK}@h:{MARK}"),
        SecretStr(f"redis://u:{MARK}@h?hunter={MARK}"),
        SecretStr(f"rediss://u:{MARK}@h?ssl_ca_certs=/no/ca.pem"),
        SecretStr("embedded:" + MARK),
    ],
    ids=range(5),
)
async def test_a_bus_that_cannot_be_used_shows_no_password(
    bus: SecretStr, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = SecretStr("sqlite://")

    async def made() -> object:
        return producer_bus(bus)

    for work in (made(), open_store(settings(nowhere, bus)), open_backend(settings(nowhere, bus))):
        assert_hidden(await failure(work))
    assert MARK not in caplog.text


async def test_a_recorder_whose_store_is_away_shows_no_password(caplog: pytest.LogCaptureFixture) -> None:
    def record() -> str:
        with Recorder(with_secret("postgresql", "query", f"{NOWHERE}/db"), "none") as recorder:
            recorder.record("job.executed")
            recorder.flush(0.5)
            return repr(recorder.stats())

    assert_hidden(await asyncio.to_thread(record), caplog.text)


def variables_that_cannot_be_used(folder: Path) -> Iterator[dict[str, SecretStr]]:
    """Environments with a secret in each, and something wrong."""
    file = folder / "password"
    file.write_text(f"{SECRET}\n")
    (folder / "binary").write_bytes(MARK.encode() + b"\xff")
    url = f"postgresql://u:{MARK}@h/db"
    for variables in (
        {"EVTOP_STORE": url, "EVTOP_STORE_PASSWORD_FILE": str(file)},
        {"EVTOP_STORE": "postgresql://u@h/db", "EVTOP_STORE_PASSWORD_FILE": str(folder / "binary")},
        {"EVTOP_STORE": url, "EVTOP_BUS": MARK},
        {"EVTOP_STORE": url, "EVTOP_BUS": f"redis://:{MARK}@h", "EVTOP_BUS_PASSWORD_FILE": str(file)},
        {"EVTOP_STORE": url, "EVTOP_BUS": "none", "EVTOP_BUS_PASSWORD_FILE": str(file)},
        {"EVTOP_STORE": url, "EVTOP_SIGNING_KEY": MARK},
        {"EVTOP_STORE": url, "EVTOP_SIGNING_KEY": KEY, "EVTOP_SIGNING_KEY_FILE": str(file)},
    ):
        yield {name: SecretStr(value) for name, value in variables.items()}


def test_settings_that_cannot_be_used_show_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variables in variables_that_cannot_be_used(tmp_path):
        with monkeypatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value.get_secret_value())
            with pytest.raises(StartError) as caught:
                Settings.from_environment()
            # While the variables are set: a mapping prints what is in it then.
            assert_hidden(repr(caught.value), crash_report(caught.value))


# Processes


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    with PrivateHome() as home:
        yield home


def secret_file(home: PrivateHome, text: str) -> str:
    file = home.directory / "secret"
    file.write_text(f"{text}\n")
    file.chmod(0o600)
    return str(file)


def arguments(pid: int) -> str:
    """The command lines of a process and of all below it, as `ps` shows them (Linux)."""
    own = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return " ".join([own, *descendants(pid).values()])


@pytest.mark.skipif(sys.platform != "linux", reason="command lines are read from /proc")
def test_no_command_line_has_a_password(home: PrivateHome, server: DatabaseServer) -> None:
    parts = urlsplit(server.create_database())
    with ValkeyServer("--requirepass", SECRET) as valkey:
        variables = {
            "EVTOP_STORE": parts.geturl(),
            "EVTOP_BUS": f"unix://{valkey.socket}",
            "EVTOP_BUS_PASSWORD_FILE": secret_file(home, SECRET),
            "EVTOP_SIGNING_KEY": KEY,
        }
        with Running(home, "tail", "-f", **variables) as tail:
            done = evtop(home, "emit", "a.b", **variables)
            assert (done.returncode, done.stderr) == (0, "")
            tail.wait_for("a.b", WITHIN * 3)
            shown = arguments(tail.process.pid)
            assert "tail" in shown
            assert_hidden(shown)
            assert (parts.password or "no") not in shown


def test_no_command_takes_a_url_or_a_secret() -> None:
    names: set[str] = set()

    def walk(command: Any) -> None:
        for parameter in command.params:
            names.update([parameter.name or "", *parameter.opts])
        for below in getattr(command, "commands", {}).values():
            walk(below)

    walk(get_command(app))
    assert len(names) > 30
    telling = {
        name
        for name in names
        for word in ("url", "dsn", "pass", "key", "token", "store", "bus")
        if word in name
    }
    # Other keys of the keyboard.
    assert telling == {"--keys", "keys_file"}


def test_a_password_in_a_file_opens_a_store(home: PrivateHome, server: DatabaseServer) -> None:
    url = server.create_database()
    password = urlsplit(url).password or ""
    bare = url.replace(f":{password}@", "@")
    variables = {"EVTOP_STORE": bare, "EVTOP_BUS": "none"}
    plain = "s3cret@:/%+"
    assert quote(plain, safe="") == password
    file = secret_file(home, plain)
    done = evtop(home, "emit", "a.b", EVTOP_STORE_PASSWORD_FILE=file, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    Path(file).chmod(0o644)
    done = evtop(home, "tail", "--count", EVTOP_STORE_PASSWORD_FILE=file, **variables)
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr == f"evtop: EVTOP_STORE_PASSWORD_FILE: {file}: others may read it; chmod 600\n"
    said = one_line(evtop(home, "tail", EVTOP_STORE_PASSWORD_FILE=secret_file(home, SECRET), **variables))
    assert_hidden(said)


CRASHING = """
import monitor.app
from monitor.cli.console import open_console
from monitor.settings import Settings

settings = Settings.from_environment()

class Crashing(monitor.app.EvtopApp):
    def action_redraw(self):
        chosen, backend, store = settings, self._backend, self._backend.store
        bus, database = backend._bus, store.database
        engine = database._engine
        plain, pool, place = engine.sync_engine, engine.sync_engine.pool, self.places
        raise RuntimeError("on purpose")

monitor.app.EvtopApp = Crashing
raise SystemExit(open_console(settings))
"""


@pytest.mark.pty
def test_a_console_that_crashes_shows_no_password(home: PrivateHome, server: DatabaseServer) -> None:
    """Textual would print the local variables of the frames that an exception came through."""
    url = server.create_database()
    password = urlsplit(url).password or "no"
    with ValkeyServer("--requirepass", SECRET) as valkey:
        environment = {
            **home.environment,
            "EVTOP_STORE": f"{url}?password={password}",
            "EVTOP_BUS": f"unix://:{quote(SECRET, safe='')}@{valkey.socket}",
            "EVTOP_SIGNING_KEY": KEY,
        }
        command = [sys.executable, "-c", dedent(CRASHING)]
        with PtyConsole(command, environment=environment, rows=200, columns=200) as console:
            console.wait_for_text("● live", WITHIN * 3)
            console.press("ctrl+l")
            assert console.wait_for_end(WITHIN * 3) != 0
            shown = re.sub(r"\x1b\[[0-9;]*m", "", console.output.decode(errors="replace"))
    assert "internal error: RuntimeError at " in shown
    assert_hidden(shown)
    assert password not in shown
    assert "s3cret" not in shown


@pytest.mark.pty
def test_a_console_that_cannot_open_its_store_shows_no_password(home: PrivateHome) -> None:
    url = with_secret("postgresql", "query", f"{NOWHERE}/db").get_secret_value()
    with PtyConsole(EVTOP, environment={**home.environment, "EVTOP_STORE": url}) as console:
        assert console.wait_for_end(WITHIN * 3) == 1
        assert_hidden(console.output.decode(errors="replace"))

"""TLS to the bus and to the databases: what is trusted works, what is not is refused in one line that says why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.backend import open_backend
from monitor.settings import Settings
from store.bus import Disconnected, Messages, Subscribed
from store.bus_url import producer_bus, transport_weakness
from store.database import Database
from store.errors import StoreUnavailableError
from store.redis_bus import RedisBus
from store.repository import EventRepository
from tests.console.commands import EVTOP, WITHIN, emitted, evtop, one_line
from tests.database_server import HOST, DatabaseServer
from tests.events import make_event, make_events
from tests.mariadb import MariadbServer
from tests.postgres import PostgresServer
from tests.pty_console import PrivateHome, PtyConsole
from tests.tls import Certificates, TlsEndpoint
from tests.valkey import ValkeyServer

DEADLINE = 20.0
BAD = {
    "for another host": "IP address mismatch",
    "expired": "certificate has expired",
    "not yet valid": "certificate is not yet valid",
    "of another authority": "unable to get local issuer certificate",
    "self-signed": "self-signed certificate|self signed certificate",
}
"""What OpenSSL says of each, in its newer and its older versions."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


# The bus


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    with PrivateHome() as home:
        yield home


def bus_url(endpoint: TlsEndpoint, **options: object) -> str:
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"rediss://{HOST}:{endpoint.port}?{query}"


async def why_not(url: str) -> str:
    """Why a subscription at `url` does not come about; announcing fails as well."""
    bus = RedisBus(url)
    try:
        async with asyncio.timeout(DEADLINE), bus.subscribe() as signals:
            lost = await anext(signals)
        assert isinstance(lost, Disconnected)
        assert not await bus.announce([make_event(1)])
    finally:
        await bus.close()
    assert lost.reason.isprintable()
    return lost.reason


async def works(url: str) -> None:
    bus = RedisBus(url)
    async with asyncio.timeout(DEADLINE), bus.subscribe() as signals:
        assert await anext(signals) == Subscribed()
        assert await bus.announce([make_event(1)])
        assert isinstance(await anext(signals), Messages)
    await bus.close()


async def test_a_bus_with_a_certificate_of_a_trusted_authority_is_live(
    valkey: ValkeyServer, certificates: Certificates
) -> None:
    with TlsEndpoint.before_socket(certificates.server("good"), valkey.socket) as endpoint:
        await works(bus_url(endpoint, ssl_ca_certs=certificates.authority))
        assert endpoint.sessions == 2


@pytest.mark.parametrize("kind", BAD)
async def test_a_bus_whose_certificate_is_not_good_is_refused_with_the_reason(
    valkey: ValkeyServer, certificates: Certificates, kind: str
) -> None:
    with TlsEndpoint.before_socket(certificates.server(kind), valkey.socket) as endpoint:
        reason = await why_not(bus_url(endpoint, ssl_ca_certs=certificates.authority))
    assert any(said in reason for said in BAD[kind].split("|")), reason


async def test_a_bus_of_an_authority_that_was_not_named_is_refused(
    valkey: ValkeyServer, certificates: Certificates
) -> None:
    with TlsEndpoint.before_socket(certificates.server("good"), valkey.socket) as endpoint:
        assert "unable to get local issuer certificate" in await why_not(bus_url(endpoint))


async def test_a_bus_without_tls_is_not_spoken_to_in_the_clear(certificates: Certificates) -> None:
    heard = bytearray()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.read(1000))
        writer.close()

    server = await asyncio.start_server(listen, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        await why_not(f"rediss://ann:hunter2@{HOST}:{port}?ssl_ca_certs={certificates.authority}")
    # A handshake of TLS begins with its record type, 22.
    assert heard[:1] == b"\x16"
    assert b"hunter2" not in heard


@pytest.mark.pty
def test_a_console_and_commands_over_tls(
    valkey: ValkeyServer, certificates: Certificates, home: PrivateHome
) -> None:
    with TlsEndpoint.before_socket(certificates.server("good"), valkey.socket) as endpoint:
        trusting = bus_url(endpoint, ssl_ca_certs=certificates.authority)
        with PtyConsole(EVTOP, environment={**home.environment, "EVTOP_BUS": trusting}) as console:
            console.wait_for_text("● live", WITHIN * 3)
            emitted(home, "job.emitted", EVTOP_BUS=trusting)
            console.wait_for_text("job.emitted", WITHIN)
            console.wait_for_text("● live", WITHIN)
        done = evtop(home, "emit", "job.emitted", EVTOP_BUS=bus_url(endpoint))
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert line.startswith(f"evtop: announcing to rediss://{HOST}:")
    assert "unable to get local issuer certificate" in line


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail", "-f"]], ids=" ".join)
def test_a_file_that_is_not_there_is_named(home: PrivateHome, option: str, words: list[str]) -> None:
    url = f"rediss://ann:hunter2@{HOST}:1?{option}=/nowhere/ca.pem"
    said = one_line(evtop(home, *words, EVTOP_BUS=url))
    assert said == f"EVTOP_BUS: {option}: /nowhere/ca.pem: No such file or directory"


async def test_a_file_that_holds_no_certificate_is_one_line(
    certificates: Certificates, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("nothing of the kind")
    reason = await why_not(f"rediss://{HOST}:1?ssl_ca_certs={tmp_path / 'ca.pem'}")
    assert "NO_CERTIFICATE_OR_CRL_FOUND" in reason or "no certificate" in reason


@pytest.mark.parametrize(
    ("url", "weakness"),
    [
        ("none", None),
        ("embedded", None),
        ("unix:///run/valkey.sock", None),
        ("redis://", None),
        ("redis://localhost", None),
        ("redis://bus.localhost", None),
        ("redis://127.0.0.1:7000", None),
        ("redis://127.8.0.1", None),
        ("redis://u:p@[::1]:7000", None),
        ("rediss://bus.example", None),
        ("rediss://bus.example?ssl_ca_certs=/ca.pem", None),
        ("rediss://localhost?ssl_cert_reqs=none", None),
        ("redis://bus.example", "not encrypted"),
        ("redis://u:p@10.0.0.7:6379/0", "not encrypted"),
        ("redis://[2001:db8::1]", "not encrypted"),
        ("redis://localhost.example", "not encrypted"),
        ("redis://?host=10.0.0.7", "not encrypted"),
        ("rediss://bus.example?ssl_cert_reqs=none", "certificate is not checked"),
        ("rediss://bus.example?ssl_check_hostname=false", "name is not checked"),
    ],
)
async def test_what_is_open_to_others_on_the_way_is_said(url: str, weakness: str | None) -> None:
    said = transport_weakness(SecretStr(url))
    assert said is None if weakness is None else weakness in (said or "")


async def test_a_producer_is_warned_of_a_bus_that_is_open_to_others(caplog: pytest.LogCaptureFixture) -> None:
    for url in (
        "redis://u:hunter2@bus.example:7000?password=hunter2",
        "redis://localhost",
        "rediss://bus.example",
    ):
        bus = producer_bus(url)
        assert bus is not None
        await bus.close()
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("EVTOP_BUS redis://bus.example:7000: not encrypted;")
    assert "hunter2" not in caplog.text


def test_a_command_warns_of_a_bus_that_is_open_to_others(home: PrivateHome) -> None:
    # No such host: the warning comes before the failure.
    done = evtop(home, "emit", "a.b", EVTOP_BUS="redis://u:hunter2@bus.invalid")
    assert done.returncode == 0
    first, second = done.stderr.splitlines()
    assert first.startswith("evtop: EVTOP_BUS redis://bus.invalid:6379: not encrypted;")
    assert second.startswith("evtop: announcing to redis://bus.invalid:6379 failed")
    # Where the bus is not spoken to, there is nothing to warn of.
    assert evtop(home, "tail", EVTOP_BUS="redis://u:hunter2@bus.invalid").stderr == ""


@pytest.mark.parametrize(
    ("bus", "weak"), [("redis://bus.invalid", True), ("rediss://bus.invalid", False), ("none", False)]
)
async def test_a_console_knows_whether_the_way_to_its_bus_is_open_to_others(
    tmp_path: Path, bus: str, weak: bool
) -> None:
    settings = Settings(SecretStr(f"sqlite:///{tmp_path}/events.db"), SecretStr(bus), "test", tmp_path)
    backend = await open_backend(settings)
    assert bool(backend.weakness) is weak
    await backend.close()


# The databases


async def appends(url: str) -> None:
    database = await Database.open(url)
    repository = EventRepository(database)
    await repository.append(make_events(2))
    assert await repository.count() == 2
    await database.close()


async def refusal(url: str) -> str:
    with pytest.raises(StoreUnavailableError) as caught:
        await Database.open(url)
    said = str(caught.value)
    assert said.isprintable()
    assert "***" in said
    return said


class Guarded:
    """A database behind TLS, and the option with which its URL names the authority to trust."""

    def __init__(self, server: DatabaseServer, port: int, trusting: str) -> None:
        self._server = server
        self._port = port
        self._trusting = trusting

    def url(self, authority: Path | str) -> str:
        database = self._server.create_database().replace(f":{self._server.port}/", f":{self._port}/")
        return f"{database}?{self._trusting}={authority}"


@pytest.fixture(params=["postgresql", "mariadb"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def guard(request: pytest.FixtureRequest, kind: str, certificates: Certificates) -> Iterator[Guarded]:
    """A database of each kind in turn. Its certificate is of the kind that the test asks for."""
    certificate = certificates.server(getattr(request, "param", "good"))
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        # The one in the wheel was built without OpenSSL.
        with TlsEndpoint.before_port(certificate, server.port, asked=True) as endpoint:
            yield Guarded(server, endpoint.port, "sslmode=verify-full&sslrootcert")
        return
    request.getfixturevalue("mariadb_installed")
    with MariadbServer(f"--ssl-cert={certificate}", f"--ssl-key={certificate}") as own:
        yield Guarded(own, own.port, "ssl_ca")


async def test_a_database_with_a_certificate_of_a_trusted_authority_works(
    guard: Guarded, certificates: Certificates
) -> None:
    await appends(guard.url(certificates.authority))


@pytest.mark.thorough
@pytest.mark.parametrize("guard", BAD, indirect=True)
async def test_a_database_whose_certificate_is_not_good_is_refused_with_the_reason(
    guard: Guarded, certificates: Certificates, request: pytest.FixtureRequest
) -> None:
    said = await refusal(guard.url(certificates.authority))
    expected = BAD[request.node.callspec.params["guard"]]
    assert any(reason in said for reason in expected.split("|")), said


async def test_a_database_that_does_not_speak_tls_is_refused(
    request: pytest.FixtureRequest, kind: str, certificates: Certificates
) -> None:
    if kind == "postgresql":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        said = await refusal(f"{postgres.url}?sslmode=verify-full&sslrootcert={certificates.authority}")
        assert "rejected SSL upgrade" in said
        return
    request.getfixturevalue("mariadb_installed")
    with MariadbServer("--skip-ssl") as server:
        await refusal(f"{server.url}?ssl_ca={certificates.authority}")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "postgresql://u:p@h/d?sslmode=verify-full&sslrootcert=/no/ca.pem",
            "sslrootcert: /no/ca.pem: No such file",
        ),
        ("postgresql://u:p@h/d?sslmode=require&sslcert=/no/c.pem", "sslcert: /no/c.pem: No such file"),
        ("postgresql://u:p@h/d?sslrootcert=/dev/null", "sslrootcert needs sslmode=verify-full beside it"),
        (
            "postgresql://u:p@h/d?sslmode=prefer&sslrootcert=/dev/null",
            "sslrootcert needs sslmode=verify-full",
        ),
        ("mysql://u:p@h/d?ssl_ca=/no/ca.pem", "ssl_ca: /no/ca.pem: No such file"),
        ("mysql://u:p@h/d?ssl_ca=/dev/null&ssl_cert=/no/c.pem", "ssl_cert: /no/c.pem: No such file"),
    ],
)
async def test_what_a_url_says_of_tls_and_cannot_be_done_is_refused(url: str, said: str) -> None:
    assert said in await refusal(url)

"""Fixtures: real servers, started for the first test that asks.

`postgres` and `mariadb` are shared by the tests of one process (an xdist worker has its own), each test in a database
of its own. A test that kills or freezes a server asks for `postgres_server` or `mariadb_server`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database_server import DatabaseServer
from tests.mariadb import MISSING, MariadbServer, mariadb_program
from tests.postgres import PostgresServer
from tests.valkey import ValkeyServer

REQUIRE_MARIADB = "EVTOP_TEST_REQUIRE_MARIADB"
"""The environment variable that, set to 1, fails the tests of MariaDB where it is missing."""


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A running Valkey of this test's own."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL, shared: make a database with `create_database()`."""
    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL of this test's own."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_installed() -> None:
    """Skips, or fails where `EVTOP_TEST_REQUIRE_MARIADB` is 1, when there is no MariaDB."""
    if mariadb_program() is None:
        if os.environ.get(REQUIRE_MARIADB) == "1":
            pytest.fail(f"{REQUIRE_MARIADB} is set, and {MISSING}")
        pytest.skip(MISSING)


@pytest.fixture(scope="session")
def mariadb(mariadb_installed: None) -> Iterator[MariadbServer]:
    """A running MariaDB, shared: make a database with `create_database()`."""
    with MariadbServer() as server:
        yield server


@pytest.fixture
def mariadb_server(mariadb_installed: None) -> Iterator[MariadbServer]:
    """A running MariaDB of this test's own."""
    with MariadbServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a new empty database, on each kind of server in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'events.db'}"
        return
    shared = {"postgresql": "postgres", "mariadb": "mariadb"}[request.param]
    server: DatabaseServer = request.getfixturevalue(shared)
    url = server.create_database()
    yield url
    server.drop(url)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were left out for want of a server: a quiet run shows no reasons."""
    reasons = Counter(str(report.longrepr) for report in terminalreporter.getreports("skipped"))
    left_out = sum(count for reason, count in reasons.items() if MISSING in reason)
    if left_out:
        terminalreporter.write_line(f"{left_out} tests of MariaDB were skipped: {MISSING}", yellow=True)

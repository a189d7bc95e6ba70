"""kill -9 of those who flush counters, two at a time, with a Redis that forgets all: each event counts once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.conftest import Size
from tests.faults.counting import count_under_kills

pytestmark = pytest.mark.fault


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'events.db'}"
    server = request.getfixturevalue({"postgresql": "postgres", "mariadb": "mariadb"}[request.param])
    return server.create_database()


async def test_each_event_counts_once_whoever_is_killed(url: str, size: Size, seed: int) -> None:
    counted = await count_under_kills(url, size.either(4, 50), seed)
    assert counted.events > 200
    assert (counted.differences, counted.shown_differences, counted.found_by_check) == (0, 0, 0), counted

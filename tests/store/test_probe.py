"""Looking at what may be done with a store changes nothing, on each kind of database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from store.database import ONLY_READING, Database
from store.errors import StoreUnavailableError
from store.probe import clock_ahead, try_writing
from store.repository import EventRepository
from store.tables import event_head
from tests.events import make_events


async def test_trying_to_write_leaves_the_store_as_it_is(
    repository: EventRepository, database: Database
) -> None:
    await repository.append(make_events(3))
    await try_writing(database)
    async with database.read() as connection:
        assert (await connection.execute(sa.select(event_head.c.position))).scalar_one() == 3


async def test_the_clock_of_a_server_on_this_machine_is_ours(database: Database) -> None:
    ahead = await clock_ahead(database)
    if database.dialect == "sqlite":
        assert ahead is None
    else:
        assert ahead is not None
        assert abs(ahead) < timedelta(seconds=5)


async def test_a_store_that_may_only_be_read_says_so(url: str, tmp_path: Path) -> None:
    database = await Database.connect(f"sqlite:///file:{tmp_path}/events.db?mode=ro&uri=true")
    try:
        with pytest.raises(StoreUnavailableError, match=ONLY_READING):
            await try_writing(database)
    finally:
        await database.close()

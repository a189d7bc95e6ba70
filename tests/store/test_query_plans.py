"""Each database answers by the index that is meant for the question, so that the cost is that of the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import event as sa_event

from store.database import Database
from store.event import Event
from store.event_counts import Facet
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.featured import featured_items
from store.query import parse
from store.repository import EventRepository
from store.search.building import build_search_index
from tests.events import NOON, make_event
from tests.store.oracle import run_sql

STORED = 2000
MIDDLE = Cursor(NOON + timedelta(seconds=STORED // 2), UUID(int=STORED // 2))
Reading = Callable[[EventRepository], Awaitable[object]]


def event_of(number: int) -> Event:
    """One of many kinds, each kind rare enough for its index."""
    return make_event(
        number,
        event_type=f"kind{number % 211}.done",
        category=f"category{number % 97}",
        actor_type=["user", "job"][number % 2],
        actor_id=f"{number % 199}",
        resource_type=["download", "series"][number % 2],
        resource_id=f"{number % 193}",
        secondary_resource_type=["episode", "download"][number % 2],
        secondary_resource_id=f"{number % 191}",
    )


class Plans:
    """What a database would do for the statements that a reading sends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.dialect = database.dialect
        self._repository = EventRepository(database)

    async def of(self, reading: Reading) -> list[str]:
        """The plan of each statement about events, in words of the database."""
        sent: list[tuple[str, Any]] = []

        def note(*call: Any) -> None:
            # How far the full-text index is, is looked up with any word.
            if "FROM events" in call[2] and "search_head" not in call[2]:
                sent.append((call[2], call[3]))

        sa_event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            await reading(self._repository)
        finally:
            sa_event.remove(sa.Engine, "before_cursor_execute", note)
        assert sent
        return [await self._plan(*statement) for statement in sent]

    async def _plan(self, statement: str, parameters: Any) -> str:
        explain = "EXPLAIN QUERY PLAN" if self._database.dialect == "sqlite" else "EXPLAIN"
        async with self._database.read() as connection:
            rows = await connection.exec_driver_sql(f"{explain} {statement}", parameters)
            return "\n".join(self._words(row) for row in rows)

    def _words(self, row: Any) -> str:
        if self._database.dialect == "mariadb":
            return f"{row.type} {row.key} {row.Extra}"
        return str(row[-1])


@pytest.fixture
async def plans(database: Database) -> Plans:
    """A store with some thousand events, whose database knows how they are spread."""
    repository = EventRepository(database)
    if database.dialect == "postgresql":
        # What other tests deleted takes room until it is vacuumed, and makes indexes look dear.
        await run_sql(database, "TRUNCATE events")
    for start in range(0, STORED, 1000):
        await repository.append([event_of(number) for number in range(start, start + 1000)])
    await run_sql(database, "ANALYZE TABLE events" if database.dialect == "mariadb" else "ANALYZE")
    return Plans(database)


SORTS = ("TEMP B-TREE", "Sort", "filesort")
IN_ORDER: dict[str, tuple[Reading, str]] = {
    "newest": (lambda r: r.newest(20), "events_by_time"),
    "before": (lambda r: r.before(MIDDLE, 20), "events_by_time"),
    "following": (lambda r: r.following(MIDDLE, 20), "events_by_time"),
    "since": (lambda r: r.newest(20, EventFilter(since=MIDDLE.inserted_at)), "events_by_time"),
    "until": (lambda r: r.newest(20, EventFilter(until=MIDDLE.inserted_at)), "events_by_time"),
}
BY_VALUE: dict[str, tuple[Reading, str]] = {
    "type": (lambda r: r.newest(20, EventFilter(event_type="kind7.done")), "events_by_type"),
    "type before": (lambda r: r.before(MIDDLE, 9, EventFilter(event_type="kind7.done")), "events_by_type"),
    "category": (lambda r: r.newest(20, EventFilter(category="category7")), "events_by_category"),
    "actor": (lambda r: r.newest(20, EventFilter(actor_type="user", actor_id="42")), "events_by_actor"),
    "resource": (
        lambda r: r.newest(20, EventFilter(resource_type="download", resource_id="8")),
        "events_by_resource",
    ),
    "types by name": (lambda r: r.newest_of_types(["kind7.done", "no.such"], 20), "events_by_type"),
    "featured": (featured_items, "events_by_type"),
    "types by glob": (lambda r: r.newest_of_types(["kind7.*"], 20), "events_by_type"),
    "type:": (lambda r: r.newest(20, parse("type:kind7.done")), "events_by_type"),
    "type:*": (lambda r: r.newest(20, parse("type:kind7.*")), "events_by_type"),
    "category:": (lambda r: r.newest(20, parse("category:category7")), "events_by_category"),
    "actor:": (lambda r: r.newest(20, parse("actor:user:42")), "events_by_actor"),
    "actor:*": (lambda r: r.newest(20, parse("actor:user:42*")), "events_by_actor"),
    "type: and a word": (lambda r: r.newest(20, parse("type:kind7.done tracker")), "events_by_type"),
}


async def test_pages_of_the_timeline_are_read_in_the_order_of_the_index(plans: Plans) -> None:
    for name, (reading, index) in IN_ORDER.items():
        (plan,) = await plans.of(reading)
        assert index in plan, (name, plan)
        assert not any(sort in plan for sort in SORTS), (name, plan)


async def test_a_value_is_looked_up_in_its_index(plans: Plans) -> None:
    for name, (reading, index) in BY_VALUE.items():
        for plan in await plans.of(reading):
            assert index in plan, (name, plan)
            assert "Seq Scan" not in plan, (name, plan)


async def test_the_newest_of_some_types_are_walked_to_type_by_type(plans: Plans, database: Database) -> None:
    found = await plans.of(lambda r: r.newest_of_types(["kind7.done", "kind20*"], 20))
    assert len(found) == 12
    for plan in found:
        assert "events_by_type" in plan, plan
        if database.dialect != "postgresql":  # which would rather sort the ten that there are
            assert not any(sort in plan for sort in SORTS), plan


LATE = NOON + timedelta(seconds=STORED - 200.5)
LAST = NOON + timedelta(seconds=STORED - 20.5)
SPANS: dict[str, EventFilter] = {
    "latest": EventFilter(since=LATE),
    "between": EventFilter(since=LATE, until=LAST),
    "latest of a severity": EventFilter(since=LATE, severity="info"),
    "latest of a text": EventFilter(since=LATE, text="kind"),
}


async def test_what_a_span_counts_among_the_events_is_looked_up_by_time(plans: Plans) -> None:
    await assert_spans_are_looked_up_by_time(plans)


async def test_a_span_is_looked_up_by_time_before_the_database_knows_its_events(
    own_database: Database,
) -> None:
    if own_database.dialect != "sqlite":
        pytest.skip("servers gather statistics by themselves")
    # SQLite has none until someone says `ANALYZE`, and evtop never does.
    await EventRepository(own_database).append([event_of(number) for number in range(1000)])
    plans = Plans(own_database)
    await assert_spans_are_looked_up_by_time(plans)
    found = await plans.of(lambda r: r.newest_of_types(["kind7.done", "kind20*"], 20))
    assert not any(sort in plan for plan in found for sort in SORTS), found


async def assert_spans_are_looked_up_by_time(plans: Plans) -> None:
    for name, chosen in SPANS.items():
        readings: dict[str, Reading] = {
            "count": lambda r, chosen=chosen: r.count(chosen),
            "histogram": lambda r, chosen=chosen: r.histogram(NOON, None, 5, chosen),
            **{
                f"facets {facet}": lambda r, chosen=chosen, facet=facet: r.facets(facet, chosen)
                for facet in Facet
            },
        }
        for reading in readings:
            for plan in await plans.of(readings[reading]):
                # Servers weigh what they know of the events, and may find another index as good.
                index = "events_by_time" if plans.dialect == "sqlite" else "events_by_"
                assert index in plan, (name, reading, plan)
                assert "SCAN events" not in plan, (name, reading, plan)
                assert "Seq Scan" not in plan, (name, reading, plan)


async def test_what_the_full_text_index_names_is_looked_up_by_position(
    plans: Plans, database: Database
) -> None:
    await build_search_index(database)
    rare = parse("kind210.done")
    for reading in (
        lambda r: r.newest(20, rare),
        lambda r: r.before(MIDDLE, 20, rare),
        lambda r: r.count(rare),
        lambda r: r.facets(Facet.STATUS, EventFilter(query=rare)),
    ):
        found = await plans.of(reading)
        assert len(found) == 3, "the blocks, what is not indexed yet, and what was asked for"
        for plan in found:
            assert "events_by_" not in plan, plan
            assert "SCAN events" not in plan, plan
            assert "Seq Scan" not in plan, plan


async def test_the_edges_of_a_category_are_looked_up_in_its_index(plans: Plans, database: Database) -> None:
    chosen = EventFilter(category="category7", since=LATE, until=LAST)
    for plan in await plans.of(lambda r: r.facets(Facet.EVENT_TYPE, chosen)):
        assert "events_by_" in plan, plan
        if database.dialect == "sqlite":
            assert "inserted_at>? AND inserted_at<?" in plan, plan


async def test_a_resource_is_looked_up_in_the_index_of_each_role(plans: Plans) -> None:
    readings: list[Reading] = [
        lambda r: r.resource_events("download", "8", 20),
        lambda r: r.resource_events("download", "8", 20, before=MIDDLE),
        lambda r: r.resource_events("download", "8", 20, after=MIDDLE),
    ]
    for reading in readings:
        primary, secondary = await plans.of(reading)
        assert "events_by_resource" in primary, primary
        assert "events_by_secondary_resource" in secondary, secondary
    (plan,) = await plans.of(lambda r: r.newest(20, parse("resource:download/8")))
    assert "events_by_resource" in plan, plan
    assert "events_by_secondary_resource" in plan, plan


async def test_catching_up_and_ids_are_looked_up(plans: Plans, database: Database) -> None:
    keys = {
        "sqlite": ("PRIMARY KEY", "sqlite_autoindex"),
        "postgresql": ("_pkey", "_id_key"),
        "mariadb": ("PRIMARY", "id"),
    }
    position, identifier = keys[database.dialect]
    (plan,) = await plans.of(lambda r: r.after(STORED - 50))
    assert position in plan, plan
    assert not any(sort in plan for sort in SORTS), plan
    for reading in (
        lambda r: r.get([UUID(int=5)]),
        lambda r: r.newest(20, parse(f"id:{UUID(int=7)}")),
    ):
        (plan,) = await plans.of(reading)
        assert identifier in plan, plan

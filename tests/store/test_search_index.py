"""The full-text index changes how soon an answer is there, and never the answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import delete, func, select, table, text, update

from store.database import Database
from store.errors import StoreUnavailableError
from store.event import Event, search_text
from store.event_counts import Facet
from store.event_filter import EventFilter
from store.event_groups import GroupField
from store.event_selection import Cursor
from store.query import compile_predicate, parse
from store.query.needles import needles_of
from store.query.syntax import Node
from store.repository import EventRepository
from store.retention import RetentionPolicy, prune
from store.search import building, fts5, lookup
from store.search.building import advance, build_search_index
from store.search.cleaning import clean_search_index
from store.search.grams import BLOCK, block_of, document, words_of
from store.search.lookup import Extent, TextLookup, planned
from store.tables import event_head, events, search_blocks
from tests.events import NOON, at, make_event
from tests.store.retained import NOW, history
from tests.store.test_query_agreement import BATCHES_AND_QUERIES

WORDS = (
    "tracker",
    "timeout",
    "Straße",
    "夜の電車",
    "quota",
    "50%",
    "a_b",
    "x*y",
    "disk's",
    '"quoted"',
    "refused",
)
QUERIES = (
    "tracker",
    "TIMEOUT refused",
    "STRASSE",
    "夜の電",
    "の電",
    "a_b",
    "50% -quota",
    "disk's",
    "ack",
    "id-0007",
    "id-0007 OR id-0011 OR tracker quota",
    "tracker OR severity:error",
    "-tracker",
    "/id-00[12]\\d/",
    "/(?-i)no such text/",
    "@reason:*timeout*",
    "@code:17",
    "@nested.code:17",
    "type:download.failed tracker",
    "nowhere-to-be-found",
)
LEAST, MOST = 5, 2000


def random_event(number: int, draw: Random) -> Event:
    metadata = {
        "reason": " ".join(draw.choices(WORDS, k=2)),
        "code": draw.randrange(40),
        "nested": {"code": draw.randrange(40)},
    }
    return make_event(
        number,
        event_type=draw.choice(["download.failed", "job.executed"]),
        severity=draw.choice(["info", "error", None]),
        resource_id=f"id-{draw.randrange(40):04}",
        metadata=metadata,
        # Late ones among them: positions are not in the order of time.
        inserted_at=at(draw.randrange(600)),
    )


async def fill(repository: EventRepository, size: int, seed: int = 1) -> list[Event]:
    draw = Random(seed)
    batch = [random_event(number, draw) for number in range(size)]
    return (await repository.append(batch)).events


def timeline(batch: Sequence[Event]) -> list[Event]:
    return sorted(batch, key=lambda event: event.sort_key, reverse=True)


async def assert_answers(database: Database, batch: Sequence[Event]) -> None:
    """Every way of reading gives what the predicate chooses of `batch`."""
    repository, first = EventRepository(database), min(event.inserted_at for event in batch)
    for query in QUERIES:
        node = parse(query)
        wanted = timeline(list(filter(compile_predicate(node), batch)))
        assert await repository.newest(MOST, node) == wanted, query
        assert await repository.newest(7, EventFilter(query=node)) == wanted[:7], query
        middle = Cursor(at(300), make_event(0).id)
        place = (middle.inserted_at, middle.id.int)
        older = [event for event in wanted if event.sort_key < place]
        newer = [event for event in wanted if event.sort_key > place]
        assert await repository.before(middle, LEAST, node) == older[:LEAST], query
        assert await repository.following(middle, LEAST, node) == newer[-LEAST:], query
        span = EventFilter(query=node, since=at(100), until=at(400))
        within = [event for event in wanted if at(100) <= event.inserted_at < at(400)]
        assert await repository.newest(MOST, span) == within, query
        assert await repository.count(node) == len(wanted), query
        assert await repository.count(span) == len(within), query
        kinds = dict(await repository.facets(Facet.EVENT_TYPE, EventFilter(query=node)))
        assert sum(kinds.values()) == len(wanted), query
        grouped = await repository.groups([GroupField.HOUR], EventFilter(query=node))
        assert sum(group.count for group in grouped) == len(wanted), query
        found = await repository.histogram(first, at(600), 1, EventFilter(query=node))
        assert sum(count for _, _, count in found) == len(wanted), query
        assert (await repository.overview(7, NOON, node)).newest == wanted[:7], query


@pytest.mark.thorough
async def test_the_answer_is_the_same_without_an_index_with_a_part_of_it_and_with_all(
    database: Database, repository: EventRepository
) -> None:
    batch = await fill(repository, 150)
    await assert_answers(database, batch)
    step = await advance(database, 4)
    assert 0 < step.position < step.last == 150
    assert not step.is_up_to_date
    await assert_answers(database, batch)
    whole = await build_search_index(database)
    assert whole.is_up_to_date
    assert whole.hindrance is None
    assert whole.position == block_of(whole.last + 1) * BLOCK - 1
    await assert_answers(database, batch)


class Searched:
    """A store that is filled anew and indexed each time, for plain functions."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._database = self._loop.run_until_complete(Database.open(url))

    def fill(self, batch: Sequence[Event]) -> None:
        """Replace what is stored, the index included."""
        self._loop.run_until_complete(self._fill(batch))

    def found(self, node: Node) -> list[Event]:
        """The events of `node`, newest first."""
        return self._loop.run_until_complete(EventRepository(self._database).newest(100, node))

    def close(self) -> None:
        self._loop.run_until_complete(self._database.close())
        self._loop.close()

    async def _fill(self, batch: Sequence[Event]) -> None:
        repository = EventRepository(self._database)
        await repository.clear()
        await repository.append(batch)
        assert (await build_search_index(self._database)).position >= len(batch) // BLOCK * BLOCK - 1


@pytest.fixture(scope="module")
def searched(migrated_url: str) -> Iterator[Searched]:
    opened = Searched(migrated_url)
    yield opened
    opened.close()


@pytest.mark.thorough
@settings(
    derandomize=True,
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(BATCHES_AND_QUERIES)
def test_index_and_predicate_choose_the_same_events(
    searched: Searched, drawn: tuple[list[Event], list[Node]]
) -> None:
    batch, nodes = drawn
    # The first block is full, and the second is not.
    rest = range(2 * BLOCK - 4 - len(batch))
    batch = [*batch, *(make_event(number, id=UUID(int=2**100 + number)) for number in rest)]
    searched.fill(batch)
    for node in nodes:
        found = searched.found(node)
        assert [e.id for e in found] == [
            e.id for e in timeline(list(filter(compile_predicate(node), batch)))
        ], node


async def test_a_rare_word_is_looked_up_and_not_looked_for(
    database: Database, repository: EventRepository
) -> None:
    batch = await fill(repository, 100)
    await build_search_index(database)
    lookup = TextLookup(database.dialect)
    wanted = parse("tracker id-0007")
    async with database.read() as connection:
        found = await lookup.positions(connection, wanted)
        assert found is not None
        assert sorted(found) == [e.position for e in batch if compile_predicate(wanted)(e)]
        for nothing_to_look_up in ("ab", "-tracker", "tracker OR ab", "severity:error", ""):
            assert await lookup.positions(connection, parse(nothing_to_look_up)) is None


BUILDER = """
import asyncio, sys
from store.database import Database
from store.search.building import build_search_index

async def main(url):
    database = await Database.open(url)
    await build_search_index(database, lambda indexed: print(indexed.position, flush=True))
    await database.close()

asyncio.run(main(sys.argv[1]))
"""
ROOT = Path(__file__).parents[2]


@pytest.mark.thorough
async def test_a_builder_that_is_killed_loses_nothing(
    database: Database, repository: EventRepository, migrated_url: str
) -> None:
    batch = await fill(repository, 1500)
    for steps in (1, 2):
        with subprocess.Popen(
            [sys.executable, "-c", BUILDER, migrated_url], stdout=subprocess.PIPE, cwd=ROOT
        ) as builder:
            assert builder.stdout is not None
            for _ in range(steps):
                await asyncio.to_thread(builder.stdout.readline)
            builder.kill()
    # What a server had begun for it may go on for a moment, and is done or not.
    assert (await build_search_index(database)).is_up_to_date
    await assert_answers(database, batch)


@pytest.mark.thorough
async def test_several_builders_at_once_do_no_harm(
    database: Database, repository: EventRepository, migrated_url: str
) -> None:
    batch = await fill(repository, 1500)
    others = [await Database.open(migrated_url) for _ in range(2)]
    try:
        found = await asyncio.gather(*map(build_search_index, (database, *others)))
    finally:
        for other in others:
            await other.close()
    assert all(indexed.is_up_to_date for indexed in found)
    await assert_answers(database, batch)


@pytest.mark.thorough
async def test_what_is_appended_while_the_index_is_built_is_found(
    database: Database, repository: EventRepository
) -> None:
    batch: list[Event] = []
    draw = Random(3)

    async def append() -> None:
        for start in range(0, 400, 20):
            events_of_it = [random_event(number, draw) for number in range(start, start + 20)]
            batch.extend((await repository.append(events_of_it)).events)

    async def build() -> None:
        while len(batch) < 400:
            await advance(database, 1)

    await asyncio.gather(append(), build())
    await assert_answers(database, batch)


@pytest.mark.thorough
async def test_a_store_that_was_cleared_is_indexed_anew(
    database: Database, repository: EventRepository
) -> None:
    await fill(repository, 200)
    await build_search_index(database)
    await repository.clear()
    assert await repository.newest(10, parse("tracker")) == []
    batch = await fill(repository, 150, seed=2)
    await assert_answers(database, batch)
    await advance(database, 3)
    await assert_answers(database, batch)
    await build_search_index(database)
    await clean_search_index(database)
    await assert_answers(database, batch)


async def test_a_store_that_is_cleared_while_texts_are_read_is_not_indexed_by_them(
    database: Database, repository: EventRepository, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(repository, 40)
    batch: list[Event] = []

    async def replace_all() -> None:
        other = await Database.open(migrated_url)
        try:
            await EventRepository(other).clear()
            batch.extend(await fill(EventRepository(other), 60, seed=2))
        finally:
            await other.close()

    documents = building._documents

    def late(texts: Sequence[tuple[int, str]]) -> object:
        if not batch:
            asyncio.run(replace_all())
        return documents(texts)

    monkeypatch.setattr(building, "_documents", late)
    await build_search_index(database)
    assert len(batch) == 60
    await assert_answers(database, batch)


@pytest.mark.thorough
async def test_what_retention_deletes_leaves_the_index(
    database: Database, repository: EventRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fts5, "CHAPTER", 4)
    past = sorted(history(600, 1), key=lambda event: event.sort_key)
    batch = (await repository.append(past)).events
    await build_search_index(database)
    before = await documents_of(database)
    await prune(database, RetentionPolicy(days=50, by_category={"audit": 90}), now=NOW)
    left = await repository.newest(1000)
    assert 0 < len(left) < len(batch)
    wanted = [event for event in timeline(left) if "job" in search_text(event)]
    assert await repository.newest(1000, parse("job")) == wanted
    await prune(database, RetentionPolicy(days=1), now=NOW, trust_clock=True)
    left = await repository.newest(1000)
    assert 0 < len(left) < 100
    assert await documents_of(database) < before / 2
    # And it goes on where it was.
    added = (
        await repository.append([random_event(10**6 + number, Random(number)) for number in range(100)])
    ).events
    await build_search_index(database)
    await assert_answers(database, [*left, *added])


async def documents_of(database: Database) -> int:
    """How much there is of the index: documents, or on SQLite rows of its tables."""
    async with database.read() as connection:
        if database.dialect != "sqlite":
            return (await connection.execute(select(func.count()).select_from(search_blocks))).scalar_one()
        names = await connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE name GLOB 'event_search_*_data'"
        )
        counts = [
            (await connection.execute(select(func.count()).select_from(table(name)))).scalar_one()
            for name in names.scalars().all()
        ]
        return sum(counts)


async def test_a_store_whose_first_events_are_long_gone_is_indexed_from_the_first_that_is_there(
    database: Database, repository: EventRepository
) -> None:
    batch = await fill(repository, 20)
    far = 10**9
    async with database.write() as connection:
        await connection.execute(delete(events))
        await connection.execute(update(event_head).values(position=far))
    draw = Random(4)
    batch = (await repository.append([random_event(number, draw) for number in range(100)])).events
    assert batch[0].position == far + 1
    assert (await advance(database)).position > far
    await build_search_index(database)
    await assert_answers(database, batch)


async def test_frequent_words_are_looked_for_and_rare_ones_looked_up(
    database: Database, repository: EventRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = await fill(repository, 300)
    await build_search_index(database)
    monkeypatch.setattr(lookup, "FEWEST_BLOCKS", 3)
    monkeypatch.setattr(lookup, "ROWS_A_BLOCK", 0)
    asked = TextLookup(database.dialect)
    rare = make_event(10**6, metadata={"title": "needle in a haystack"}, inserted_at=at(5))
    batch += (await repository.append([rare])).events
    async with database.read() as connection:
        for _ in range(2):
            assert await asked.positions(connection, parse("tracker")) is None
        found = await asked.positions(connection, parse("haystack"))
        assert found == [301]
    await assert_answers(database, batch)


@pytest.mark.thorough
async def test_a_damaged_index_is_not_asked(own_database: Database) -> None:
    repository = EventRepository(own_database)
    batch = await fill(repository, 100)
    await build_search_index(own_database)
    async with own_database.write() as connection:
        if own_database.dialect == "sqlite":
            await connection.exec_driver_sql("DELETE FROM event_search_0_data")
        else:
            await connection.exec_driver_sql("DROP TABLE search_blocks")
    await assert_answers(own_database, batch)


@pytest.mark.thorough
async def test_words_are_looked_up_where_the_store_may_only_be_read(url: str) -> None:
    database = await Database.open(url)
    batch = await fill(EventRepository(database), 100)
    await build_search_index(database)
    await database.close()
    path = url.removeprefix("sqlite:///")
    reader = await Database.open(f"sqlite:///file:{path}?mode=ro&uri=true")
    try:
        async with reader.read() as connection:
            assert await TextLookup("sqlite").positions(connection, parse("tracker")) is not None
        await assert_answers(reader, batch)
        with pytest.raises(StoreUnavailableError, match="only reading is allowed here"):
            await repository_of_more(url, reader)
    finally:
        await reader.close()


async def repository_of_more(url: str, reader: Database) -> None:
    """Add what is not indexed yet, and have it indexed by who may not."""
    writer = await Database.open(url)
    try:
        await fill(EventRepository(writer), 200, seed=9)
    finally:
        await writer.close()
    await build_search_index(reader)


async def test_an_sqlite_without_the_module_has_no_index_and_the_same_answers(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is asked for when such an SQLite is not at hand: a module of another name.
    monkeypatch.setattr(
        fts5, "_HAS_MODULE", text("SELECT 1 FROM pragma_module_list WHERE name = 'no_such_module'")
    )
    database = await Database.open(url)
    try:
        batch = await fill(EventRepository(database), 50)
        indexed = await build_search_index(database)
        assert indexed.hindrance == "this SQLite was built without FTS5"
        assert indexed.position == 0
        await clean_search_index(database)
        await assert_answers(database, batch)
    finally:
        await database.close()


@pytest.mark.parametrize(
    ("query", "needles"),
    [
        ("Tracker", (("tracker",),)),
        ("tracker timeout", (("tracker", "timeout"),)),
        ("tracker OR timeout", (("tracker",), ("timeout",))),
        ("a (b OR c)", (("a", "b"), ("a", "c"))),
        ("a severity:error -b", (("a",),)),
        ("a OR severity:error", None),
        ("-a", None),
        ("a OR b OR c OR d OR e", None),
        ("/timed (out|in)/", (("timed ",),)),
        ("@error:timeout", (("\nerror\ntimeout",),)),
        ("severity:error", None),
    ],
)
def test_what_the_text_of_all_that_match_has(query: str, needles: object) -> None:
    assert needles_of(parse(query)) == needles


def test_when_the_index_is_asked() -> None:
    near, far = Extent(10**6 - 1, 10**6), Extent(10**6 - 1, 10**7)
    plan = planned((("tracker",), ("ab", "timeout")), near)
    assert plan is not None
    assert plan.alternatives == (tuple(sorted(words_of("tracker"))), tuple(sorted(words_of("timeout"))))
    assert plan.most_blocks > 1000
    assert planned((("tracker",),), far) is None, "it is too far behind"
    assert planned((("tracker",),), Extent(0, 10)) is None, "there is nothing in it"
    assert planned((("ab",),), near) is None, "too short"
    assert planned((("tracker",), ("ab",)), near) is None, "one alternative is too short"
    assert planned(None, near) is None
    long = planned((("".join(map(chr, range(97, 123))),),), near)
    assert long is not None
    assert 1 < len(long.alternatives[0]) <= 12


def test_any_part_of_a_text_has_words_of_its_own_document() -> None:
    draw = Random(5)
    texts = ["".join(draw.choices("aäß夜😀\n -_.:/0\ud800", k=draw.randrange(40))) for _ in range(50)]
    words = set(document(texts).split())
    assert all(len(word) == 3 and word.isascii() and word.isalnum() for word in words)
    for piece in texts:
        start, end = sorted(draw.choices(range(len(piece) + 1), k=2))
        assert words_of(piece[start:end]) <= words
    assert words_of("ab") == words_of("") == set()

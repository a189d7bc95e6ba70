"""The SQL condition of a query and its predicate choose the same events."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database_url import parsed
from store.event import ActorType, Event, Severity, search_text
from store.event_rows import read_events
from store.event_selection import page, recheck
from store.query import QueryError, compile_predicate, parse
from store.query.folding import folded_search
from store.query.parser import QUERY_MAX_LEVELS
from store.query.regex import written_pattern
from store.query.sql import where
from store.query.syntax import And, Compare, Exists, Field, Node, Not, Op, Or, Path, Regex, Since, Text, Until
from store.tables import events

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class Stored:
    """A table of events on a connection of its own, in a transaction that is never committed."""

    def __init__(self, url: str) -> None:
        address, kind = parsed(url)
        # Hypothesis calls plain functions, so that the loop is turned by hand.
        self._loop = asyncio.new_event_loop()
        self._engine = kind.create_engine(address)
        self._connection = self._loop.run_until_complete(self._engine.connect().start())

    def fill(self, batch: Sequence[Event]) -> None:
        """Replace what is stored."""
        rows = [
            {**event.model_dump(), "position": position, "search_text": search_text(event)}
            for position, event in enumerate(batch, 1)
        ]
        self._loop.run_until_complete(self._connection.execute(events.delete()))
        self._loop.run_until_complete(self._connection.execute(events.insert(), rows))

    def found(self, node: Node) -> set[UUID]:
        """What the condition of `node` chooses, and where that alone is not exact, whoever reads it keeps."""
        wanted = recheck(node)
        if wanted is not None:
            return {event.id for event in self.narrowed(node) if wanted(event)}
        chosen = where(node, self._engine.dialect.name)
        rows = self._loop.run_until_complete(self._connection.execute(sa.select(events.c.id).where(chosen)))
        return set(rows.scalars())

    def narrowed(self, node: Node) -> list[Event]:
        """The events, read back, that the condition of `node` chooses."""
        reading = read_events(self._connection, page(node, self._engine.dialect.name), 10_000)
        return self._loop.run_until_complete(reading)[0]

    def close(self) -> None:
        for ending in (self._connection.close(), self._engine.dispose()):
            self._loop.run_until_complete(ending)
        self._loop.close()


@pytest.fixture(scope="module")
def stored(migrated_url: str) -> Iterator[Stored]:
    opened = Stored(migrated_url)
    yield opened
    opened.close()


def expected(batch: Sequence[Event], node: Node) -> set[UUID]:
    matches = compile_predicate(node)
    return {event.id for event in batch if matches(event)}


# Few characters, so that values collide: case, several folds of one letter, folds to several letters, what
# LIKE, GLOB and the query language take as special, and separators.
CHARACTERS = "aAbBsSſßẞkK\u212aiİı\u0307fFﬁﬀﬃstﬆéÉe\u0301σςΣιᾳᾼΑα%_*[]?^-\\'\"\n /:0😀"
VALUES = st.text(CHARACTERS, min_size=1, max_size=6)
KINDS = st.sampled_from(["download", "Download", "dow_load", "straße", "a:b", "%"]) | VALUES
LETTERS = st.text("abcf_-0", min_size=1, max_size=3)
TYPES = st.sampled_from(["download.failed", "download.done", "down_load.failed"]) | st.builds(
    "{}.{}".format, LETTERS, LETTERS
)
IDS = st.builds(lambda number: UUID(int=number), st.integers(0, 2**128 - 1))


def maybe(values: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.none() | values


KEYS = st.sampled_from(["a", "b", "A", "", "ß", "ss", "a.b", "0"]) | VALUES
SCALARS: st.SearchStrategy[Any] = st.one_of(
    VALUES,
    st.sampled_from(["", "1", "1.0", "01", "true", "null", "-0", "é", "e\u0301"]),
    st.integers(-2, 2),
    st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63), 10**16]),
    st.sampled_from([0.0, -0.0, 1.0, 0.1, 0.30000000000000004, 1e16, 1e23, 5e-324, 1.7976931348623157e308]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
METADATA = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS,
        lambda inner: st.dictionaries(KEYS, inner, max_size=2) | st.lists(inner, max_size=2),
        max_leaves=4,
    ),
    max_size=3,
)

EVENTS = st.builds(
    Event,
    id=IDS,
    event_type=TYPES,
    category=st.sampled_from(["downloads", "Downloads"]) | VALUES,
    actor_type=st.sampled_from(ActorType),
    actor_id=maybe(VALUES),
    resource_type=maybe(KINDS),
    resource_id=maybe(VALUES),
    secondary_resource_type=maybe(KINDS),
    secondary_resource_id=maybe(VALUES),
    status=maybe(VALUES),
    severity=st.none() | st.sampled_from(Severity),
    metadata=METADATA,
    inserted_at=st.integers(0, 9).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)
MOMENTS = st.integers(-1, 11).flatmap(
    lambda seconds: st.sampled_from([-1, 0, 1]).map(
        lambda rest: NOON + timedelta(seconds=seconds, microseconds=rest)
    )
)
BATCHES = st.lists(EVENTS, min_size=1, max_size=8, unique_by=lambda event: event.id)


def values_in(batch: Sequence[Event]) -> list[str]:
    """Everything that a query could ask for and find."""
    values = {value for event in batch for value in search_text(event).split("\n")}
    for event in batch:
        values.update(str(value) for value in event.model_dump(exclude={"metadata"}).values() if value)
        values.update(filter(None, [event.actor, event.resource, event.secondary_resource]))
    return sorted(values - {""})


def starred(text: str, places: Sequence[int]) -> str:
    for place in places:
        cut = place % (len(text) + 1)
        text = f"{text[:cut]}*{text[cut + place % 3 :]}"
    return text


def paths_in(batch: Sequence[Event]) -> list[tuple[Path, Any]]:
    """Every place in the metadata of `batch`, with what is there."""
    found: list[tuple[Path, Any]] = []

    def collect(value: dict[str, Any], keys: tuple[str, ...]) -> None:
        for key, item in value.items():
            found.append((Path((*keys, key)), item))
            if isinstance(item, dict):
                collect(item, (*keys, key))

    for event in batch:
        collect(event.metadata, ())
    return found


NUMBERS = ["0", "-0", "0.0", "1", "1.0", "1e0", "0.1", "0.10", "1e23", "1e400", "9007199254740993", "1e16"]
NUMBERS += ["99999999999999991611392", "9223372036854775807", "10000000000000000", "4.9e-324", "-2"]


def about_metadata(batch: Sequence[Event]) -> st.SearchStrategy[Node]:
    """Queries about places that are there, often with what is there, and about places that are not."""
    known = paths_in(batch)
    paths = st.builds(Path, st.lists(KEYS, min_size=1, max_size=2).map(tuple))
    texts = SCALARS.map(as_asked) | st.sampled_from([*NUMBERS, "false"]) | VALUES
    if known:
        there = [(path, as_asked(value)) for path, value in known]
        paths |= st.sampled_from([path for path, _ in known])
        texts |= st.sampled_from([text for _, text in there])
        exact = st.sampled_from([Compare(path, Op.EQ, text) for path, text in there])
    else:
        exact = st.nothing()
    globs = st.builds(starred, texts, st.lists(st.integers(0, 12), min_size=1, max_size=3))
    numbers = st.sampled_from(NUMBERS) | st.integers(-3, 3).map(str)
    return st.one_of(
        exact,
        st.builds(Exists, paths),
        st.builds(Compare, paths, st.just(Op.EQ), texts),
        st.builds(Compare, paths, st.just(Op.CONTAINS), texts | texts.map(str.swapcase)),
        st.builds(Compare, paths, st.just(Op.GLOB), globs),
        st.builds(Compare, paths, st.just(Op.REGEX), patterns(texts)),
        st.builds(Compare, paths, st.sampled_from([Op.LT, Op.LE, Op.GT, Op.GE]), numbers),
    )


def patterns(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Regular expressions that find `texts`, or nearly so."""
    pieces = texts.map(lambda text: re.sub(r"\n|[^\w\s]", r".", text)) | st.sampled_from(
        ["^", "$", ".*", "(a|b)", "[^a]", "x?", "s+", "k{2}", r"\d", r"\.", "(?-i)", "|"]
    )
    return st.lists(pieces, min_size=1, max_size=3).map("".join).filter(is_regex)


def is_regex(pattern: str) -> bool:
    try:
        return bool(written_pattern(pattern))
    except QueryError:
        return False


def as_asked(value: Any) -> str:
    """A value of the metadata as someone would write it."""
    return value if isinstance(value, str) else json.dumps(value)


def queries(batch: Sequence[Event]) -> st.SearchStrategy[Node]:
    whole = st.sampled_from(values_in(batch)) | VALUES | st.just("")
    part = st.builds(
        lambda text, start, size: text[start : start + size], whole, st.integers(0, 6), st.integers(0, 9)
    )
    wanted = whole | part
    needles = wanted | wanted.map(str.swapcase) | wanted.map(str.casefold)
    leaves: st.SearchStrategy[Node] = st.one_of(
        st.builds(Text, needles),
        st.builds(Exists, st.sampled_from(Field)),
        st.builds(Compare, st.sampled_from(Field), st.just(Op.EQ), wanted),
        st.builds(Compare, st.sampled_from(Field), st.just(Op.CONTAINS), needles),
        st.builds(
            Compare,
            st.sampled_from(Field),
            st.just(Op.GLOB),
            st.builds(starred, wanted, st.lists(st.integers(0, 12), max_size=3)),
        ),
        st.builds(
            Compare,
            st.just(Field.SEVERITY),
            st.sampled_from([Op.EQ, Op.LT, Op.LE, Op.GT, Op.GE]),
            st.sampled_from(["info", "warning", "error"]),
        ),
        about_metadata(batch),
        st.builds(Since, MOMENTS) | st.builds(Until, MOMENTS),
        st.builds(Regex, patterns(needles)),
        st.builds(Compare, st.sampled_from(Field), st.just(Op.REGEX), patterns(needles)),
    )

    def grown(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
        several = st.lists(operands, max_size=3).map(tuple)
        return st.builds(Not, operands) | st.builds(And, several) | st.builds(Or, several)

    return st.recursive(leaves, grown, max_leaves=5)


BATCHES_AND_QUERIES = BATCHES.flatmap(
    lambda batch: st.tuples(st.just(batch), st.lists(queries(batch), min_size=10, max_size=10))
)


@pytest.mark.thorough
@settings(
    derandomize=True,
    max_examples=70,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(BATCHES_AND_QUERIES)
def test_sql_and_predicate_choose_the_same_events(
    stored: Stored, drawn: tuple[list[Event], list[Node]]
) -> None:
    batch, nodes = drawn
    stored.fill(batch)
    for node in nodes:
        assert stored.found(node) == expected(batch, node), node


def test_numbers_are_found_however_they_are_written(stored: Stored) -> None:
    values = [
        0,
        0.0,
        -0.0,
        1,
        1.0,
        0.1,
        1e16,
        10**16,
        1e23,
        2**53 + 1,
        2**63 - 1,
        5e-324,
        -2,
        "1.0",
        True,
        None,
    ]
    batch = [Event(event_type="a.b", metadata={"n": value}) for value in values]
    stored.fill(batch)
    assert len(stored.found(parse("@n:0"))) == 3
    assert len(stored.found(parse("@n:0.10"))) == 1
    for text in [*NUMBERS, "true", "null", "5e-324", "0.1e0", "9007199254740993.0"]:
        for node in [Compare(Path(("n",)), Op.EQ, text), Not(Compare(Path(("n",)), Op.EQ, text))]:
            assert stored.found(node) == expected(batch, node), node


def test_moments_are_compared_to_the_microsecond_in_any_zone(stored: Stored) -> None:
    moments = [NOON + timedelta(microseconds=rest) for rest in (-1_000_000, -1, 0, 1, 1_000_000)]
    batch = [Event(event_type="a.b", inserted_at=moment) for moment in moments]
    stored.fill(batch)
    east = timezone(timedelta(hours=5, minutes=30))
    for number, moment in enumerate(moments):
        for asked in (moment, moment.astimezone(east)):
            assert stored.found(Since(asked)) == {event.id for event in batch[number:]}
            assert stored.found(Until(asked)) == {event.id for event in batch[:number]}
            for node in (Since(asked), Until(asked), Not(Since(asked))):
                assert stored.found(node) == expected(batch, node)


def test_a_place_in_the_metadata_is_narrowed_down_to_rows_that_name_it(stored: Stored) -> None:
    tries = [{"tries": 3}, {"tries": 3.0}, {"tries": "3"}, {"tries": 30}, {"tries": 4}, {"retries": 3}, {}]
    batch = [Event(event_type="a.b", metadata=metadata) for metadata in tries]
    stored.fill(batch)
    assert len(stored.narrowed(parse("@tries:3"))) == 4
    assert len(stored.narrowed(parse("@tries>3"))) == 5
    assert len(stored.narrowed(parse("@tries:*"))) == 5
    assert len(stored.narrowed(parse("/tri+es/ type:a.b"))) == 6
    assert len(stored.narrowed(parse("@tries:/x/"))) == 0
    assert len(stored.narrowed(parse("@tries:4 OR @nowhere:1"))) == 1
    assert len(stored.narrowed(parse("-@tries:3"))) == 7
    for text in ("@tries:3", "@tries>3", "@tries:*", "-@tries:3"):
        assert stored.found(parse(text)) == expected(batch, parse(text))


AWKWARD_WORDS = r"""
    a A ab aB a*b a?b a[b] [a] ] [ ? * a%b a_b % _ a\b \ a'b "a" a^b [^a] [a-b] a-b a!b ! -a
    straße STRASSE STRAẞE ſ K k İ i̇ ﬁ fi ΣΑΣ σας ᾳ αι É é 😀
"""
AWKWARD = [*AWKWARD_WORDS.split(), "\u212a", "e\u0301", "E\u0301", "a b", " a", "a ", "a\nb", "\n"]


@pytest.mark.thorough
@pytest.mark.parametrize("field", [Field.STATUS, Field.RESOURCE, Field.ACTOR])
def test_awkward_values_agree_with_each_other_as_values_parts_and_patterns(
    stored: Stored, field: Field
) -> None:
    batch = [
        Event(event_type="a.b", status=v, category=v, actor_id=v, resource_type=v, secondary_resource_id=v)
        for v in AWKWARD
    ]
    stored.fill(batch)
    for value in AWKWARD:
        nodes: list[Node] = [Compare(field, op, value) for op in (Op.EQ, Op.GLOB, Op.CONTAINS)]
        nodes += [
            Compare(field, Op.GLOB, pattern)
            for pattern in (f"{value}*", f"*{value}", f"*{value}*", f"*/{value}")
        ]
        for node in [Text(value), *nodes, *map(Not, nodes)]:
            assert stored.found(node) == expected(batch, node), node


def test_folded_search_agrees_on_every_character_with_a_fold(stored: Stored) -> None:
    """Each such character as a value, looked for by what it folds to and by each end of that."""
    characters = [c for c in map(chr, range(0x110000)) if c.casefold() != c]
    batch = [Event(event_type="a.b", status=character) for character in characters]
    stored.fill(batch)
    needles = {part for c in characters for f in [c.casefold()] for part in (f, f[0], f[-1]) if len(f) > 1}
    needles |= set(Random(7).sample([c.casefold() for c in characters], 200))
    for needle in sorted(needles):
        node = Compare(Field.STATUS, Op.CONTAINS, needle)
        assert stored.found(node) == expected(batch, node), ascii(needle)


@pytest.mark.parametrize(
    "needle", ["ss", "s", "ssi", "effi", "fi", "st", "ιστ", "αι", "και", "ffff", "\u0301x", "[s]", "a.s"]
)
def test_sets_of_characters_find_a_needle_wherever_folding_does(needle: str) -> None:
    """Done in Python, on random text of what folds to parts of the needle, as a database would do it."""
    random, (replaced, patterns) = Random(11), folded_search(needle)
    alphabet = [*needle, *replaced, *"".join("".join(places) for places in patterns), *"xßﬃᾳA"]
    regex = re.compile("|".join("".join(f"[{re.escape(place)}]" for place in places) for places in patterns))
    for _ in range(3000):
        text = "".join(random.choices(alphabet, k=4))
        replaced_text = "".join(replaced.get(character, character) for character in text)
        assert bool(regex.search(replaced_text)) == (needle in text.casefold()), ascii(text)


def deepest(leaf: Node) -> Node:
    """As deep as a query may be, with the deep part always last, where it costs a parser most."""
    node = leaf
    for level in range(QUERY_MAX_LEVELS):
        match level % 5:
            case 0 | 2:
                node = And((Text("a"), node))
            case 1 | 3:
                node = Or((Text("b"), Not(Text("c")), node))
            case _:
                node = Not(node)
    return node


@pytest.mark.parametrize("needle", ["timed out", "strasse office", "ιστορία", "ff" * 40, "όλα τα αρχεία"])
def test_the_deepest_query_and_the_longest_needle_still_run(stored: Stored, needle: str) -> None:
    batch = [Event(event_type="a.b", status=needle.upper()[:64]), Event(event_type="b.c")]
    stored.fill(batch)
    for node in (
        deepest(Compare(Field.RESOURCE, Op.CONTAINS, needle)),
        deepest(Compare(Field.STATUS, Op.CONTAINS, needle)),
        deepest(Compare(Path(("title", needle)), Op.EQ, "3")),
    ):
        assert stored.found(node) == expected(batch, node)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a " * 499, id="words"),
        pytest.param("-a " * 333, id="exclusions"),
        pytest.param("status~" + "s," * 490 + "s", id="parts"),
        pytest.param("resource~" + "s/:," * 247 + "s", id="parts of a pair"),
        pytest.param("resource:" + "a," * 490 + "a", id="pairs"),
        pytest.param("@a:" + "1," * 490 + "1", id="numbers in the metadata"),
        pytest.param("-@a:1 " * 166, id="exclusions of numbers"),
        pytest.param("-(" * 30 + "resource:" + "a," * 440 + "a" + ")" * 30, id="deep and wide"),
    ],
)
def test_the_widest_queries_still_run(stored: Stored, text: str) -> None:
    batch = [Event(event_type="a.b", status="a", resource_type="a"), Event(event_type="b.c")]
    stored.fill(batch)
    assert stored.found(parse(text)) == expected(batch, parse(text))


@pytest.mark.parametrize("value", ["a\x00b", "\ud800"])
def test_what_no_event_can_hold_is_found_nowhere(stored: Stored, value: str) -> None:
    batch = [Event(event_type="a.b", status="a", resource_type="a", actor_id="b")]
    stored.fill(batch)
    nodes: list[Node] = [Text(value)]
    fields = [*Field, Path(("a",)), Path((value,))]
    nodes += [Compare(field, op, value) for field in fields for op in (Op.EQ, Op.GLOB, Op.CONTAINS)]
    for node in nodes:
        assert stored.found(node) == expected(batch, node) == set()
        assert stored.found(Not(node)) == {batch[0].id}


@pytest.mark.parametrize("value", ["'; DROP TABLE events; --", "%", "a_b"])
def test_values_are_parameters(value: str) -> None:
    for dialect in ("sqlite", "postgresql", "mariadb"):
        for field in (*Field, Path((value,))):
            for op in (Op.EQ, Op.GLOB, Op.CONTAINS):
                assert value not in str(where(Compare(field, op, value), dialect))


def test_ordering_what_has_no_order_is_refused() -> None:
    with pytest.raises(QueryError, match="no order"):
        where(Compare(Field.RESOURCE, Op.GT, "a/b"))


def test_an_unknown_dialect_is_refused() -> None:
    with pytest.raises(ValueError, match="oracle"):
        where(Text("a"), "oracle")

"""What an event holds comes back to the letter, the microsecond and the bit, and compares as it does in Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from uuid import UUID

import pytest

from store.database import Database
from store.event import METADATA_MAX_BYTES, METADATA_MAX_DEPTH, Event, Severity, search_text
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.query import parse
from store.repository import EventRepository
from tests.events import NOON, at, make_event
from tests.store.oracle import assert_counted, newest_first, numbers, random_id

TEXTS = [
    *("a", "A", "a ", " a", "a  ", "\ta", "a\n", "a\r\n", "NULL", "0", "00", "1e3", "x" * 64),
    *(
        "ä",
        "a\u0308",
        "Ä",
        "ß",
        "ss",
        "ẞ",
        "SS",
        "é",
        "e\u0301",
        "ı",
        "i",
        "I",
        "İ",
        "Σ",
        "σ",
        "ς",
        "ﬀ",
        "ff",
    ),
    *(
        "Å",
        "\u212b",
        "a\u034f",
        "\u00a0",
        "\ufeff",
        "\u200b",
        "\u202e",
        "\uffff",
        "\U0010ffff",
        "😀",
        "👩\u200d👧",
    ),
    *("\x1b[2J", "\x7f", "\x01", "'", '"', "\\", "\\\\", "\\'", "%", "%s", "%%", "_", "*", "--", "/*", ";"),
    *("{}", "$1", ":a", "?"),
]
"""Each unlike every other, though a collation may think otherwise."""


async def stored(repository: EventRepository, event: Event) -> Event:
    """`event` as it comes back."""
    await repository.append([event])
    (found,) = await repository.get([event.id])
    return found


async def test_an_event_comes_back_as_it_was_with_its_position(repository: EventRepository) -> None:
    event = make_event(
        5,
        event_type="download.failed",
        actor_type="user",
        actor_id="Ann",
        resource_type="download",
        resource_id="9f3a",
        secondary_resource_type="episode",
        secondary_resource_id="s1e2",
        metadata={"title": "Ä\x1b[2J", "n": 2**63 - 1, "deep": [{"x": None}], "f": 1e300, "": False},
        status="failed",
        severity=Severity.WARNING,
        inserted_at=NOON + timedelta(microseconds=7),
    )
    appended = await repository.append([event])
    assert appended.events == [event.model_copy(update={"position": 1})]
    assert appended.duplicates == 0
    assert await repository.newest() == appended.events
    assert await repository.get([event.id]) == appended.events


async def test_text_is_kept_and_compared_to_the_letter(repository: EventRepository) -> None:
    assert len(set(TEXTS)) == len(TEXTS)
    batch = [
        make_event(
            number,
            status=text,
            actor_id=text,
            resource_type=text,
            resource_id=text,
            secondary_resource_type=text,
            secondary_resource_id=text,
            metadata={text: text},
        )
        for number, text in enumerate(TEXTS)
    ]
    await repository.append(batch)
    assert [event.model_copy(update={"position": None}) for event in await repository.after(0)] == batch
    for number, text in enumerate(TEXTS):
        for chosen in (
            EventFilter(status=text),
            EventFilter(actor_id=text),
            EventFilter(resource_type=text, resource_id=text),
        ):
            assert numbers(await repository.newest(1000, chosen)) == [number], ascii(text)
        assert numbers(await repository.resource_events(text, text)) == [number], ascii(text)
        folded = text.casefold()
        having = [event for event in batch if folded in search_text(event)]
        assert await repository.count(EventFilter(text=text)) == len(having), ascii(text)


async def test_kinds_are_counted_to_the_letter(database: Database, repository: EventRepository) -> None:
    texts = {text.lower() for text in TEXTS}
    batch = [make_event(number, category=text) for number, text in enumerate(sorted(texts))]
    await repository.append(batch)
    await assert_counted(database, batch)
    for event in batch:
        assert await repository.count(EventFilter(category=event.category)) == 1, ascii(event.category)


async def test_the_longest_values_fit_every_column_and_index_at_once(repository: EventRepository) -> None:
    widest = "\U0010fffe"
    event = make_event(
        1,
        event_type="a." + "b" * 126,
        category=widest * 64,
        actor_type="system",
        actor_id=widest * 255,
        resource_type=widest * 64,
        resource_id=widest * 255,
        secondary_resource_type=widest * 64,
        secondary_resource_id=widest * 255,
        status=widest * 64,
        severity="warning",
    )
    assert (await stored(repository, event)).model_copy(update={"position": None}) == event
    assert numbers(await repository.resource_events(widest * 64, widest * 255)) == [1]
    chosen = EventFilter(category=event.category, event_type=event.event_type, severity="warning")
    assert await repository.count(chosen) == 1


async def test_a_batch_of_the_largest_metadata_is_kept_with_its_search_text(
    repository: EventRepository,
) -> None:
    # Each of these letters takes three bytes, and six once it is folded to three others.
    text = "\ufb03" * ((METADATA_MAX_BYTES - 40) // 3)
    batch = [make_event(number, metadata={"text": text, "end": "zz"}) for number in range(40)]
    assert len(search_text(batch[0]).encode()) < METADATA_MAX_BYTES
    greek = "\u1fb7" * ((METADATA_MAX_BYTES - 40) // 3)
    batch.append(make_event(99, metadata={"text": greek, "end": "zz"}))
    assert len(search_text(batch[-1]).encode()) > 1.9 * METADATA_MAX_BYTES
    await repository.append(batch)
    assert await repository.count(EventFilter(text="ffi" * 1000 + "\nend\nzz")) == 40
    assert await repository.count(EventFilter(text="\nend\nzz")) == 41
    (found,) = await repository.get([UUID(int=99)])
    assert found.metadata == batch[-1].metadata


MOMENTS = [
    datetime(2, 1, 1, tzinfo=UTC),
    datetime(999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1582, 10, 10, tzinfo=UTC),
    datetime(1900, 2, 28, 23, 59, 59, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2016, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    # Twice or never on the clocks of some zones.
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
    datetime(2106, 2, 7, 6, 28, 16, 1, tzinfo=UTC),
    datetime(6500, 6, 1, 12, 59, 59, 999999, tzinfo=UTC),
    datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
]


async def test_any_moment_is_kept_to_the_microsecond_and_counted_in_its_minute(
    database: Database, repository: EventRepository
) -> None:
    batch = [make_event(number, inserted_at=moment) for number, moment in enumerate(MOMENTS)]
    await repository.append(batch)
    found = await repository.newest()
    assert [event.inserted_at for event in found] == MOMENTS[::-1]
    assert all(event.inserted_at.tzinfo is UTC for event in found)
    await assert_counted(database, batch)
    for event in batch:
        before = await repository.before(Cursor.of(event), 100)
        assert numbers(before) == list(range(event.id.int - 1, -1, -1))
        (first, *_) = await repository.histogram(event.inserted_at, event.inserted_at)
        assert first == (event.inserted_at.replace(second=0, microsecond=0), "info", 1)
        scanned = await repository.histogram(
            event.inserted_at, event.inserted_at, 1, EventFilter(actor_type="system")
        )
        assert scanned == [first]


async def test_a_moment_of_another_zone_is_the_same_moment(repository: EventRepository) -> None:
    elsewhere = at(3).astimezone(timezone(timedelta(hours=5, minutes=45)))
    event = await stored(repository, make_event(3, inserted_at=elsewhere))
    assert event.inserted_at == at(3)
    assert numbers(await repository.newest(9, EventFilter(since=elsewhere))) == [3]
    assert await repository.newest(9, EventFilter(until=elsewhere)) == []
    assert await repository.before(Cursor(elsewhere, UUID(int=3))) == []
    assert numbers(await repository.before(Cursor(elsewhere, UUID(int=4)))) == [3]


async def test_a_cursor_without_a_zone_is_refused(repository: EventRepository) -> None:
    with pytest.raises(ValueError, match="the moment of a cursor needs a zone"):
        await repository.before(Cursor(at(3).replace(tzinfo=None), UUID(int=3)))


def nested(levels: int) -> Any:
    value: Any = {}
    for level in range(levels - 1):
        value = {"a": value} if level % 2 else [value]
    return {"a": value}


METADATA: list[dict[str, Any]] = [
    {},
    {"": ""},
    {"": {"": [{"": None}]}},
    {"a": 1, "b": 1.0, "c": True, "d": False, "e": None, "f": [], "g": {}},
    {"n": [0, -1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]},
    {"x": [0.1, 1e300, -1e-300, 5e-324, 1.7976931348623157e308, 1e16, 123456789.123456789, -0.5, 1e22]},
    {"keys": {"b": 1, "a": 2, "B": 3, "ä": 4, "10": 5, "9": 6}},
    {"text": ["\x1b", "\u2028", "\\u0041", '"', "\\", "/", "\x7f", "😀", "\ud7ff", "\n"]},
    {"a" * 4096: 1},
    nested(METADATA_MAX_DEPTH - 1),
    {f"k{number}": number for number in range(4000)},
]


@pytest.mark.parametrize("metadata", METADATA, ids=range(len(METADATA)))
async def test_metadata_comes_back_equal_and_of_the_same_types(
    repository: EventRepository, metadata: dict[str, Any]
) -> None:
    found = (await stored(repository, make_event(1, metadata=metadata))).metadata
    # Unlike equality, this tells 1 from 1.0 and True, and sees the order of keys.
    assert repr(found) == repr(metadata)


async def test_ids_are_ordered_as_numbers_whatever_their_version(repository: EventRepository) -> None:
    random = Random(31)
    batch = [make_event(id=random_id(random, number)) for number in range(200)]
    batch += [make_event(id=UUID(int=number)) for number in (0, 1, 2**64, 2**127, 2**128 - 1)]
    assert {event.id.version for event in batch} >= {4, 7}
    await repository.append(batch)
    assert numbers(await repository.newest(1000)) == numbers(newest_first(batch))
    for event in batch[::20]:
        before = [other for other in newest_first(batch) if other.id.int < event.id.int]
        assert numbers(await repository.before(Cursor.of(event), 1000)) == numbers(before)
        assert await repository.count(parse(f"id:{event.id}")) == 1

"""Importing a file: each event once however often, each bad line alone, memory that does not grow with the file."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import random
import stat
import threading
import tracemalloc
from codecs import BOM_UTF8
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.database import Database
from store.event import Event
from store.events import EventStore
from store.importing.importer import ImportCounts, ImportFormat, Rejection, import_events
from store.importing.lines import LINE_MAX, Line, SourceError, read_lines
from store.importing.recurrence import Recurrence
from store.importing.reject_file import RejectFile
from store.importing.stable_id import stable_id
from store.memory_bus import MemoryBus
from store.taxonomy import Taxonomy, activate
from store.wire import encode
from tests.events import make_event, make_events
from tests.faults.malformed import ADMITTED, REFUSED
from tests.store.test_append import refuse_by_trigger
from tests.store.test_event_store import subscribed
from tests.waiting import until

TIME = "2026-11-21T12:00:00Z"
GOOD = b'{"event_type":"a.b","inserted_at":"2026-11-21T12:00:00Z"}'
BAD: dict[str, tuple[bytes, str]] = {
    "invalid UTF-8": (GOOD.replace(b"a.b", b"a.\xff"), "not UTF-8"),
    "UTF-16": ('{"event_type":"a.b"}'.encode("utf-16"), "NUL bytes, as UTF-16"),
    "two objects around a bare CR": (GOOD + b"\r" + GOOD, "not JSON: trailing characters"),
    "NaN": (GOOD[:-1] + b',"x":NaN}', "NaN or an infinity"),
    "a number beyond all floats": (GOOD[:-1] + b',"x":1e400}', "NaN or an infinity"),
    "a number of 100,000 digits": (
        GOOD[:-1] + b',"x":' + b"9" * 100_000 + b"}",
        "not JSON: number out of range",
    ),
    "100,000 levels": (b"[" * 100_000, "not JSON: recursion limit exceeded"),
    "100 levels": (GOOD[:-1] + b',"x":' + b"[" * 100 + b"]" * 100 + b"}", "levels deep"),
    "an array": (b"[" + GOOD + b"]", "an event must be an object, not an array"),
    "a scalar": (b"null", "an event must be an object, not null"),
    "a lone surrogate": (GOOD[:-1] + b',"x":"\\udc00"}', "not JSON: "),
    "U+0000": (GOOD[:-1] + b',"x":"\\u0000"}', "U+0000 cannot be stored"),
    "half an object": (GOOD[:-1], "not JSON: "),
    "no event type": (b'{"inserted_at":"2026-11-21T12:00:00Z"}', "event_type: "),
    "no time": (b'{"event_type":"a.b"}', "inserted_at is missing"),
    "null for a time": (b'{"event_type":"a.b","inserted_at":null}', "inserted_at"),
    "a time without a zone": (GOOD.replace(b"00Z", b"00"), "inserted_at: "),
    "an id that is none": (GOOD[:-1] + b',"id":"7"}', "id: "),
    "null for an id": (GOOD[:-1] + b',"id":null}', "id: "),
    "more than the wire takes": (GOOD[:-1] + b',"x":"' + b"y" * 300_000 + b'"}', "over 262144"),
    "a line over 1 MiB": (GOOD[:-1] + b',"x":"' + b"y" * LINE_MAX + b'"}', f"over {LINE_MAX}"),
    "what the taxonomy refuses": (GOOD.replace(b"a.b", b"playback.started"), "requires a resource id"),
    "escape sequences": (b"\x1b[2J\x9b31m", "not UTF-8"),
}
"""Lines that are no event, by what is wrong with them: the line, and a part of the reason."""


@pytest.fixture
def store(database: Database) -> EventStore:
    """An empty store on each kind of database. The fixture of the database closes it."""
    return EventStore(database)


def lines_of(*fields: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"inserted_at": TIME, **line}).encode() + b"\n" for line in fields)


async def imported(store: EventStore, content: bytes, **options: Any) -> tuple[ImportCounts, list[Rejection]]:
    """What came of an import. The counts must add up."""
    rejections: list[Rejection] = []
    counts = await import_events(store, io.BytesIO(content), reject=rejections.extend, **options)
    assert counts.lines == counts.blank + counts.stored + counts.duplicates + counts.rejected
    assert counts.rejected == len(rejections)
    return counts, rejections


# Good lines


async def test_what_was_exported_is_imported_as_it_was_and_only_once(store: EventStore) -> None:
    events = [event.at(position + 70) for position, event in enumerate(make_events(20, metadata={"x": [1]}))]
    content = b"\n".join(map(encode, events))
    assert (await imported(store, content))[0] == ImportCounts(lines=20, stored=20)
    assert (await imported(store, content))[0] == ImportCounts(lines=20, duplicates=20)
    stored = await store.list_events()
    assert [event.at(1) for event in stored] == [event.at(1) for event in reversed(events)]


async def test_unknown_fields_are_kept_as_metadata(store: EventStore) -> None:
    await imported(store, lines_of({"event_type": "a.b", "colour": "red", "producer": "p", "sequence": 4}))
    [event] = await store.list_events()
    assert event.metadata == {"colour": "red"}


async def test_lines_without_an_id_are_stored_once_however_the_file_is_written(store: EventStore) -> None:
    lines = [lines_of({"event_type": "a.b", "n": number % 3}).strip() for number in range(10)]
    for separator, start in ((b"\n", b""), (b"\r\n", b""), (b"\n\n \n", b"\xef\xbb\xbf")):
        counts, rejections = await imported(store, start + separator.join(lines))
        assert not rejections
        assert counts.stored + counts.duplicates == 10
    assert (await imported(store, gzip.compress(b"\n".join(lines))))[0].duplicates == 10
    stored = await store.list_events()
    assert len(stored) == 10
    assert {event.id.version for event in stored} == {7}


async def test_a_file_that_grew_adds_what_is_new(store: EventStore) -> None:
    await imported(store, GOOD + b"\n" + GOOD)
    assert (await imported(store, GOOD + b"\n" + GOOD + b"\n" + GOOD))[0] == ImportCounts(3, 0, 1, 2, 0)


async def test_an_id_twice_in_one_file_is_stored_once(store: EventStore) -> None:
    content = encode(make_event(1)) + b"\n" + encode(make_event(1, status="other"))
    assert (await imported(store, content))[0] == ImportCounts(lines=2, stored=1, duplicates=1)


async def test_of_duplicate_keys_the_last_one_counts(store: EventStore) -> None:
    await imported(store, b'{"event_type":"a.b","event_type":"c.d","inserted_at":"2026-11-21T12:00:00Z"}')
    assert [event.event_type for event in await store.list_events()] == ["c.d"]


async def test_lines_without_a_time_are_taken_when_asked_for(store: EventStore) -> None:
    counts, _ = await imported(store, b'{"event_type":"a.b"}', at_import_time=True)
    assert counts.stored == 1


async def test_a_store_with_a_bus_announces_what_is_new(database: Database) -> None:
    bus = MemoryBus()
    store = EventStore(database, bus)
    async with subscribed(bus) as subscription:
        await imported(store, b"\n".join(map(encode, make_events(3))))
        await imported(store, b"\n".join(map(encode, make_events(5))))
        announced = await subscription.announcements(5)
    assert [item.event.id.int for item in announced] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (
            ImportFormat.CLOUDEVENTS,
            {"specversion": "1.0", "id": "7", "source": "/s", "type": "a.b", "time": TIME, "data": {"x": 1}},
        ),
        (ImportFormat.ACTIVITY, {"event_id": "7", "event_type": "UserLogin", "timestamp": TIME}),
    ],
)
async def test_other_schemas_are_read_and_stored_once(
    store: EventStore, form: ImportFormat, line: dict[str, Any]
) -> None:
    content = json.dumps(line).encode()
    assert (await imported(store, content, format=form))[0].stored == 1
    assert (await imported(store, content, format=form))[0].duplicates == 1
    _, [rejection] = await imported(store, b"{}", format=form)
    assert "is missing" in rejection.reason


async def test_a_cloudevent_without_a_time_is_taken_only_when_asked_for(store: EventStore) -> None:
    content = b'{"specversion":"1.0","id":"7","source":"/s","type":"a.b"}'
    counts, [rejection] = await imported(store, content, format=ImportFormat.CLOUDEVENTS)
    assert counts.stored == 0
    assert rejection.reason.startswith("time is missing")
    counts, _ = await imported(store, content, format=ImportFormat.CLOUDEVENTS, at_import_time=True)
    assert counts.stored == 1


@pytest.mark.parametrize("missing", ["", ',"timestamp":null', ',"timestamp":""'])
async def test_an_activity_record_without_a_time_is_taken_only_when_asked_for(
    store: EventStore, missing: str
) -> None:
    content = b'{"event_id":"7","event_type":"UserLogin"%s}' % missing.encode()
    counts, [rejection] = await imported(store, content, format=ImportFormat.ACTIVITY)
    assert (counts.stored, rejection.reason) == (0, "timestamp is missing")
    before = datetime.now(UTC)
    counts, _ = await imported(store, content, format=ImportFormat.ACTIVITY, at_import_time=True)
    assert counts.stored == 1
    [event] = await store.list_events()
    assert before <= event.inserted_at <= datetime.now(UTC)
    again, _ = await imported(store, content, format=ImportFormat.ACTIVITY, at_import_time=True)
    assert again.duplicates == 1


# Bad lines


async def test_each_bad_line_is_rejected_alone_with_its_reason(store: EventStore) -> None:
    seed = random.randrange(2**32)
    mixed = [(None, line) for line in map(encode, make_events(50))]
    mixed += [(what, line) for what, (line, _) in BAD.items()]
    random.Random(seed).shuffle(mixed)
    counts, rejections = await imported(store, b"\n".join(line for _, line in mixed))
    expected = [(number, what) for number, (what, _) in enumerate(mixed, 1) if what is not None]
    assert (counts.stored, counts.rejected) == (50, len(BAD)), f"seed {seed}"
    for rejection, (number, what) in zip(rejections, expected, strict=True):
        assert rejection.line.number == number, f"seed {seed}"
        assert BAD[what][1] in rejection.reason, f"{what}, seed {seed}"
        assert rejection.reason.isprintable()


async def test_what_the_channel_refuses_is_rejected_from_a_file_and_what_it_admits_is_stored(
    store: EventStore,
) -> None:
    """Each message that fits on a line. Files that were put together have a mark of byte order on any of them."""
    lines = [line for lines in REFUSED.values() for line in lines if b"\n" not in line and line.strip()]
    refused = [line for line in lines if not line.startswith(BOM_UTF8)]
    admitted = [line for lines in ADMITTED.values() for line in lines if b"\n" not in line]
    content = b"\n".join([GOOD, *refused, *admitted, b""])
    counts, rejections = await imported(store, content, at_import_time=True)
    assert [rejection.line.number for rejection in rejections] == list(range(2, len(refused) + 2))
    assert all(rejection.reason for rejection in rejections)
    assert counts.stored + counts.duplicates == 1 + len(admitted)


async def test_a_strict_taxonomy_rejects_what_it_does_not_know(store: EventStore) -> None:
    activate(Taxonomy((), strict=True))
    try:
        _, [rejection] = await imported(store, GOOD)
    finally:
        activate(Taxonomy.shipped())
    assert "no known event type" in rejection.reason


async def test_files_of_another_kind_are_rejected_line_by_line(store: EventStore) -> None:
    for content in (os.urandom(100_000), b"\r".join([GOOD] * 9), b"\x00" * 3_000_000, "é\n".encode("utf-16")):
        counts, _ = await imported(store, content)
        assert (counts.stored, counts.rejected > 0) == (0, True)


async def test_an_event_that_the_database_refuses_is_rejected_alone(own_database: Database) -> None:
    await refuse_by_trigger(own_database, "events", "NEW.status = 'poison'")
    store = EventStore(own_database)
    poisonous = {3, 4, 40, 77}
    events = [
        make_event(number, status="poison" if number in poisonous else None) for number in range(1, 101)
    ]
    counts, rejections = await imported(store, b"\n".join(map(encode, events)))
    assert (counts.stored, counts.rejected) == (96, 4)
    assert [rejection.line.number for rejection in rejections] == sorted(poisonous)
    assert await store.count() == 96


# The source


async def test_what_a_slow_pipe_brought_is_stored_before_its_end(store: EventStore) -> None:
    reading, writing = os.pipe()
    counts = ImportCounts()
    with os.fdopen(reading, "rb", buffering=0) as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        task = asyncio.create_task(import_events(store, stream, counts=counts))
        pipe.write(encode(make_event(1)) + b"\n" + encode(make_event(2)))
        await until(lambda: counts.stored == 1)
        pipe.write(b"\n")
        await until(lambda: counts.stored == 2)
        pipe.close()
        assert await task == ImportCounts(lines=2, stored=2)


async def test_an_import_that_waits_for_a_silent_pipe_can_be_cancelled(store: EventStore) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as stream, os.fdopen(writing, "wb", buffering=0) as pipe:
        counts = ImportCounts()
        task = asyncio.create_task(import_events(store, stream, counts=counts))
        pipe.write(encode(make_event(1)) + b"\n")
        await until(lambda: counts.stored == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        pipe.close()
        await until(lambda: all(thread.name != "evtop-import" for thread in threading.enumerate()))


async def test_a_file_that_cannot_be_read_on_stores_what_came_before(store: EventStore) -> None:
    content = gzip.compress(b"\n".join(map(encode, make_events(2000))))
    for broken, reason in (
        (content[:-200], "ends within"),
        (content[:-8] + b"\0" * 8, "not what gzip wrote"),
    ):
        counts = ImportCounts()
        with pytest.raises(SourceError, match=reason):
            await import_events(store, io.BytesIO(broken), counts=counts)
        assert 0 < counts.lines <= 2000
        assert counts.stored + counts.duplicates == counts.lines - counts.rejected
    assert await store.count() > 0


async def test_batches_are_bounded_and_progress_is_told(store: EventStore) -> None:
    told: list[int] = []
    content = b"\n".join(map(encode, make_events(250)))
    counts, _ = await imported(
        store, content, batch_lines=100, progress=lambda counts: told.append(counts.lines)
    )
    assert told[-1] == counts.lines == 250
    assert all(0 < after - before <= 100 for before, after in zip([0, *told], told, strict=False))


class Endless(io.BytesIO):
    """`size` bytes without a line end, made as they are read."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._left = size

    def read1(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size > 0
        count = min(size, self._left)
        self._left -= count
        return b"x" * count


def test_a_line_without_end_is_not_held() -> None:
    size = 100 * LINE_MAX
    tracemalloc.start()
    try:
        [line] = read_lines(Endless(size))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (line.size, line.is_too_long) == (size, True)
    assert len(line.content) < 1000
    assert peak < 8 * LINE_MAX


@pytest.mark.parametrize("size", [LINE_MAX - 1, LINE_MAX, LINE_MAX + 1, LINE_MAX + 2, 3 * LINE_MAX])
def test_a_line_at_the_limit_is_whole_or_too_long_and_the_next_one_is_read(size: int) -> None:
    first, second = read_lines(io.BytesIO(b"x" * (size - 1) + b"\nnext"))
    assert (first.number, first.size, first.is_too_long) == (1, size, size > LINE_MAX)
    assert second == Line(2, b"next", 4)


# Ids


def test_a_stable_id_is_a_uuid7_of_its_moment() -> None:
    moment = datetime(2026, 11, 21, 12, 0, 0, 123_999, tzinfo=UTC)
    identifier = stable_id(moment, b"content")
    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert identifier.int >> 80 == int(moment.timestamp() * 1000)
    assert identifier == stable_id(moment, b"content", 0)
    assert len({identifier, stable_id(moment, b"content", 1), stable_id(moment, b"other")}) == 3
    assert stable_id(datetime(1900, 1, 1, tzinfo=UTC), b"").int >> 80 == 0
    assert Event(id=stable_id(datetime(9998, 1, 1, tzinfo=UTC), b""), event_type="a.b").id.version == 7


def test_recurrences_are_counted_by_content() -> None:
    with Recurrence() as recurrence:
        assert [recurrence.count(content) for content in (b"a", b"b", b"a", b"a", b"")] == [0, 0, 1, 2, 0]


# The reject file


def test_rejected_lines_are_kept_for_their_owner_and_nothing_is_overwritten(tmp_path: Path) -> None:
    wanted = tmp_path / "in.rejected"
    (tmp_path / "in.rejected.1").symlink_to(tmp_path / "elsewhere")
    wanted.write_text("mine")
    hostile = "\x1b[2J\x7fé"
    with RejectFile(wanted) as file:
        assert file.path is None
        file.write([Rejection(Line(1, hostile.encode(), 9), "no"), Rejection(Line(2, b"\xff", 1), "no")])
        file.write([Rejection(Line(7, b"start", LINE_MAX + 9), "long")])
        assert file.path == tmp_path / "in.rejected.2"
    content = (tmp_path / "in.rejected.2").read_bytes()
    assert content.isascii()
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in content)
    assert [json.loads(line) for line in content.splitlines()] == [
        {"line": 1, "reason": "no", "text": hostile},
        {"line": 2, "reason": "no", "base64": "/w=="},
        {"line": 7, "reason": "long", "text": "start", "bytes": LINE_MAX + 9},
    ]
    assert stat.S_IMODE((tmp_path / "in.rejected.2").stat().st_mode) == 0o600
    assert wanted.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_without_rejections_there_is_no_file(tmp_path: Path) -> None:
    with RejectFile(tmp_path / "in.rejected"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_reject_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    for wanted, reason in (
        (tmp_path / "missing" / "file", "No such file"),
        (Path("/dev/full"), "No space left"),
    ):
        with RejectFile(wanted) as file, pytest.raises(OSError, match=f"cannot write {wanted}: {reason}"):
            file.write([Rejection(Line(1, b"", 0), "no")])

"""Lines that are no events become some by what a file says of their fields, and in no other way."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from store.events import EventStore
from store.importing.importer import Rejection, import_events
from store.importing.mapping import FieldMapping, MappingError, UnmappedError, load_mapping
from store.importing.recurrence import Recurrence


def mapping_of(folder: Path, text: str) -> FieldMapping:
    file = folder / "map.toml"
    file.write_text(text, encoding="utf-8")
    return load_mapping(file)


FULL = """
event_type = "msg"
inserted_at = { path = "ts", time = "ms" }
severity = { path = "level", values = { 30 = "info", 40 = "warning", true = "error" }, default = "info" }
actor_type = { value = "user" }
actor_id = 'ctx."user id"'

[metadata]
message = "msg"
service = { value = "web" }
"""


def test_fields_come_from_places_constants_and_tables_and_the_rest_is_metadata(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, FULL)
    line = {
        "ts": 1762772400123,
        "level": 40,
        "msg": "Disk  full!",
        "ctx": {"user id": 42, "host": "a"},
        "extra": [1],
    }
    assert mapping.apply(line) == {
        "event_type": "log.disk_full",
        "inserted_at": "2025-11-10T11:00:00.123000+00:00",
        "severity": "warning",
        "actor_type": "user",
        "actor_id": "42",
        "metadata": {"ctx": {"host": "a"}, "extra": [1], "message": "Disk  full!", "service": "web"},
    }
    # The line itself is as it was.
    assert line["ctx"] == {"user id": 42, "host": "a"}
    for level, severity in ((True, "error"), ("40", "warning"), (99, "info"), (None, "info")):
        assert mapping.apply({**line, "level": level})["severity"] == severity


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("job.failed", "job.failed"),
        ("Job.Failed", "job.failed"),
        ("Connection reset", "log.connection_reset"),
        ("a..b", "a.b"),
        ("x" * 300, f"log.{'x' * 124}"),
        ("\x1b[31mred", "log.31mred"),
    ],
)
def test_any_text_becomes_the_name_of_a_type(tmp_path: Path, text: str, name: str) -> None:
    fields = mapping_of(tmp_path, 'event_type = "msg"').apply({"msg": text})
    assert fields["event_type"] == name
    # What was changed is kept as it was.
    assert fields["metadata"] == ({} if name == text else {"msg": text})


@pytest.mark.parametrize(
    ("options", "written", "moment"),
    [
        ("", "2026-11-21T14:05:11.5Z", datetime(2026, 11, 21, 14, 5, 11, 500000, UTC)),
        ("", "2026-11-21 14:05:11,5+02:00", datetime(2026, 11, 21, 12, 5, 11, 500000, UTC)),
        (', zone = "Europe/Berlin"', "2026-11-21 14:05", datetime(2026, 11, 21, 13, 5, tzinfo=UTC)),
        (', time = "s"', 1762772400.25, datetime(2025, 11, 10, 11, 0, 0, 250000, UTC)),
        (', time = "s"', "1762772400.123456", datetime(2025, 11, 10, 11, 0, 0, 123456, UTC)),
        (', time = "ms"', 1762772400001, datetime(2025, 11, 10, 11, 0, 0, 1000, UTC)),
    ],
)
def test_times_are_read_as_they_are_written(
    tmp_path: Path, options: str, written: object, moment: datetime
) -> None:
    mapping = mapping_of(tmp_path, f'event_type = "e"\ninserted_at = {{ path = "ts"{options} }}')
    fields = mapping.apply({"e": "a.b", "ts": written})
    assert datetime.fromisoformat(fields["inserted_at"]) == moment


@pytest.mark.parametrize(
    ("options", "line", "reason"),
    [
        ("", {"ts": "14:05"}, "no time as ISO 8601"),
        ("", {"ts": 17}, "no time as ISO 8601"),
        ("", {"ts": "2026-11-21 14:05"}, "without an offset"),
        (', time = "s"', {"ts": "soon"}, "no number of s"),
        (', time = "s"', {"ts": True}, "no number of s"),
        (', time = "ms"', {"ts": 1e300}, "no number of ms"),
        (', time = "ms"', {"ts": "NaN"}, "no number of ms"),
        ("", {"e": None}, "event_type: the line has none"),
        ("", {"e": "!"}, "event_type: an empty text"),
        ("", {"e": {"a": 1}}, "event_type: an object or a list"),
        ("", {"tag": 3}, "metadata.label: its values do not have '3'"),
        ("", {"level": "\x1b[31m"}, r"severity: its values do not have '\x1b[31m'"),
    ],
)
def test_what_cannot_be_made_of_a_line_is_said(
    tmp_path: Path, options: str, line: dict[str, Any], reason: str
) -> None:
    mapping = mapping_of(
        tmp_path,
        f'event_type = "e"\ninserted_at = {{ path = "ts"{options} }}\n'
        'severity = { path = "level", values = { warn = "warning" } }\n'
        '[metadata]\nlabel = { path = "tag", values = { 1 = "one" } }',
    )
    with pytest.raises(UnmappedError) as error:
        mapping.apply({"e": "a.b", "ts": None, **line})
    assert reason in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('event_typ = "msg"', ":1: no field 'event_typ'; did you mean event_type?"),
        ('event_type = "msg"\n\nseverty = "level"', ":3: no field 'severty'; did you mean severity?"),
        ('zzz = "msg"', "there are id, event_type"),
        ('severity = "level"', "event_type is missing"),
        ("event_type = 3", ":1: event_type: must be a place"),
        ('event_type = "a b"', "no place 'a b'"),
        ('event_type = "e"\n[severity]\npth = "x"', ":2: severity: no option 'pth'; did you mean path?"),
        ('event_type = { path = "e", value = "x" }', "one of them"),
        ('event_type = { value = "a.b", default = "x" }', "no other options"),
        ('event_type = "e"\nstatus = { path = "s", time = "ms" }', ":2: status: time and zone are of"),
        (
            'event_type = "e"\ninserted_at = { path = "t", time = "m" }',
            "no way to write a time 'm'; did you mean ms?",
        ),
        (
            'event_type = "e"\ninserted_at = { path = "t", zone = "Mars/X" }',
            "inserted_at: 'Mars/X': no zone; write it",
        ),
        ('event_type = "e"\nmetadata = 3', ":2: metadata: must be a table"),
        ('event_type = "e"\nstatus = { path = "s", values = 3 }', "values must be a table"),
        ("event_type = = 3", "line 1"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(MappingError) as error:
        mapping_of(tmp_path, text)
    assert str(error.value).startswith(str(tmp_path / "map.toml"))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="No such file"):
        load_mapping(tmp_path / "none.toml")


async def test_mapped_lines_are_stored_once_and_what_is_left_is_rejected(tmp_path: Path) -> None:
    mapping = mapping_of(tmp_path, FULL)
    lines = [{"ts": 1762772400000 + n, "level": 30, "msg": f"m {n % 2}"} for n in range(4)]
    content = "".join(
        f"{json.dumps(line)}\n" for line in [*lines, lines[0], {"msg": "no time"}, {"ts": "x", "msg": "a"}]
    )
    rejected: list[Rejection] = []
    async with await EventStore.open(f"sqlite:///{tmp_path / 'events.db'}") as store:
        for stored, duplicates in ((5, 0), (0, 5)):
            counts = await import_events(
                store, io.BytesIO(content.encode()), mapping=mapping, reject=rejected.extend
            )
            assert (counts.stored, counts.duplicates, counts.rejected) == (stored, duplicates, 2)
        events = await store.list_events()
        # Twice the same line is two events, of two files as well when they are remembered together.
        with Recurrence() as recurrence:
            for number in (5, 10):
                await import_events(
                    store, io.BytesIO(content.encode()), mapping=mapping, recurrence=recurrence
                )
                assert await store.count() == number
    assert {event.event_type for event in events} == {"log.m_0", "log.m_1"}
    assert events[0].metadata == {"message": "m 1", "service": "web"}
    assert [rejection.reason.partition(":")[0] for rejection in rejected[:2]] == [
        "inserted_at is missing, so that each import would store another event",
        "inserted_at",
    ]

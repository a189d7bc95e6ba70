"""A message is read whole or refused with `MalformedMessageError`, never anything else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.bus import new_producer
from store.event import METADATA_MAX_DEPTH, ActorType, Event, Severity
from store.wire import (
    MESSAGE_MAX_BYTES,
    RESERVED,
    Announcement,
    MalformedMessageError,
    _read,  # pyright: ignore[reportPrivateUsage]
    _read_quickly,  # pyright: ignore[reportPrivateUsage]
    decode,
    encode,
)
from tests.events import NOON, make_event

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES: st.SearchStrategy[Any] = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))
OPTIONAL = st.none() | TEXTS
EVENTS = st.builds(
    Event,
    id=st.uuids(),
    event_type=st.from_regex(r"[a-z0-9_-]{1,9}(\.[a-z0-9_-]{1,9}){1,3}", fullmatch=True),
    category=TEXTS,
    actor_type=st.sampled_from(ActorType),
    actor_id=OPTIONAL,
    resource_type=OPTIONAL,
    resource_id=OPTIONAL,
    secondary_resource_type=OPTIONAL,
    secondary_resource_id=OPTIONAL,
    metadata=st.dictionaries(TEXTS, VALUES, max_size=4),
    status=OPTIONAL,
    severity=st.none() | st.sampled_from(Severity),
    inserted_at=MOMENTS,
    position=st.none() | st.integers(1, 2**63 - 1),
)


def message(**fields: Any) -> bytes:
    return json.dumps({"event_type": "job.executed", **fields}).encode()


def raw(fields: bytes) -> bytes:
    """A good message with `fields`, which need not be JSON, in it."""
    return b'{"event_type":"job.executed",%b}' % fields


def reason(payload: bytes) -> str:
    with pytest.raises(MalformedMessageError) as caught:
        decode(payload)
    return str(caught.value)


@REPEATABLE
@given(EVENTS, st.none() | TEXTS, st.integers(0, 2**63 - 1))
def test_what_is_encoded_is_decoded_to_the_same_event(
    event: Event, producer: str | None, sequence: int
) -> None:
    payload = encode(event, producer, sequence)
    announcement = decode(payload)
    assert announcement == Announcement(event, producer, None if producer is None else sequence)
    assert type(announcement.event) is Event
    assert json.loads(payload)["event_type"] == event.event_type


def test_the_message_has_exactly_the_fields_of_the_event() -> None:
    event = make_event(7, metadata={"title": "Ä"}, status="done", position=3)
    assert json.loads(encode(event, "p", 12)) == {
        "id": "00000000-0000-0000-0000-000000000007",
        "event_type": "job.executed",
        "category": "system",
        "actor_type": "system",
        "actor_id": None,
        "resource_type": None,
        "resource_id": None,
        "secondary_resource_type": None,
        "secondary_resource_id": None,
        "metadata": {"title": "Ä"},
        "status": "done",
        "severity": "info",
        "inserted_at": "2026-11-21T12:00:07Z",
        "position": 3,
        "producer": "p",
        "sequence": 12,
    }


def test_a_bare_message_is_filled_in() -> None:
    before = datetime.now(UTC)
    event, producer, sequence = decode(
        b'{"event_type":"job.failed","resource_type":"job","resource_id":"sync"}'
    )
    assert before <= event.inserted_at <= datetime.now(UTC)
    assert event.id.version == 7
    assert (event.category, event.severity, event.actor) == ("system", Severity.ERROR, "system")
    assert event.resource == "job/sync"
    assert (event.position, producer, sequence) == (None, None, None)


def test_unknown_fields_are_kept_in_the_metadata_under_their_own_name() -> None:
    event = decode(message(id=str(UUID(int=5)), host="a1", tags=["x"], metadata={"host": "given"})).event
    assert event.metadata == {"host": "given", "tags": ["x"]}
    assert event.id == UUID(int=5)
    assert type(event) is Event


def test_names_of_attributes_are_unknown_fields_like_any_other() -> None:
    extra = {"sort_key": 1, "model_config": {}, "__dict__": {}, "actor": "x"}
    assert decode(message(**extra)).event.metadata == extra


def test_reserved_fields_are_ignored() -> None:
    assert decode(message(**dict.fromkeys(RESERVED, "x"))).event.metadata == {}
    assert decode(message(schema=2, other=1)).event.metadata == {"other": 1}


def test_unknown_fields_obey_the_rules_of_metadata() -> None:
    assert "beyond 64 bits" in reason(message(big=2**63))
    assert "over 64 KiB" in reason(message(long="x" * 70_000))
    assert "U+0000" in reason(message(**{"a\x00": 1}))


@pytest.mark.parametrize(("producer", "sequence"), [("p", 0), ("p", 2**63 - 1), ("p", None), (None, 3)])
def test_producer_and_sequence_come_through(producer: str | None, sequence: int | None) -> None:
    announcement = decode(message(producer=producer, sequence=sequence))
    assert (announcement.producer, announcement.sequence) == (producer, sequence)
    assert announcement.event.metadata == {}


def test_a_producer_name_needs_no_care_when_it_is_encoded() -> None:
    name = 'a"b\\\n' + new_producer()
    assert decode(encode(make_event(), name, 1)).producer == name


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"event_type": "Failed"}, "event_type"),
        ({"event_type": None}, "event_type"),
        ({"category": ""}, "category"),
        ({"category": "x" * 65}, "category"),
        ({"actor_type": "robot"}, "actor_type"),
        ({"actor_id": 42}, "actor_id"),
        ({"severity": "critical"}, "severity"),
        ({"id": "1"}, "id"),
        ({"metadata": []}, "metadata"),
        ({"metadata": None}, "metadata"),
        ({"inserted_at": "2026-01-01T00:00:00"}, "inserted_at"),
        ({"inserted_at": "0001-01-01T00:00:00+23:59"}, "inserted_at"),
        ({"inserted_at": "9999-12-31T23:59:59-23:59"}, "inserted_at"),
        ({"inserted_at": 1e300}, "inserted_at"),
        ({"position": 0}, "position"),
        ({"position": 2**63}, "position"),
        ({"producer": ""}, "producer"),
        ({"producer": "x" * 129}, "producer"),
        ({"sequence": -1}, "sequence"),
        ({"sequence": 2**63}, "sequence"),
        ({"sequence": 1.5}, "sequence"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(fields: dict[str, Any], named: str) -> None:
    assert reason(message(**fields)).startswith(f"{named}: ")


def test_a_missing_type_is_named() -> None:
    assert reason(b"{}") == "event_type: Field required"


NOT_JSON: dict[str, bytes] = {
    "empty": b"",
    "a bare line feed": b"\n",
    "blank": b"   ",
    "NUL": b"\x00",
    "terminal sequences": b"\x1b[2J\x1b]52;c;AAAA\x07",
    "a byte order mark": b"\xef\xbb\xbf" + message(),
    "UTF-16": message().decode().encode("utf-16"),
    "UTF-16 without a mark": message().decode().encode("utf-16-le"),
    "UTF-32": message().decode().encode("utf-32"),
    "Latin-1": '{"event_type":"job.executed","status":"é"}'.encode("latin-1"),
    "overlong UTF-8": raw(b'"status":"\xc0\xaf"'),
    "a surrogate in UTF-8": raw(b'"status":"\xed\xa0\x80"'),
    "an escaped lone surrogate": raw(b'"status":"\\ud800"'),
    "an escaped surrogate pair in the wrong order": raw(b'"status":"\\udc00\\ud800"'),
    "a lone surrogate in a key": raw(b'"\\udfff":1'),
    "a raw control character": raw(b'"status":"\x1b[2J"'),
    "a raw line feed in a text": raw(b'"status":"\n"'),
    "single quotes": b"{'event_type':'job.executed'}",
    "a bare key": b'{event_type:"job.executed"}',
    "a trailing comma": b'{"event_type":"job.executed",}',
    "a missing comma": b'{"event_type":"job.executed" "status":"x"}',
    "a missing colon": b'{"event_type" "job.executed"}',
    "an unclosed object": b'{"event_type":"job.executed"',
    "an unclosed text": b'{"event_type":"job.exe',
    "text after the object": message() + b" x",
    "two objects": message() + message(),
    "a comment": b'{"event_type":"job.executed" /* x */}',
    "a leading zero": raw(b'"x":01'),
    "a leading plus": raw(b'"x":+1'),
    "a leading point": raw(b'"x":.5'),
    "a trailing point": raw(b'"x":1.'),
    "an empty exponent": raw(b'"x":1e'),
    "a hexadecimal number": raw(b'"x":0x1'),
    "capitals in a literal": raw(b'"x":True'),
    "an undefined literal": raw(b'"x":undefined'),
    "an unknown escape": raw(b'"x":"\\x41"'),
    "a short unicode escape": raw(b'"x":"\\u12"'),
}

NOT_AN_EVENT: dict[str, bytes] = {
    "an array": b"[]",
    "a text": b'"job.executed"',
    "a number": b"1",
    "null": b"null",
    "NaN": raw(b'"x":NaN'),
    "infinity": raw(b'"metadata":{"x":Infinity}'),
    "minus infinity": raw(b'"metadata":{"x":[-Infinity]}'),
    "a number beyond a float": raw(b'"x":1e400'),
    "an integer beyond 64 bits": raw(b'"metadata":{"x":%d}' % 2**63),
    "a negative integer beyond 64 bits": raw(b'"metadata":{"x":%d}' % (-(2**63) - 1)),
    "4,300 digits": raw(b'"x":' + b"1" * 4300),
    "100,000 digits": raw(b'"x":' + b"1" * 100_000),
    "100,000 digits in a sequence": raw(b'"sequence":' + b"1" * 100_000),
    "100,000 digits in a reserved field": raw(b'"schema":' + b"1" * 100_000),
    "U+0000 in a field": raw(b'"status":"\\u0000"'),
    "U+0000 in metadata": raw(b'"metadata":{"x":"a\\u0000"}'),
    "U+0000 in a key": raw(b'"metadata":{"\\u0000":1}'),
    "100,000 arrays": raw(b'"x":' + b"[" * 100_000 + b"]" * 100_000),
    "100,000 unclosed arrays": b"[" * 100_000,
    "30,000 objects": raw(b'"metadata":' + b'{"a":' * 30_000 + b"1" + b"}" * 30_000),
    "30,000 arrays in a reserved field": raw(b'"schema":' + b"[" * 30_000 + b"]" * 30_000),
    "one level too deep": raw(b'"metadata":' + b'{"a":' * (METADATA_MAX_DEPTH + 1) + b"1" + b"}" * 33),
    "metadata too large": message(metadata={"x": "y" * 65_536}),
    "50,000 keys": message(metadata={str(number): 0 for number in range(20_000)}),
}


@pytest.mark.parametrize("payload", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_what_is_no_json_is_malformed(payload: bytes) -> None:
    assert reason(payload).startswith("Invalid JSON: ")


@pytest.mark.parametrize("payload", NOT_AN_EVENT.values(), ids=NOT_AN_EVENT.keys())
def test_what_no_store_could_keep_is_malformed(payload: bytes) -> None:
    assert reason(payload)


def test_a_message_may_be_so_large_and_no_larger() -> None:
    largest = message().ljust(MESSAGE_MAX_BYTES)
    assert decode(largest).event.event_type == "job.executed"
    assert reason(largest + b" ") == f"{MESSAGE_MAX_BYTES + 1} bytes, over {MESSAGE_MAX_BYTES}"


def test_the_largest_event_fits_in_a_message() -> None:
    worst = "\x01"
    event = make_event(
        event_type="a." + "b" * 126,
        metadata={"x": "\U0001f600" * 16_380},
        category=worst * 64,
        status=worst * 64,
        **dict.fromkeys(("actor_id", "resource_id", "secondary_resource_id"), worst * 255),
        **dict.fromkeys(("resource_type", "secondary_resource_type"), worst * 64),
    )
    assert decode(encode(event, worst * 128, 2**63 - 1)).event == event


HOSTILE_IDS = ["\x1b[2J", "\n\n", "\x07", "secret", "\u202e" * 9, "{" * 40]


@pytest.mark.parametrize("hostile", HOSTILE_IDS)
@pytest.mark.parametrize(
    "field", ["id", "event_type", "actor_type", "severity", "inserted_at", "position", "sequence", "metadata"]
)
def test_the_reason_is_one_line_and_quotes_nothing(field: str, hostile: str) -> None:
    text = reason(message(**{field: hostile}))
    assert text.isprintable()
    assert hostile not in text


def test_the_largest_numbers_of_digits_never_end_the_reader() -> None:
    for digits in (19, 20, 4299, 4300, 4301, 5000):
        for field in ("sequence", "position", "inserted_at", "metadata", "id", "producer"):
            with pytest.raises(MalformedMessageError):
                decode(raw(b'"%b":%b' % (field.encode(), b"9" * digits)))


FRAGMENTS = st.sampled_from(
    [
        *b'{}[]",:\\ \n\x00\x1b\xff\xef0159-+.eE',
        b'"event_type"',
        b'"job.executed"',
        b'"metadata"',
        b'"inserted_at"',
        b'"sequence"',
        b'"position"',
        b"null",
        b"true",
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"\\ud800",
        b"9" * 30,
    ]
).map(lambda part: part if isinstance(part, bytes) else bytes([part]))
BROKEN = st.builds(
    lambda payload, place, removed, inserted: payload[:place] + inserted + payload[place + removed :],
    st.builds(encode, EVENTS, TEXTS, st.integers(0, 99)),
    st.integers(0, 600),
    st.integers(0, 40),
    st.binary(max_size=4) | FRAGMENTS,
)
WRONG_VALUES = st.dictionaries(
    st.sampled_from([*Event.model_fields, "producer", "sequence", *RESERVED]) | TEXTS,
    VALUES | st.integers() | st.floats() | st.text(max_size=9),
    max_size=5,
).map(lambda fields: json.dumps({"event_type": "a.b", **fields}).encode())
PAYLOADS = st.binary(max_size=200) | st.lists(FRAGMENTS, max_size=40).map(b"".join) | BROKEN | WRONG_VALUES


@pytest.mark.thorough
@settings(REPEATABLE, max_examples=600)
@given(PAYLOADS)
def test_no_bytes_raise_anything_but_malformed(payload: bytes) -> None:
    refused = None
    try:
        event = decode(payload).event
    except MalformedMessageError as error:
        refused = str(error)
    else:
        assert Event.model_validate(event.model_dump()) == event
        assert decode(encode(event)).event == event
    assert refused is None or refused.isprintable()


_DIGITS = [
    b"0",
    b"9",
    b"-1",
    b"1e15",
    b"1e400",
    b"NaN",
    b"99999999999999999999",
    b'"x"',
    b"[{}]",
    b"null",
    b"\\u0000",
]


@settings(REPEATABLE, max_examples=250)
@given(
    EVENTS,
    TEXTS,
    st.integers(0, 2**63 - 1),
    st.integers(0, 900),
    st.sampled_from(_DIGITS) | st.binary(max_size=3),
)
def test_the_quick_way_to_read_a_message_gives_what_the_thorough_one_gives(
    event: Event, producer: str, sequence: int, place: int, piece: bytes
) -> None:
    payload = encode(event, producer, sequence)
    changed = payload[:place] + piece + payload[place + len(piece) :]
    for candidate in (payload, changed):
        quick = _read_quickly(candidate)
        if quick is not None:
            thorough = _read(candidate)
            assert quick == thorough
            assert quick.event.inserted_at.tzinfo is UTC
            assert encode(quick.event) == encode(thorough.event)


def test_an_announcement_is_read_the_quick_way() -> None:
    event = make_event(1, metadata={"title": 'Ä "x"', "n": 1, "share": 0.5, "ok": True}, position=3)
    assert _read_quickly(encode(event, "web-1", 1)) == Announcement(event, "web-1", 1)
    slow = encode(event, "web-1", 1)
    for other in (
        encode(event),
        slow.replace(b"web-1", b"\\u0000"),
        slow.replace(b'"n":1', b'"n":[1]'),
        slow.replace(b'"n":1', b'"n":%d' % 2**63),
        slow.replace(b'"n":1', b'"n":1e999'),
        slow.replace(b'"sequence":1', b'"sequence":1,"more":1'),
        slow.replace(b'Z"', b'+00:00"'),
        slow.replace(b"2026-11-21T", b"2026-W47-6T"),
    ):
        assert other != slow
        assert _read_quickly(other) is None


def test_a_time_from_elsewhere_is_read_as_utc() -> None:
    event = decode(message(inserted_at="2026-11-21T14:00:00.000001+02:00")).event
    assert event.inserted_at == NOON + timedelta(microseconds=1)
    assert event.inserted_at.tzinfo is UTC

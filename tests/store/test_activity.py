"""User activity of a media gateway becomes events, or is refused with a reason."""

from __future__ import annotations

import json
import re
import struct
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.adapters.activity import COMPLETE_SHARE, SHARE_TOLERANCE, read_activity, watched_share
from store.adapters.foreign import FOREIGN_MAX_BYTES, ForeignEventError
from store.event import ActorType, Event, Severity
from store.taxonomy import Taxonomy
from store.typed import GatewayEvents
from tests.store.recorded import Recorded
from tests.store.typed_calls import MOVIE, VISITOR, Playing

REPEATABLE = settings(derandomize=True, deadline=None, max_examples=200)
EVENT_ID = "0192f8a1-5c3b-7d4e-9f60-1a2b3c4d5e6f"
TYPES = {
    "SearchQuery": "search.query",
    "SearchResultClick": "search_result.clicked",
    "ContentView": "content.viewed",
    "ContentRating": "content.rated",
    "PlaybackStart": "playback.started",
    "PlaybackPause": "playback.paused",
    "PlaybackResume": "playback.resumed",
    "PlaybackComplete": "playback.completed",
    "PlaybackAbandon": "playback.abandoned",
    "UserLogin": "user.login",
    "UserLogout": "user.logout",
    "ProfileUpdate": "profile.updated",
    "PreferenceChange": "preference.changed",
}
CONTENT_TYPES = [name for name in TYPES if name.startswith(("SearchResult", "Content", "Playback"))]
OTHER_TYPES = [name for name in TYPES if name not in CONTENT_TYPES]


def activity(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": EVENT_ID,
        "user_id": "u-42",
        "event_type": "ContentView",
        "content_id": "tt0133093",
        "timestamp": "2026-03-01T12:00:00Z",
        **fields,
    }


def snake_case(name: str) -> str:
    """As Rust's serde writes the name of a variant: an underscore before each capital but the first."""
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()


def refusal(source: Any) -> str:
    with pytest.raises(ForeignEventError) as caught:
        read_activity(source)
    message = str(caught.value)
    assert message.isprintable(), "a reason is one line, with nothing in it that a terminal would act on"
    assert len(message) < 250
    return message


def outcome_of(source: Any) -> Event | ForeignEventError:
    try:
        return read_activity(source)
    except ForeignEventError as error:
        return error


def test_every_field_of_the_schema_has_its_place() -> None:
    event = read_activity(activity(metadata={"source": "home"}, device_id="tv-1", region="eu-west-1"))
    assert event == Event(
        id=UUID(EVENT_ID),
        event_type="content.viewed",
        category="activity",
        actor_type=ActorType.USER,
        actor_id="u-42",
        resource_type="content",
        resource_id="tt0133093",
        metadata={"source": "home", "device_id": "tv-1", "region": "eu-west-1"},
        severity=Severity.INFO,
        inserted_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    )


def test_bytes_text_and_a_mapping_give_the_same_event() -> None:
    fields = activity(metadata={"a": [1, "é"]})
    text = json.dumps(fields)
    assert read_activity(fields) == read_activity(text) == read_activity(text.encode())


@pytest.mark.parametrize("reported", TYPES)
def test_each_type_of_the_schema_has_its_shipped_name(reported: str) -> None:
    event = read_activity(activity(event_type=reported))
    assert event.event_type == TYPES[reported]
    assert event.event_type in Taxonomy.shipped()
    assert event.category == Taxonomy.shipped().category_of(event.event_type)


@pytest.mark.parametrize("reported", TYPES)
def test_each_type_may_be_written_in_snake_case(reported: str) -> None:
    snake = snake_case(reported)
    assert snake == snake.lower()
    assert read_activity(activity(event_type=snake)) == read_activity(activity(event_type=reported))


@pytest.mark.parametrize("missing", [{}, {"content_id": None}, {"content_id": ""}])
@pytest.mark.parametrize("reported", [*CONTENT_TYPES, *map(snake_case, CONTENT_TYPES)])
def test_a_content_event_without_content_is_refused(reported: str, missing: dict[str, Any]) -> None:
    fields = activity(event_type=reported)
    del fields["content_id"]
    assert refusal({**fields, **missing}) == f"content_id is missing, and {reported} is about content"


@pytest.mark.parametrize("reported", OTHER_TYPES)
def test_an_event_that_is_not_about_content_needs_none(reported: str) -> None:
    event = read_activity(activity(event_type=reported, content_id=None))
    assert (event.resource_type, event.resource_id) == (None, None)
    about = read_activity(activity(event_type=reported))
    assert (about.resource_type, about.resource_id) == ("content", "tt0133093")


@pytest.mark.parametrize("nobody", [{"user_id": None}, {"user_id": ""}])
def test_an_event_of_nobody_is_of_a_guest(nobody: dict[str, Any]) -> None:
    event = read_activity(activity(**nobody))
    assert (event.actor_type, event.actor_id) == (ActorType.USER, None)


@pytest.mark.parametrize(
    ("reported", "event_type"),
    [
        ("PlaybackSeek", "playback.seek"),
        ("SubtitleTrackChange", "subtitle_track.change"),
        ("HTTPSessionStart", "http_session.start"),
        ("H264StreamOpen", "h264_stream.open"),
        ("ABTestX", "ab_test.x"),
        ("Stream4kOpen", "stream4k.open"),
    ],
)
def test_another_type_is_noun_and_verb_in_the_activity_category(reported: str, event_type: str) -> None:
    for spelling in (reported, snake_case(reported)):
        event = read_activity(activity(event_type=spelling, content_id=None))
        assert (event.event_type, event.category) == (event_type, "activity")


WORDS = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)


@REPEATABLE
@given(st.lists(WORDS, min_size=2, max_size=5))
def test_both_spellings_of_any_type_give_the_same_event_type(words: list[str]) -> None:
    camel, snake = "".join(word.capitalize() for word in words), "_".join(words)
    assert outcome_type(camel) == outcome_type(snake) == outcome_type(snake_case(camel))


def outcome_type(reported: str) -> str | None:
    outcome = outcome_of(activity(event_type=reported))
    return outcome.event_type if isinstance(outcome, Event) else None


def test_a_type_that_the_taxonomy_knows_otherwise_keeps_its_category() -> None:
    assert read_activity(activity(event_type="MovieViewed")).category == "interaction"


NEITHER_SPELLING = "event_type must be CamelCase or snake_case, as in PlaybackStart or playback_start"


@pytest.mark.parametrize(
    ("reported", "message"),
    [
        ("content.viewed", f"{NEITHER_SPELLING}, not 'content.viewed'"),
        ("playbackStart", f"{NEITHER_SPELLING}, not 'playbackStart'"),
        ("Playback_Start", f"{NEITHER_SPELLING}, not 'Playback_Start'"),
        ("playback__start", f"{NEITHER_SPELLING}, not 'playback__start'"),
        ("_playback_start", f"{NEITHER_SPELLING}, not '_playback_start'"),
        ("playback_start_", f"{NEITHER_SPELLING}, not 'playback_start_'"),
        ("Playback Start", f"{NEITHER_SPELLING}, not 'Playback Start'"),
        ("Playback\x1b[2J", f"{NEITHER_SPELLING}, not 'Playback\\x1b[2J'"),
        ("PlaybackStart\n", f"{NEITHER_SPELLING}, not 'PlaybackStart\\n'"),
        ("playback_start\n", f"{NEITHER_SPELLING}, not 'playback_start\\n'"),
        ("Heartbeat", "event_type must be a noun and a verb, as in PlaybackStart, not 'Heartbeat'"),
        ("heartbeat", "event_type must be a noun and a verb, as in PlaybackStart, not 'heartbeat'"),
        ("UserÄndern", f"{NEITHER_SPELLING}, not 'UserÄndern'"),
        ("user_ändern", f"{NEITHER_SPELLING}, not 'user_ändern'"),
        ("A" + "b" * 200 + "C", "event_type: String should have at most 128 characters"),
        (7, "event_type must be text, not a number"),
        (None, "event_type is missing"),
        ("", "event_type is missing"),
    ],
)
def test_a_type_in_another_spelling_is_refused(reported: object, message: str) -> None:
    assert refusal(activity(event_type=reported)) == message


# Ids


@pytest.mark.parametrize("event_id", ["evt-1", "42", "0192f8a15c3b7d4e9f601a2b3c4d5e6f", "\x1b[2J"])
def test_an_id_that_is_no_uuid_gives_the_same_uuid_each_time(event_id: str) -> None:
    first, second = read_activity(activity(event_id=event_id)), read_activity(activity(event_id=event_id))
    assert first.id == second.id
    assert first.id.version == 5
    assert first.metadata["event_id"] == event_id
    assert first.id != read_activity(activity(event_id=event_id + "x")).id


def test_an_id_that_cannot_be_stored_is_refused() -> None:
    assert refusal(activity(event_id="\ud800")) == "metadata: lone surrogates cannot be stored"


def test_the_uuid_of_an_id_never_changes() -> None:
    """An application that upgrades and reads its stream again must not store it twice."""
    assert read_activity(activity(event_id="evt-1")).id == UUID("54dec0fc-50ef-527d-86e2-5bf13f3bfdc7")


def test_a_uuid_is_kept_whatever_its_case() -> None:
    event = read_activity(activity(event_id=EVENT_ID.upper()))
    assert event.id == UUID(EVENT_ID)
    assert "event_id" not in event.metadata


def test_a_mapping_may_hold_a_uuid_and_a_moment() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    event = read_activity(activity(event_id=UUID(EVENT_ID), user_id=UUID(int=7), timestamp=moment))
    assert (event.id, event.actor_id, event.inserted_at) == (UUID(EVENT_ID), str(UUID(int=7)), moment)


# Time


@pytest.mark.parametrize(
    ("timestamp", "moment"),
    [
        ("2026-03-01T13:00:00.123456789+01:00", datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)),
        (1772366400, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (1772366400.5, datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)),
        (1772366400000, datetime(2026, 3, 1, 12, tzinfo=UTC)),
    ],
)
def test_a_timestamp_is_a_moment_with_a_zone_or_unix_time(timestamp: object, moment: datetime) -> None:
    assert read_activity(activity(timestamp=timestamp)).inserted_at == moment


@pytest.mark.parametrize("missing", [{}, {"timestamp": None}, {"timestamp": ""}])
def test_an_event_without_a_timestamp_has_the_time_of_its_receipt_or_is_refused(
    missing: dict[str, Any],
) -> None:
    fields = activity()
    del fields["timestamp"]
    assert refusal({**fields, **missing}) == "timestamp is missing"
    receipt = datetime(2026, 4, 1, tzinfo=UTC)
    assert read_activity({**fields, **missing}, received_at=receipt).inserted_at == receipt


def test_the_time_of_receipt_does_not_replace_a_timestamp() -> None:
    receipt = datetime(2026, 4, 1, tzinfo=UTC)
    assert read_activity(activity(), received_at=receipt) == read_activity(activity())


@pytest.mark.parametrize(
    ("timestamp", "message"),
    [
        ("2026-03-01T12:00:00", "timestamp: Input should have timezone info"),
        ("yesterday\x1b", "timestamp: Input should be a valid datetime or date, invalid character in year"),
        (True, "timestamp: Input should be a valid datetime"),
        ([], "timestamp: Input should be a valid datetime"),
    ],
)
def test_a_timestamp_that_is_no_moment_is_refused(timestamp: object, message: str) -> None:
    assert refusal(activity(timestamp=timestamp)) == message


# Completion


def complete(**metadata: Any) -> Event:
    return read_activity(activity(event_type="PlaybackComplete", metadata=metadata))


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"completion_rate": 0.9},
        {"completion": 1},
        {"completion_percent": 90},
        {"position": 90, "duration": 100},
        {"position_seconds": 5399.9, "duration_seconds": 5400.0},
        {"watched_ms": 11_000, "duration_ms": 10_000},
        {"completion_rate": 0.95, "position": 1, "duration": 100},
        {"completion_percentage": 0.95},
        {"completion_percentage": 0.8999999761581421},
        {"progress_percent": 1},
        {"final_position_seconds": 3240, "duration_seconds": 3600},
        {"watched": 0.95},
        {"watched": 0.95, "duration": 5400},
        {"watched": 90, "duration": 100},
        {"position_s": 90, "length_s": 100},
        {"position_s": 5399.9, "length_s": 5400.0, "watched": 0.999},
    ],
)
def test_nine_tenths_watched_is_complete(metadata: dict[str, Any]) -> None:
    event = complete(**metadata)
    assert (event.event_type, event.metadata) == ("playback.completed", metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {"completion_rate": 0.89},
        {"completion": 0},
        {"watched_percent": 89.9},
        {"position": 0, "duration": 100},
        {"position_ms": 4_000_000, "duration_ms": 5_400_000},
        {"completion_percentage": 0},
        {"completion_percentage": 0.5},
        {"completion_percentage": 2},
        {"final_position_seconds": 3060, "duration_seconds": 3600},
        {"watched": 0.3},
        {"position_s": 89, "length_s": 100},
    ],
)
def test_less_is_recorded_as_abandoned_and_says_what_was_reported(metadata: dict[str, Any]) -> None:
    event = complete(**metadata)
    assert event.event_type == "playback.abandoned"
    assert event.metadata == {**metadata, "reported_type": "PlaybackComplete"}


def test_nine_tenths_as_a_32_bit_float_are_complete() -> None:
    (share,) = struct.unpack("<f", struct.pack("<f", 0.9))
    assert share < COMPLETE_SHARE
    assert complete(completion_rate=share).event_type == "playback.completed"
    assert complete(completion_rate=COMPLETE_SHARE - 2 * SHARE_TOLERANCE).event_type == "playback.abandoned"


def test_what_was_reported_is_kept_in_its_own_spelling() -> None:
    event = read_activity(activity(event_type="playback_complete", metadata={"completion": 0.1}))
    assert (event.event_type, event.metadata["reported_type"]) == ("playback.abandoned", "playback_complete")


@pytest.mark.parametrize("seconds", [0, 1.5, 4_799, 4_859, 4_860, 5_400, 6_000])
def test_a_playback_that_was_recorded_here_is_judged_as_it_was_recorded(seconds: float) -> None:
    recorder = Recorded()
    GatewayEvents(recorder).playback_ended(Playing("p1", MOVIE, seconds, 5_400), VISITOR)
    assert complete(**recorder.only.metadata).event_type == recorder.only.event_type


def test_only_what_was_reported_as_complete_is_judged() -> None:
    event = read_activity(activity(event_type="PlaybackAbandon", metadata={"completion": 0.99}))
    assert (event.event_type, event.metadata) == ("playback.abandoned", {"completion": 0.99})


@pytest.mark.parametrize(
    "metadata",
    [
        {"completion": 90},
        {"completion": -0.1},
        {"completion": True},
        {"completion": "0.5"},
        {"completion": float("nan")},
        {"completion_percent": 101},
        {"position": 10},
        {"position": 10, "duration": 0},
        {"position": -1, "duration": 100},
        {"position": 10, "duration_ms": 100},
        {"position": 10**400, "duration": 3},
        {"position": 1, "duration": float("inf")},
        {"position": [], "duration": {}},
    ],
)
def test_what_is_no_figure_says_nothing_of_what_was_watched(metadata: dict[str, Any]) -> None:
    assert watched_share(metadata) is None


NUMBERS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
FIGURES = ("completion", "completion_percent", "position", "length", "watched_s", "duration_s")


@REPEATABLE
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(FIGURES, NUMBERS)))
def test_any_metadata_give_a_share_or_none(metadata: dict[str, Any]) -> None:
    share = watched_share(metadata)
    assert share is None or share >= 0


def test_the_share_of_the_schema_is_nine_tenths() -> None:
    for length in range(10, 20_000, 10):
        assert (watched_share({"position": length // 10 * 9, "duration": length}) or 0) >= COMPLETE_SHARE
        assert (watched_share({"position": length // 10 * 9 - 1, "duration": length}) or 0) < COMPLETE_SHARE


# Metadata


def test_fields_that_the_schema_does_not_have_are_kept() -> None:
    event = read_activity(activity(app_version="1.2", metadata={"app_version": "?", "a": None}, region=None))
    assert event.metadata == {"app_version": "1.2", "a": None}


@pytest.mark.parametrize("metadata", [0.5, "text", '{"a":1}', "", [1, {"a": None}], [], False, 0])
def test_metadata_that_are_no_object_are_kept_under_their_name(metadata: object) -> None:
    event = read_activity(activity(event_type="PlaybackComplete", metadata=metadata, region="eu"))
    assert event.event_type == "playback.completed"
    assert event.metadata == {"metadata": metadata, "region": "eu"}


def test_what_is_given_is_not_changed() -> None:
    fields = activity(
        event_type="PlaybackComplete", event_id="1", device_id="d", metadata={"completion": 0.1}
    )
    before = json.dumps(fields)
    read_activity(fields)
    assert json.dumps(fields) == before


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"metadata": float("inf")}, "metadata: metadata has NaN or an infinity"),
        ({"metadata": "x" * 70_000}, "metadata: metadata is over 64 KiB"),
        ({"metadata": {"a": "x" * 70_000}}, "metadata: metadata is over 64 KiB"),
        ({"metadata": {"a": float("nan")}}, "metadata: metadata has NaN or an infinity"),
        ({"metadata": {"a": b""}}, "metadata: metadata has a bytes, which JSON cannot express"),
        ({"device_id": 3}, "device_id must be text, not a number"),
        ({"region": {}}, "region must be text, not an object"),
        ({"user_id": True}, "user_id must be text, not a boolean"),
        ({"user_id": "x" * 256}, "user_id: String should have at most 255 characters"),
        ({"content_id": "a\x00"}, "content_id: U+0000 cannot be stored"),
        ({"event_id": None}, "event_id is missing"),
        ({"event_id": 7}, "event_id must be text, not a number"),
        ({"event_id": object()}, "event_id must be text, not 'object'"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(fields: dict[str, Any], message: str) -> None:
    assert refusal(activity(**fields)) == message


def test_metadata_that_hold_themselves_are_refused() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    assert "levels deep" in refusal(activity(metadata=loop))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "not JSON: EOF while parsing a value at line 1 column 0"),
        (b'{"event_id":NaN}', "not JSON: expected value at line 1 column 13"),
        (b"\xff{}", "not JSON: expected value at line 1 column 1"),
        ('{"a":"\ud800"}', "not JSON: Expected bytes, bytearray or str"),
        (b"[" * 100_000, "not JSON: recursion limit exceeded at line 1 column 202"),
        (b"[]", "the event must be an object, not an array"),
        ("null", "the event must be an object, not null"),
        (7, "the event must be an object, not a number"),
        (b" " * (FOREIGN_MAX_BYTES + 1), f"{FOREIGN_MAX_BYTES + 1} bytes, over {FOREIGN_MAX_BYTES}"),
    ],
)
def test_what_is_no_json_object_is_refused(source: Any, message: str) -> None:
    assert refusal(source) == message


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    NUMBERS | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=6,
)


@REPEATABLE
@given(st.fixed_dictionaries({}, optional=dict.fromkeys([*activity(), "metadata", "region"], ANYTHING)))
def test_any_values_give_an_event_or_one_harmless_line(fields: dict[str, Any]) -> None:
    outcome = outcome_of({**activity(), **fields})
    if isinstance(outcome, Event):
        assert Event.model_validate_json(outcome.model_dump_json()) == outcome
    else:
        assert str(outcome).isprintable()

"""An event holds what every store can keep, and says which rule a field broke."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from store.event import (
    METADATA_MAX_BYTES,
    METADATA_MAX_DEPTH,
    SEVERITY_RANK,
    ActorType,
    Event,
    Severity,
    search_text,
    split_reference,
)
from tests.events import NOON, make_event


def refusals(**fields: Any) -> dict[str, str]:
    """Field and message of each broken rule."""
    with pytest.raises(ValidationError) as caught:
        Event.model_validate({"event_type": "job.executed", **fields})
    return {
        str(error["loc"][0]): error["msg"]
        for error in caught.value.errors()
        if error["type"] != "default_factory_not_called"
    }


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"deeper": value}
    return value


def test_only_the_type_must_be_given() -> None:
    before = datetime.now(UTC)
    event = Event(event_type="download.completed")
    assert before <= event.inserted_at <= datetime.now(UTC)
    assert event.id.version == 7
    assert event.model_dump(exclude={"id", "inserted_at"}) == {
        "event_type": "download.completed",
        "category": "downloads",
        "actor_type": ActorType.SYSTEM,
        "actor_id": None,
        "resource_type": None,
        "resource_id": None,
        "secondary_resource_type": None,
        "secondary_resource_id": None,
        "metadata": {},
        "status": None,
        "severity": Severity.INFO,
        "position": None,
    }


def test_ids_made_one_after_the_other_are_in_order() -> None:
    ids = [Event(event_type="a.b").id for _ in range(1000)]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize(
    ("event_type", "category", "severity"),
    [
        ("download.failed", "downloads", Severity.ERROR),
        ("indexer.health_changed", "system", Severity.WARNING),
        ("user.login", "auth", Severity.INFO),
        ("payment.failed", "payment", Severity.ERROR),
        ("payment.done", "payment", Severity.INFO),
    ],
)
def test_the_taxonomy_gives_category_and_severity(event_type: str, category: str, severity: Severity) -> None:
    event = Event(event_type=event_type)
    assert (event.category, event.severity) == (category, severity)


def test_what_is_given_is_kept_against_the_taxonomy() -> None:
    event = Event(event_type="download.failed", category="mine", severity=None)
    assert (event.category, event.severity) == ("mine", None)


def test_the_category_of_an_unknown_type_fits_the_column() -> None:
    assert Event(event_type="x" * 100 + ".done").category == "x" * 64


@pytest.mark.parametrize(
    "event_type",
    ["a.b", "media_item.monitored_changed", "featured.item.created", "a-1.2_b", "a." + "b" * 126],
)
def test_dotted_lower_case_types_are_taken(event_type: str) -> None:
    assert Event(event_type=event_type).event_type == event_type


@pytest.mark.parametrize(
    "event_type",
    ["failed", "Download.failed", "a..b", ".a", "a.", "a.b\n", "a b.c", "ä.b", "a.b\x00", "a/b.c"],
)
def test_other_types_are_refused_with_the_pattern(event_type: str) -> None:
    assert "should match pattern" in refusals(event_type=event_type)["event_type"]


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("category", 64),
        ("resource_type", 64),
        ("secondary_resource_type", 64),
        ("status", 64),
        ("actor_id", 255),
        ("resource_id", 255),
        ("secondary_resource_id", 255),
    ],
)
def test_texts_have_a_longest_and_a_shortest_length(field: str, limit: int) -> None:
    longest = "é" * limit
    assert getattr(make_event(**{field: longest}), field) == longest
    assert f"at most {limit} characters" in refusals(**{field: longest + "é"})[field]
    assert "at least 1 character" in refusals(**{field: ""})[field]
    assert "U+0000 cannot be stored" in refusals(**{field: "a\x00b"})[field]
    assert "unicode" in refusals(**{field: "\ud800"})[field]


def test_the_type_has_a_longest_length() -> None:
    assert "at most 128 characters" in refusals(event_type="a." + "b" * 127)["event_type"]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("id", "not-a-uuid", "valid UUID"),
        ("actor_type", "robot", "'user', 'system' or 'job'"),
        ("severity", "critical", "'info', 'warning' or 'error'"),
        ("metadata", [1], "valid dictionary"),
        ("metadata", None, "valid dictionary"),
        ("position", 0, "greater than or equal to 1"),
        ("position", 2**63, "less than or equal to 9223372036854775807"),
        ("inserted_at", datetime(2026, 1, 1), "timezone"),
        ("inserted_at", "yesterday", "valid datetime"),
        ("inserted_at", datetime(1, 12, 31, tzinfo=UTC), "years 2 to 9998"),
        ("inserted_at", datetime(9999, 1, 1, tzinfo=UTC), "years 2 to 9998"),
        ("colour", "red", "Extra inputs are not permitted"),
    ],
)
def test_a_refusal_names_the_field_and_the_rule(field: str, value: Any, rule: str) -> None:
    (refused,) = refusals(**{field: value}).items()
    assert refused[0] == field
    assert rule in refused[1]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (float("nan"), "NaN or an infinity"),
        (float("-inf"), "NaN or an infinity"),
        (2**63, "beyond 64 bits"),
        (-(2**63) - 1, "beyond 64 bits"),
        ("a\x00b", "U+0000"),
        ("\udfff", "lone surrogates"),
        ({"a\x00": 1}, "U+0000"),
        ({"\ud800": 1}, "lone surrogates"),
        ({1: "one"}, "keys must be text"),
        (b"bytes", "has a bytes, which JSON cannot express"),
        (NOON, "has a datetime, which JSON cannot express"),
        ({1, 2}, "has a set, which JSON cannot express"),
    ],
)
@pytest.mark.parametrize("place", ["value", "in a list", "in an object"])
def test_metadata_that_a_store_would_refuse_is_refused(value: Any, rule: str, place: str) -> None:
    wrapped = {"value": value, "in a list": [0, [value]], "in an object": {"deep": {"down": value}}}[place]
    assert rule in refusals(metadata={"key": wrapped})["metadata"]


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 1.5, True, None, "é😀", "", [], {}, {"": 0}])
def test_metadata_takes_what_every_store_can_keep(value: Any) -> None:
    assert make_event(metadata={"key": value}).metadata == {"key": value}


def test_metadata_may_be_so_many_levels_deep_and_no_more() -> None:
    assert make_event(metadata=nested(METADATA_MAX_DEPTH))
    assert "over 32 levels deep" in refusals(metadata=nested(METADATA_MAX_DEPTH + 1))["metadata"]
    lists: Any = []
    for _ in range(METADATA_MAX_DEPTH):
        lists = [lists]
    assert "over 32 levels deep" in refusals(metadata={"lists": lists})["metadata"]


def test_metadata_that_contains_itself_is_too_deep() -> None:
    metadata: dict[str, Any] = {}
    metadata["me"] = metadata
    assert "over 32 levels deep" in refusals(metadata=metadata)["metadata"]


def test_metadata_may_be_so_large_encoded_and_no_larger() -> None:
    overhead = len(json.dumps({"key": ""}, separators=(",", ":")))
    largest = "x" * (METADATA_MAX_BYTES - overhead)
    assert make_event(metadata={"key": largest})
    assert "over 64 KiB" in refusals(metadata={"key": largest + "x"})["metadata"]
    assert "over 64 KiB" in refusals(metadata={"key": "é" * (len(largest) // 2 + 1)})["metadata"]


def test_metadata_changed_after_the_event_was_made_does_not_change_the_event() -> None:
    inner: dict[str, Any] = {"tries": [1]}
    metadata = {"inner": inner}
    event = make_event(metadata=metadata)
    inner["tries"].append(float("nan"))
    metadata["more"] = inner
    assert event.metadata == {"inner": {"tries": [1]}}


def test_metadata_keeps_lists_for_tuples_and_texts_for_named_values() -> None:
    class Colour(StrEnum):
        RED = "red"

    assert make_event(metadata={"sizes": (1, 2), "colour": Colour.RED}).metadata == {
        "sizes": [1, 2],
        "colour": "red",
    }


def test_moments_are_kept_in_utc_to_the_microsecond() -> None:
    local = datetime(2026, 11, 21, 14, 5, 11, 482_713, tzinfo=timezone(timedelta(hours=2)))
    event = make_event(inserted_at=local)
    assert event.inserted_at == local
    assert event.inserted_at.tzinfo is UTC
    assert event.inserted_at.microsecond == 482_713


@pytest.mark.parametrize("year", [2, 1970, 2106, 9998])
def test_every_accepted_moment_can_be_shown_in_every_zone(year: int) -> None:
    for moment in (datetime(year, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)):
        event = make_event(inserted_at=moment)
        for hours in (-24, 24):
            zone = timezone(timedelta(hours=hours, minutes=-hours // 24))
            assert event.inserted_at.astimezone(zone) == moment


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_event().status = "down"  # pyright: ignore[reportAttributeAccessIssue]


def test_severities_are_ordered_by_rank() -> None:
    assert [severity.rank for severity in Severity] == [1, 2, 3]
    assert SEVERITY_RANK[None] == 0
    assert SEVERITY_RANK[Severity.ERROR] == SEVERITY_RANK["error"]


def test_the_timeline_is_ordered_by_time_and_then_by_id() -> None:
    events = [
        make_event(2, inserted_at=NOON),
        make_event(1, inserted_at=NOON),
        make_event(0, inserted_at=NOON + timedelta(microseconds=1)),
    ]
    assert [event.id.int for event in sorted(events, key=lambda event: event.sort_key)] == [1, 2, 0]


def test_actor_and_resources_are_written_as_operators_write_them() -> None:
    event = make_event(
        actor_type="user",
        actor_id="42",
        resource_type="download",
        resource_id="9f3a",
        secondary_resource_id="s1",
    )
    assert (event.actor, event.resource, event.secondary_resource) == ("user:42", "download/9f3a", "s1")
    guest = make_event(actor_type="user", resource_type="search")
    assert (guest.actor, guest.resource, guest.secondary_resource) == ("user", "search", None)


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("download/9f3a", ("download", "9f3a")),
        ("user:42", ("user", "42")),
        ("user", ("user", None)),
        ("user:", ("user", None)),
        ("file/a/b:c", ("file", "a/b:c")),
        ("", ("", None)),
    ],
)
def test_a_reference_is_split_at_its_first_separator(reference: str, parts: tuple[str, str | None]) -> None:
    assert split_reference(reference) == parts


def test_bare_words_look_in_type_ids_status_and_metadata() -> None:
    event = make_event(
        actor_id="Ann",
        resource_type="Straße",
        secondary_resource_id="S1",
        status="Down",
        metadata={"Title": ["Ä", {"n": 1.5, "on": True, "off": None}]},
        category="unseen",
    )
    assert search_text(event).split("\n") == [
        "job.executed",
        "ann",
        "strasse",
        "s1",
        "down",
        "title",
        "ä",
        "n",
        "1.5",
        "on",
        "true",
        "off",
    ]


def test_an_id_of_another_making_is_taken() -> None:
    assert make_event(id="00000000-0000-0000-0000-000000000005").id == UUID(int=5)

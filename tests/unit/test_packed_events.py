"""Events that were packed are the same when they are looked at."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.packed_events import PackedEvents
from store.event import INT_MAX, INT_MIN, Event, Severity
from store.wire import encode
from tests.events import NOON, make_event, make_events

_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(INT_MIN, INT_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(_TEXT, values, max_size=3),
    max_leaves=8,
)


def packed(*events: Event) -> PackedEvents:
    return PackedEvents([event.sort_key for event in events], events)


def whole_again(*events: Event) -> list[Event]:
    return list(packed(*events).unpacked().values())


@pytest.mark.parametrize("severity", [None, *Severity])
@pytest.mark.parametrize("actor_type", ["user", "job", "system"])
def test_every_field_is_what_it_was_in_type_and_order(severity: Severity | None, actor_type: str) -> None:
    fields = {name: f"the {name}" for name in ("actor_id", "resource_type", "resource_id", "status")}
    fields |= {name: f"the {name}" for name in ("secondary_resource_type", "secondary_resource_id")}
    event = make_event(
        7, actor_type=actor_type, severity=severity, position=INT_MAX, metadata={"a": [1]}, **fields
    )
    [again] = whole_again(event)
    assert again == event
    assert list(map(type, vars(again).values())) == list(map(type, vars(event).values()))
    assert encode(again) == encode(event)


@settings(derandomize=True, deadline=None)
@given(st.lists(st.dictionaries(_TEXT, _VALUES, max_size=4), min_size=1, max_size=4))
def test_whatever_metadata_may_hold_is_as_it_was(all_metadata: list[dict[str, Any]]) -> None:
    events = [make_event(number, metadata=metadata) for number, metadata in enumerate(all_metadata)]
    assert repr(whole_again(*events)) == repr(events)


def test_they_are_found_by_their_keys() -> None:
    moment = datetime.max.replace(tzinfo=NOON.tzinfo, year=9998)
    events = [
        make_event(3),
        make_event(1, inserted_at=NOON, id=UUID(int=2**128 - 1)),
        make_event(inserted_at=moment),
    ]
    assert packed(*events).unpacked() == {event.sort_key: event for event in events}


def test_they_take_a_fraction_of_the_memory() -> None:
    events = make_events(128, metadata={"title": "Harbour Lights", "progress": 1}, position=5)
    dictionaries = sum(sys.getsizeof(vars(event)) for event in events)
    assert 10 * packed(*events).size < dictionaries

"""Events that are kept are equal to those that came, and share what they have in common."""

from __future__ import annotations

import sys

from monitor.model.lean import SHARED_LENGTH, SHARED_MAX, LeanEvents
from store.event import Event
from store.wire import decode, encode
from tests.events import make_event


def come(number: int = 0, **metadata: object) -> Event:
    """An event as the bus brings it: with texts of its own."""
    return decode(encode(make_event(number, metadata=metadata))).event


def test_it_is_the_same_event() -> None:
    event = come(7, title="Harbour Lights", progress=7, nested={"a": ["b"]}, nothing=None)
    lean = LeanEvents().lean(come(7, **event.metadata))
    assert lean == event
    assert encode(lean) == encode(event)
    assert hash(lean.id) == hash(event.id)


def test_it_takes_less_memory_than_what_came() -> None:
    event = come()
    assert sys.getsizeof(vars(LeanEvents().lean(event))) < sys.getsizeof(vars(come())) / 2


def test_equal_texts_are_one() -> None:
    lean = LeanEvents()
    one, other = (lean.lean(come(number, title="Harbour Lights")) for number in range(2))
    assert one.metadata["title"] is other.metadata["title"]


def test_long_texts_are_not_held_and_of_many_short_ones_no_more_than_so_many() -> None:
    lean = LeanEvents()
    long = "x" * (SHARED_LENGTH + 1)
    one, other = (lean.lean(come(number, title=long)) for number in range(2))
    assert one.metadata["title"] is not other.metadata["title"]
    first = lean.lean(come(0, title="Harbour Lights")).metadata["title"]
    for number in range(SHARED_MAX // 100 + 1):
        lean.lean(come(number, **{f"k{index}": f"{number} {index}" for index in range(100)}))
    again = lean.lean(come(0, title="Harbour Lights")).metadata["title"]
    assert again == first
    assert again is not first

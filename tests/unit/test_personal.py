"""Places of personal data: how they are written, what they cover, and metadata without what stands there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.personal import DEFAULT_PLACES, PLACES_MAX, PersonalPlaceError, PersonalPlaces, read_places


def stand_in(key: str, value: Any) -> str:
    return f"<{key}>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", DEFAULT_PLACES),
        (" , ,", DEFAULT_PLACES),
        ("client.address", (*DEFAULT_PLACES, "client.address")),
        ("ip", DEFAULT_PLACES),
        ("-device_id", tuple(place for place in DEFAULT_PLACES if place != "device_id")),
        ("- User-Agent ,phone", (*(place for place in DEFAULT_PLACES if place != "user_agent"), "phone")),
        ('hops.*."a.b"', (*DEFAULT_PLACES, 'hops.*."a.b"')),
    ],
)
def test_a_list_of_places_adds_to_what_is_known_and_takes_out(text: str, expected: tuple[str, ...]) -> None:
    assert read_places(text) == expected


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a..b", "'a..b'"),
        (".a", "'.a'"),
        ("a.", "'a.'"),
        ("a b", "'a b'"),
        ('"a', "'\"a'"),
        ("-", "''"),
        ("-region", "'region'"),
        ("*", "names no key"),
        ("*.*", "names no key"),
        (",".join(f"a{number}" for number in range(PLACES_MAX)), f"over {PLACES_MAX}"),
    ],
)
def test_what_is_no_place_is_named_in_one_line(text: str, named: str) -> None:
    with pytest.raises(PersonalPlaceError) as caught:
        read_places(text)
    assert named in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("places", "metadata", "expected"),
    [
        (("ip",), {"ip": "10.0.0.1", "n": 1}, {"ip": "<ip>", "n": 1}),
        (("user_agent",), {"User-Agent": "x"}, {"User-Agent": "<User-Agent>"}),
        (("user_agent",), {"userAgent": "x"}, {"userAgent": "<userAgent>"}),
        (("ip",), {"request": {"ip": "10.0.0.1"}}, {"request": {"ip": "<ip>"}}),
        (("ip",), {"hops": [{"ip": "10.0.0.1"}, {"n": 1}]}, {"hops": [{"ip": "<ip>"}, {"n": 1}]}),
        (("ip",), {"zip": "12345", "ipv": "x"}, {"zip": "12345", "ipv": "x"}),
        (("a.b",), {"a": {"b": 1}, "b": "stays"}, {"a": {"b": "<b>"}, "b": "stays"}),
        (("a.b",), {"x": {"a": {"b": 1}}}, {"x": {"a": {"b": 1}}}),
        (("a.*",), {"a": [1, [2]]}, {"a": ["<item>", ["<item>"]]}),
        (("a.*.b",), {"a": [{"b": 1, "c": 2}, 3]}, {"a": [{"b": "<b>", "c": 2}, 3]}),
        (("a.*.b",), {"a": {"x": {"b": 1}}}, {"a": {"x": {"b": "<b>"}}}),
        (('"a.b"',), {"a.b": 1, "a": {"b": 2}}, {"a.b": "<a.b>", "a": {"b": 2}}),
        (("email",), {"email": ["x@y.z", None]}, {"email": ["<email>", None]}),
        (("email",), {"email": {"x@y.z": True}}, {"email": "<email>"}),
        (("ip",), {"ip": None, "n": {"ip": ""}}, {"ip": None, "n": {"ip": ""}}),
        (("ip",), {"ip": True}, {"ip": True}),
        (("ip",), {"by": {"@ip": "10.0.0.1"}, "t": "10.0.0.1 fails"}, {"by": {"@ip": "<@ip>"}, "t": "<@ip> fails"}),
        (("a.ip",), {"labels": {"@a.ip": "10.0.0.1"}}, {"labels": {"@a.ip": "<@a.ip>"}}),
        (("ip",), {"ip": "10.0.0.1", "t": "10.0.0.1: no, 110.0.0.12"}, {"ip": "<ip>", "t": "<ip>: no, 110.0.0.12"}),
        (("ip",), {"ip": "10.0.0.1", "by": {"10.0.0.1": 3}}, {"ip": "<ip>", "by": {"<ip>": 3}}),
        (("ip",), {"ip": "abc", "text": "abc"}, {"ip": "<ip>", "text": "abc"}),
    ],
)  # fmt: skip
def test_what_stands_at_a_personal_place_is_replaced_and_nothing_else(
    places: tuple[str, ...], metadata: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert PersonalPlaces(places).replaced(metadata, stand_in) == expected


def test_metadata_without_personal_data_is_not_copied() -> None:
    places = PersonalPlaces()
    for metadata in ({}, {"title": "x"}, {"a": {"b": [1]}}, {"ip": None}):
        assert places.replaced(metadata, stand_in) is metadata
        assert not places.found(metadata)
    assert places.found({"a": [{"ip": "10.0.0.1"}]})


def test_what_a_query_asks_for_is_covered_as_it_is_replaced() -> None:
    places = PersonalPlaces(("ip", "a.*.b"))
    assert places.covers(("ip",))
    assert places.covers(("x", "ip"))
    assert places.covers(("ip", "inner"))
    assert places.covers(("a", "x", "b"))
    assert places.covers(("a", "x", "b", "c"))
    assert not places.covers(("a",))
    assert not places.covers(("a", "b"))
    assert not places.covers(("x", "a", "y", "b"))


_KEYS = st.sampled_from(["ip", "a", "b", "IP"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["ip", "a", "x"]), _JSON, max_size=3))
def test_nothing_is_left_to_be_replaced(metadata: dict[str, Any]) -> None:
    places = PersonalPlaces(("ip", "a.*.b"))
    once = places.replaced(metadata, lambda *_: None)
    assert not places.found(once)
    assert places.found(metadata) == (once is not metadata)

"""An identity: how it is written, and where it is found in texts and JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.erasure.identity import Identity, Replacement
from store.personal import PersonalPlaces
from tests.events import make_event


def replacement(actor_id: str, **options: Any) -> Replacement:
    return Replacement(Identity("user", actor_id), "P", PersonalPlaces(), **options)


@pytest.mark.parametrize("text", ["", "user", "user:", ":42", "guest:42", "user/42", f"user:{'x' * 256}"])
def test_what_names_no_actor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no actor"):
        Identity.read(text)


def test_an_id_may_have_colons_in_it() -> None:
    assert Identity.read("user:a:b") == Identity("user", "a:b")
    assert Identity.read("user:a:b").text == "user:a:b"


@pytest.mark.parametrize(
    ("actor_id", "text", "expected"),
    [
        ("ana", "ana, Ana, banana, ana_1 (ana)", "P, Ana, banana, P_1 (P)"),
        ("ana", "ana@example.com", "P@example.com"),
        ("42", "42 142 42.5 3.42 1,42 14:42 42", "P 142 42.5 3.42 1,42 14:42 P"),
        ("42", "user:42 by 42, not 42.", "user:P by P, not P."),
        ("a.b", "a.b axb", "P axb"),
        ("ana@x.y", "<ana@x.y>", "<P>"),
        ("Müller", "Müllers Müller", "Müllers P"),
    ],
)
def test_an_id_is_replaced_where_it_is_a_word(actor_id: str, text: str, expected: str) -> None:
    assert replacement(actor_id).text(text) == expected


@pytest.mark.parametrize(
    ("metadata", "is_named"),
    [
        ({"text": "user:42"}, True),
        ({"text": "User/42 did"}, True),
        ({"user_id": "42"}, True),
        ({"userId": 42}, True),
        ({"user": {"user_id": [1, 42]}}, True),
        ({"user:42": 1}, True),
        ({"fingerprint": "rule:user:42", "n": 1}, True),
        ({"text": "42"}, False),
        ({"n": 42}, False),
        ({"user_id": True}, False),
        ({"text": "user:421, superuser:42x"}, False),
        ({"movie_id": 42}, False),
    ],
)
def test_a_short_id_is_named_by_what_stands_with_it(metadata: dict[str, Any], is_named: bool) -> None:
    assert replacement("42").names(metadata) is is_named
    assert (replacement("42").event(vars(make_event(1, metadata=metadata))) is not None) is is_named


def test_events_of_others_are_left_alone() -> None:
    assert replacement("42").event(vars(make_event(1, actor_type="user", actor_id="421"))) is None
    assert replacement("42").event(vars(make_event(1, actor_type="job", actor_id="42"))) is None


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ('{"actor_type":"user","actor_id":"42"}', '{"actor_type":"user","actor_id":"P"}'),
        ('{"actor_type":"user","actor_id":"42","ip":"10.0.0.1"}', '{"actor_type":"user","actor_id":"P","ip":"erased"}'),
        ('{"resource_type":"user","resource_id":"42","x":"42"}', '{"resource_type":"user","resource_id":"P","x":"P"}'),
        ('{"event_type":"a.b","metadata":{"n":42}}', None),
        ('{"event_type":"a.b","metadata":[', None),
        ('[1]', None),
        ('{"actor_type":"user","actor_id":"42","metadata":{"x":"', '{"erased": "P"}'),
        ('{"metadata":{"user_id":42,"x":"', '{"erased": "P"}'),
    ],
)  # fmt: skip
def test_what_was_meant_as_an_event_is_changed_as_one(payload: str, expected: str | None) -> None:
    assert replacement("42").document(payload) == expected


@given(
    st.text(st.sampled_from('42ab:/."\\é'), min_size=1, max_size=6),
    st.text(st.sampled_from('42ab:/."\\é '), max_size=12),
)
def test_nothing_names_it_after_it_was_replaced(actor_id: str, text: str) -> None:
    everywhere = replacement(actor_id, everywhere=True)
    once = everywhere.text(text)
    assert everywhere.identity.word.search(once) is None
    fields = {**vars(make_event(1, metadata={"t": text, "user_id": actor_id, "n": [text]}))}
    changed = everywhere.event(fields)
    assert changed is not None
    assert everywhere.event({**fields, **changed}) is None
    written = everywhere.document(
        json.dumps({"actor_type": "user", "actor_id": actor_id, "metadata": {"t": text}})
    )
    assert written is not None
    assert everywhere.document(written) is None

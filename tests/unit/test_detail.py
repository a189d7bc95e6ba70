"""The values of an event, and what can be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.model.detail import ASKED_MAX, METADATA, Item, branches, detail_items
from monitor.model.filter import Facet, Filter
from monitor.zone import Zone
from store.event import Event
from store.query.parser import describe, parse
from store.query.predicate import compile_predicate
from store.query.syntax import Field, Path
from tests.events import make_event


def items(event: Event) -> dict[tuple[str | int, ...], Item]:
    return {item.place: item for item in detail_items(event, Zone.UTC)}


@pytest.mark.parametrize(
    ("keys", "value", "query"),
    [
        (("error", "code"), 500, "@error.code:500"),
        (("exit code",), "in use", '@"exit code":"in use"'),
        (("a.b",), "", '@"a.b":""'),
        (("done",), True, "@done:true"),
        (("rate",), 1.5e300, "@rate:1.5e+300"),
        (("none",), None, "@none:null"),
        (("text",), "*", '@text:"*"'),
        (("text",), 'a"b\n', r'@text:"a\"b\n"'),
    ],
)
def test_what_is_in_the_metadata_can_be_asked_for(keys: tuple[str, ...], value: Any, query: str) -> None:
    metadata: Any = value
    for key in reversed(keys):
        metadata = {key: metadata}
    event = make_event(1, metadata=metadata)
    asked = items(event)[METADATA, *keys].asked
    assert isinstance(asked, Facet)
    assert describe(asked.node()) == query
    assert parse(query) == asked.node()
    assert compile_predicate(asked.node())(event)
    assert not compile_predicate(asked.node())(make_event(2, metadata={"else": 1}))


def test_why_a_value_cannot_be_asked_for_is_said() -> None:
    metadata = {"tags": ["a", {"b": 1}], "nested": {"c": 1}, "empty": {}, "long": "x" * ASKED_MAX}
    told = items(make_event(1, metadata=metadata))
    for place in ((METADATA,), (METADATA, "tags"), (METADATA, "nested"), (METADATA, "empty")):
        assert "no value" in str(told[place].asked), place
    for place in ((METADATA, "tags", 0), (METADATA, "tags", 1, "b")):
        assert "list" in str(told[place].asked), place
    assert "too long" in str(told[METADATA, "long"].asked)
    for name in ("time", "position"):
        assert told[name,].asked == f"the {name} is nothing to filter by"
    for name in ("status", "resource", "secondary"):
        assert told[name,].asked == f"it has no {name}"


def test_fields_are_asked_for_as_on_the_timeline() -> None:
    event = make_event(
        1,
        event_type="download.failed",
        severity="error",
        status="failed",
        actor_type="user",
        actor_id="42",
        resource_type="download",
        resource_id="9f3a",
        secondary_resource_type="series",
        secondary_resource_id="s1",
    )
    told = items(event)
    expected = {
        "type": Facet(Field.TYPE, "download.failed"),
        "category": Facet(Field.CATEGORY, "downloads"),
        "severity": Facet(Field.SEVERITY, "error"),
        "status": Facet(Field.STATUS, "failed"),
        "actor": Facet(Field.ACTOR, "user:42"),
        "resource": Facet(Field.RESOURCE, "download/9f3a"),
        "secondary": Facet(Field.RESOURCE, "series/s1"),
        "id": Facet(Field.ID, str(event.id)),
    }
    assert {name: told[name,].asked for name in expected} == expected
    assert all(compile_predicate(facet.node())(event) for facet in expected.values())


def test_values_of_fields_and_of_the_metadata_are_hidden_together() -> None:
    code, other = Facet(Path(("error", "code")), "500"), Facet(Path(("host",)), "a b")
    shown = Filter().toggled(code).toggled(Facet(Field.TYPE, "job.failed")).soloed(other)
    assert shown.describe() == 'only @host:"a b" -@error.code:500 -job.failed'
    matches = shown.predicate()
    assert matches(make_event(1, metadata={"host": "a b"}))
    assert not matches(make_event(1, metadata={"host": "a b", "error": {"code": 500}}))
    assert not matches(make_event(1, metadata={"host": "b"}))
    assert shown.kind_predicate() is None
    assert shown.toggled(code).soloed(other).muted == {Facet(Field.TYPE, "job.failed")}


def test_what_is_folded_hides_what_is_in_it() -> None:
    event = make_event(1, metadata={"a": {"b": {"c": 1}}, "d": [1, 2], "e": {}})
    whole = detail_items(event, Zone.UTC)
    assert branches(whole) == {(METADATA, "a"), (METADATA, "a", "b"), (METADATA, "d")}
    folded = detail_items(event, Zone.UTC, {(METADATA, "a"), (METADATA, "d")})
    assert [item.place[1:] for item in folded if not item.is_field] == [(), ("a",), ("d",), ("e",)]
    assert [item.place[1:] for item in whole if len(item.place) > 2] == [
        ("a", "b"),
        ("a", "b", "c"),
        ("d", 0),
        ("d", 1),
    ]
    assert not any(item.place[0] == METADATA for item in detail_items(event, Zone.UTC, {(METADATA,)})[11:])
    assert items(event)[METADATA, "a"].text == '{"b":{"c":1}}'

"""Alerts as events: what is recorded, that all evaluators record it once, and what is read back of anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.alert_events import (
    ACKNOWLEDGED,
    FIRED,
    RECORD_TYPES,
    RESOLVED,
    SILENCE_ENDED,
    SILENCED,
    TEXT_MAX,
    MalformedAlertEventError,
    alert_event,
    alert_of,
    fired,
    resolved,
)
from monitor.health.desk import AlertDesk
from monitor.health.engine import AlertState
from store.event import Event, Severity
from store.query.parser import parse
from store.query.predicate import compile_predicate
from store.taxonomy import SHIPPED
from store.typed import AlertEvents
from store.wire import decode, encode
from tests.events import at, make_event
from tests.store.recorded import Recorded
from tests.unit.alert_cases import NAME, ack, alert, silencing, unack


def test_an_alert_comes_back_as_it_was_recorded() -> None:
    whole = alert(5, labels=(("host", "a"), ("zone", "b")), runbook="https://x/y", count=7)
    event = decode(encode(fired(whole, at(9)))).event
    assert alert_of(event) == whole
    assert (event.event_type, event.category, event.severity) == (FIRED, "alerts", Severity.ERROR)
    assert (event.actor, event.resource, event.inserted_at) == ("system:component-down", "client/qbt", at(5))
    over = replace(whole, state=AlertState.RESOLVED, resolved_at=at(30))
    event = decode(encode(resolved(over, at(31)))).event
    assert alert_of(event) == over
    assert (event.event_type, event.severity, event.inserted_at) == (RESOLVED, Severity.INFO, at(30))


def test_the_person_is_the_actor_of_what_a_person_says() -> None:
    event = ack(5, 60, "ana")
    assert (event.event_type, event.actor, event.inserted_at) == (ACKNOWLEDGED, "user:ana", at(60))
    assert alert_of(event).since == at(5)
    assert event.metadata["comment"] == "on it"
    assert ack(5, 60).id != ack(5, 60).id


def test_an_episode_has_one_id_whoever_records_it_and_whenever() -> None:
    first = fired(alert(5), at(6))
    # Another evaluator, in another zone, that has counted on meanwhile.
    elsewhere = replace(alert(5, count=9, title="another"), since=at(5).astimezone(ZoneInfo("Asia/Kolkata")))
    assert fired(elsewhere, at(99)).id == first.id
    assert first.id.version == 7
    assert first.id.int >> 80 == int(at(5).timestamp() * 1000)
    others = {
        resolved(alert(5, 8), at(9)).id,
        fired(alert(6), at(9)).id,
        fired(alert(5, fingerprint="component-down:client/b"), at(9)).id,
        fired(replace(alert(5), since=at(5) + timedelta(microseconds=1)), at(9)).id,
    }
    assert len(others) == 4
    assert first.id not in others
    assert resolved(alert(5, 8), at(9)).id == resolved(alert(5, 99), at(100)).id


def test_the_typed_calls_give_events_of_the_same_shape() -> None:
    whole = alert(5, labels=(("host", "a"),), runbook="https://x/y")
    recorder = Recorded()
    AlertEvents(recorder).alert_fired(whole)
    AlertEvents(recorder).alert_resolved(whole)
    assert alert_of(recorder.events[0]) == whole
    for typed, ours in zip(recorder.events, (fired(whole, at(9)), resolved(whole, at(9))), strict=True):
        expected = {name: value for name, value in ours.metadata.items() if name != "recorded_at"}
        assert typed.metadata == expected
        assert (typed.actor, typed.resource, typed.severity) == (ours.actor, ours.resource, ours.severity)


def test_every_type_is_in_the_taxonomy_under_alerts() -> None:
    assert {name for name in SHIPPED.names() if SHIPPED.category_of(name) == "alerts"} == set(RECORD_TYPES)


@pytest.mark.parametrize(
    ("query", "is_meant"),
    [
        ("resource:client/qbt", True),
        ("@rule:component-down severity:error", True),
        ("@labels.host:a", True),
        ("category:alerts type:alert.fired", True),
        ("actor:system:component-down", True),
        ("@rule:job-failed", False),
        ("severity:warning", False),
    ],
)
def test_queries_see_an_alert_as_it_would_be_recorded(query: str, is_meant: bool) -> None:
    event = alert_event(alert(labels=(("host", "a"),)))
    assert compile_predicate(parse(query))(event) is is_meant


def test_long_texts_are_cut_and_what_no_event_can_hold_is_refused() -> None:
    long = alert(title="x" * 5000, runbook="y" * 5000, labels=tuple((f"l{n}", "z" * 5000) for n in range(99)))
    told = alert_of(fired(long, at(0)))
    assert (len(told.title), told.title[-1], len(told.runbook), len(told.labels)) == (
        TEXT_MAX,
        "…",
        TEXT_MAX,
        32,
    )
    for broken in (
        alert(title="\x00"),
        alert(resource=("k" * 65, None)),
        alert(fingerprint="r:" + "x" * 70_000),
    ):
        with pytest.raises(ValueError):
            fired(broken, at(0))
        assert alert_event(broken).metadata["rule"] == broken.rule


@pytest.mark.parametrize("moment", [datetime.min, datetime.max], ids=["min", "max"])
def test_moments_that_no_event_can_have_are_the_nearest_that_it_can(moment: datetime) -> None:
    event = fired(replace(alert(), since=moment.replace(tzinfo=UTC)), at(0))
    assert abs(event.inserted_at.year - moment.year) == 1
    assert alert_of(event).since == moment.replace(tzinfo=UTC)


GOOD: dict[str, Any] = {"fingerprint": NAME, "since": at(0).isoformat()}


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        (FIRED, {"metadata": {}}),
        (FIRED, {"metadata": {"since": at(0).isoformat()}}),
        (FIRED, {"metadata": {**GOOD, "fingerprint": ""}}),
        (FIRED, {"metadata": {**GOOD, "fingerprint": "x" * 3000}}),
        (FIRED, {"metadata": {**GOOD, "fingerprint": 7}}),
        (FIRED, {"metadata": {**GOOD, "since": "2026-11-21T12:00:00"}}),
        (FIRED, {"metadata": {**GOOD, "since": "yesterday"}}),
        (FIRED, {"metadata": {**GOOD, "since": 12}}),
        (FIRED, {"metadata": {**GOOD, "since": "0001-01-01T00:00:00+14:00"}}),
        (FIRED, {"metadata": {**GOOD, "rule": ["x"]}}),
        (FIRED, {"metadata": {**GOOD, "labels": ["x"]}}),
        (FIRED, {"metadata": {**GOOD, "labels": {"a": 1}}}),
        (FIRED, {"metadata": {**GOOD, "count": True}}),
        (FIRED, {"metadata": {**GOOD, "count": -1}}),
        (FIRED, {"metadata": {**GOOD, "severity": "fatal"}}),
        (FIRED, {"metadata": {**GOOD, "severity": {}}}),
        (RESOLVED, {"metadata": GOOD, "inserted_at": at(-1)}),
        (ACKNOWLEDGED, {"metadata": {**GOOD, "comment": 5}}),
        (SILENCED, {"metadata": silencing().metadata}),
        (SILENCED, {"resource_type": "silence", "resource_id": "a", "metadata": {}}),
        *(
            (
                SILENCED,
                {"resource_type": "silence", "resource_id": "a", "metadata": silencing().metadata | wrong},
            )
            for wrong in (
                {"query": ""},
                {"query": "  "},
                {"query": "severity>="},
                {"query": "(" * 900},
                {"query": "@a>x"},
                {"query": 5},
                {"ends": at(-1).isoformat()},
                {"starts": None},
                {"comment": {}},
            )
        ),
        (SILENCE_ENDED, {"resource_type": "silence"}),
        (SILENCE_ENDED, {"resource_type": "client", "resource_id": "a"}),
    ],
)
def test_what_does_not_say_what_its_type_promises_is_ignored_and_counted_once(
    event_type: str, fields: dict[str, Any]
) -> None:
    desk = AlertDesk()
    event = make_event(1, event_type=event_type, **fields)
    assert desk.apply([event, event]) is False
    assert desk.malformed == 1
    assert (desk.recorded(), desk.silences(), desk.history()) == ((), (), [])


def test_other_events_are_no_business_of_the_desk() -> None:
    desk = AlertDesk()
    others = [
        make_event(1),
        make_event(2, event_type="alert.escalated"),
        make_event(3, event_type="alerts.fired"),
    ]
    assert desk.apply(others) is False
    assert desk.malformed == 0


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["", "x", at(0).isoformat(), "error", NAME]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=3,
)
KEYS = [
    "fingerprint",
    "rule",
    "title",
    "severity",
    "labels",
    "since",
    "count",
    "runbook",
    "comment",
    "query",
    "starts",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(RECORD_TYPES),
            st.dictionaries(st.sampled_from([*KEYS, "ends", "recorded_at"]), anything),
            st.sampled_from([None, "silence", "client"]),
            st.sampled_from([at(0), datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, 23, tzinfo=UTC)]),
        ),
        max_size=10,
    )
)
def test_whatever_is_told_nothing_raises(
    told: list[tuple[str, dict[str, Any], str | None, datetime]],
) -> None:
    desk = AlertDesk()
    for number, (event_type, metadata, kind, moment) in enumerate(told):
        desk.apply(
            [
                Event(
                    id=UUID(int=number),
                    event_type=event_type,
                    metadata=metadata,
                    resource_type=kind,
                    resource_id="a" if kind else None,
                    inserted_at=moment,
                )
            ]
        )
    for now in (at(0), datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        shown = desk.show([alert(), *desk.recorded()], now)
        assert len({one.alert.fingerprint for one in shown}) == len(shown)
        desk.to_record([alert()], now)
        desk.expired(at(0), now)
        desk.history()


def test_the_reader_refuses_by_one_error() -> None:
    with pytest.raises(MalformedAlertEventError):
        alert_of(make_event(event_type=FIRED))
    assert alert_of(unack(0, 5)).fingerprint == NAME

"""What the top of a resource page says of the events below it."""

from __future__ import annotations

import pytest

from monitor.model.resource import StatusSpan, resource_facts
from monitor.model.subjects import ActorName, ResourceName
from store.event import Event, Severity
from tests.events import at, make_event

QBT = ResourceName("client", "qbt")
PRIMARY = {"resource_type": "client", "resource_id": "qbt"}
SECONDARY = {"secondary_resource_type": "client", "secondary_resource_id": "qbt"}


@pytest.mark.parametrize(
    ("event", "about"),
    [
        (make_event(**PRIMARY), True),
        (make_event(**SECONDARY), True),
        (make_event(**PRIMARY, **SECONDARY), True),
        (make_event(resource_type="client", resource_id="other"), False),
        (make_event(resource_type="client", secondary_resource_id="qbt"), False),
        (make_event(), False),
    ],
)
def test_an_event_is_about_a_resource_in_either_role(event: Event, about: bool) -> None:
    assert QBT.concerns(event) is about


def test_statuses_are_the_changes_oldest_first_whatever_the_order_of_the_events() -> None:
    history = ["up", "up", None, "down", "down", "up"]
    events = [make_event(number, status=status, **PRIMARY) for number, status in enumerate(history)]
    facts = resource_facts(reversed(events), QBT)
    assert facts.statuses == (StatusSpan("up", at(0)), StatusSpan("down", at(3)), StatusSpan("up", at(5)))
    assert facts.status == StatusSpan("up", at(5))


def test_an_event_in_the_secondary_role_says_nothing_of_the_status() -> None:
    events = [make_event(1, status="up", **PRIMARY), make_event(2, status="failed", **SECONDARY)]
    facts = resource_facts(events, QBT)
    assert facts.status == StatusSpan("up", at(1))
    assert facts.as_secondary == 1


def test_an_event_in_both_roles_counts_as_primary() -> None:
    facts = resource_facts([make_event(1, status="up", **PRIMARY, **SECONDARY)], QBT)
    assert (facts.as_secondary, facts.status) == (0, StatusSpan("up", at(1)))


def test_severities_are_counted_in_both_roles() -> None:
    severities = [Severity.ERROR, Severity.ERROR, Severity.WARNING, Severity.INFO, None]
    events = [make_event(number, severity=severity, **PRIMARY) for number, severity in enumerate(severities)]
    events.append(make_event(9, severity=Severity.WARNING, **SECONDARY))
    facts = resource_facts(events, QBT)
    assert (facts.errors, facts.warnings) == (2, 2)


def test_the_five_busiest_actors_are_named_busiest_first() -> None:
    actors = (
        [("user", "1")] * 3
        + [("job", "rss")] * 5
        + [("system", None)]
        + [("user", str(n)) for n in range(2, 9)]
    )
    events = [
        make_event(number, actor_type=kind, actor_id=identifier, **PRIMARY)
        for number, (kind, identifier) in enumerate(actors)
    ]
    facts = resource_facts(events, QBT)
    assert facts.actors == (("job:rss", 5), ("user:1", 3), ("system", 1), ("user:2", 1), ("user:3", 1))


def test_of_no_events_nothing_is_known() -> None:
    facts = resource_facts([], QBT)
    assert (facts.status, facts.statuses, facts.actors) == (None, (), ())
    assert (facts.errors, facts.warnings, facts.as_secondary) == (0, 0, 0)


def test_what_stands_beside_it_is_named_most_often_first_in_whichever_role() -> None:
    events = [
        make_event(1, **PRIMARY, secondary_resource_type="download", secondary_resource_id="1"),
        make_event(2, resource_type="download", resource_id="1", **SECONDARY),
        make_event(3, resource_type="job", resource_id="sync", **SECONDARY),
        make_event(4, **PRIMARY),
    ]
    assert resource_facts(events, QBT).related == (("download/1", 2), ("job/sync", 1))


def test_what_an_actor_did_is_told_by_the_name_that_operators_write() -> None:
    assert ActorName("user:42").concerns(make_event(actor_type="user", actor_id="42"))
    assert not ActorName("user:42").concerns(make_event(actor_type="job", actor_id="42"))
    assert ActorName("system").concerns(make_event(actor_type="system", actor_id=None))

"""What the top of a resource page says of the events below it."""

from __future__ import annotations

import pytest

from monitor.model.resource import StatusSpan, is_about, resource_facts
from store.event import Event, Severity
from tests.events import at, make_event

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
    assert is_about(event, "client", "qbt") is about


def test_statuses_are_the_changes_oldest_first_whatever_the_order_of_the_events() -> None:
    history = ["up", "up", None, "down", "down", "up"]
    events = [make_event(number, status=status, **PRIMARY) for number, status in enumerate(history)]
    facts = resource_facts(reversed(events), "client", "qbt")
    assert facts.statuses == (StatusSpan("up", at(0)), StatusSpan("down", at(3)), StatusSpan("up", at(5)))
    assert facts.status == StatusSpan("up", at(5))


def test_an_event_in_the_secondary_role_says_nothing_of_the_status() -> None:
    events = [make_event(1, status="up", **PRIMARY), make_event(2, status="failed", **SECONDARY)]
    facts = resource_facts(events, "client", "qbt")
    assert facts.status == StatusSpan("up", at(1))
    assert facts.as_secondary == 1


def test_an_event_in_both_roles_counts_as_primary() -> None:
    facts = resource_facts([make_event(1, status="up", **PRIMARY, **SECONDARY)], "client", "qbt")
    assert (facts.as_secondary, facts.status) == (0, StatusSpan("up", at(1)))


def test_severities_are_counted_in_both_roles() -> None:
    severities = [Severity.ERROR, Severity.ERROR, Severity.WARNING, Severity.INFO, None]
    events = [make_event(number, severity=severity, **PRIMARY) for number, severity in enumerate(severities)]
    events.append(make_event(9, severity=Severity.WARNING, **SECONDARY))
    facts = resource_facts(events, "client", "qbt")
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
    facts = resource_facts(events, "client", "qbt")
    assert facts.actors == (("job:rss", 5), ("user:1", 3), ("system", 1), ("user:2", 1), ("user:3", 1))


def test_of_no_events_nothing_is_known() -> None:
    facts = resource_facts([], "client", "qbt")
    assert (facts.status, facts.statuses, facts.actors) == (None, (), ())
    assert (facts.errors, facts.warnings, facts.as_secondary) == (0, 0, 0)

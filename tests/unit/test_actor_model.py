"""What the top of an actor's page says of the events below it."""

from __future__ import annotations

from typing import Any

from monitor.model.actor import LISTED, TOP, Logins, actor_facts
from store.event import Event, Severity
from tests.events import make_event


def did(number: int, event_type: str, resource: str = "", **fields: Any) -> Event:
    kind, _, identifier = resource.partition("/")
    about = {"resource_type": kind, "resource_id": identifier} if resource else {}
    return make_event(number, event_type=event_type, actor_type="user", actor_id="ana", **about, **fields)


def test_the_most_frequent_categories_and_resources_are_named() -> None:
    events = [
        did(number, "movie.viewed", f"movie/{number % 8}", category="interaction") for number in range(16)
    ]
    events += [
        did(100, "user.login", "user/ana", category="auth"),
        did(101, "movie.rated", "movie/3", category="interaction"),
    ]
    facts = actor_facts(reversed(events))
    assert facts.categories == (("interaction", 17), ("auth", 1))
    assert facts.resources[0] == ("movie/3", 3)
    assert len(facts.resources) == TOP
    assert "user/ana" not in dict(actor_facts(events[16:]).resources)


def test_lists_have_each_resource_once_the_latest_first() -> None:
    seen = ["a", "b", "c", "a", "d", "e", "f"]
    facts = actor_facts([did(number, "movie.viewed", f"movie/{name}") for number, name in enumerate(seen)])
    assert facts.lists == (("viewed", 6, tuple(f"movie/{name}" for name in "fedac")),)
    assert len(facts.lists[0][2]) == LISTED


def test_what_is_liked_no_more_is_in_no_list() -> None:
    events = [
        did(1, "movie.liked", "movie/a"),
        did(2, "movie.liked", "movie/b"),
        did(3, "movie.unliked", "movie/a"),
        did(4, "movie.downloaded", "movie/a"),
    ]
    # The order in which they are given says nothing.
    facts = actor_facts(reversed(events))
    assert facts.lists == (("downloaded", 1, ("movie/a",)), ("liked", 1, ("movie/b",)))


def test_logins_are_counted_and_addresses_are_not_named() -> None:
    events = [
        did(number, "user.login", status="failed" if number % 3 == 0 else "succeeded", metadata=metadata)
        for number, metadata in enumerate(
            [
                {"ip": "192.0.2.1", "user_agent": "a"},
                {"ip": "192.0.2.1"},
                {"ip": "192.0.2.2", "user_agent": 7},
                {},
            ]
        )
    ]
    facts = actor_facts(events)
    assert facts.logins == Logins(4, 2, 2, 1)
    assert "192.0.2" not in repr(facts)


def test_what_went_wrong_is_counted() -> None:
    severities = [Severity.ERROR, Severity.WARNING, Severity.ERROR, None]
    facts = actor_facts([did(n, "job.failed", severity=severity) for n, severity in enumerate(severities)])
    assert (facts.errors, facts.warnings, facts.logins, facts.lists) == (2, 1, None, ())


def test_of_nothing_nothing_is_known() -> None:
    facts = actor_facts(())
    assert (facts.categories, facts.resources, facts.errors, facts.lists) == ((), (), 0, ())

"""The figures of a period, from what the store counted."""

from __future__ import annotations

import pytest

from monitor.model.dashboard import TOP, Period, Ranked, Trend, actors, categories, resources, searches
from monitor.model.filter import Facet
from monitor.model.subjects import ActorName, ResourceName
from store.event import Event
from store.query.predicate import compile_predicate
from store.query.syntax import Field
from tests.events import make_event


def search(number: int, query: object, status: str = "found") -> Event:
    return make_event(number, event_type="search.performed", status=status, metadata={"query": query})


@pytest.mark.parametrize("period", Period)
def test_a_period_ends_with_the_bar_of_now_and_has_whole_bars(period: Period) -> None:
    for minute in (29_000_000, 29_000_001, 29_001_439):
        since, until = period.span(minute)
        assert since <= minute < until
        assert (until - since) == period.bar * period.bars
        assert since % period.bar == 0
        assert until - minute <= period.bar


def test_periods_get_longer_and_shorter_up_to_an_end() -> None:
    assert Period.HOUR.step(1) is Period.DAY
    assert Period.HOUR.step(-1) is Period.HOUR
    assert Period.WEEK.step(5) is Period.MONTH


def test_a_trend_has_a_number_for_each_bar_and_leaves_out_what_is_outside() -> None:
    since, _ = Period.HOUR.span(29_000_000)
    counts = [
        (since, "error", 2),
        (since, None, 3),
        (since + 2, "info", 1),
        (since + 58, "error", 4),
        (since - 2, "error", 100),
        (since + 60, "error", 100),
    ]
    trend = Trend.of(Period.HOUR, since, counts)
    assert len(trend.events) == len(trend.errors) == 30
    assert (trend.events[0], trend.errors[0], trend.events[1]) == (5, 2, 1)
    assert (sum(trend.events), sum(trend.errors)) == (10, 6)


def test_categories_have_their_errors_and_lead_to_a_filter() -> None:
    found = categories(
        [(("downloads", "info"), 7), (("jobs", None), 9), (("downloads", "error"), 3), ((None, "info"), 50)]
    )
    assert found == (
        Ranked("downloads", 10, Facet(Field.CATEGORY, "downloads"), 3),
        Ranked("jobs", 9, Facet(Field.CATEGORY, "jobs"), 0),
    )


def test_what_has_no_id_is_no_resource_but_an_actor() -> None:
    counted = [(("client", "qbt"), 5), (("library", None), 4), ((None, "x"), 3), ((None, None), 2)]
    assert resources(counted) == (Ranked("client/qbt", 5, ResourceName("client", "qbt")),)
    assert actors([(("user", "ana"), 5), (("system", None), 4)]) == (
        Ranked("user:ana", 5, ActorName("user:ana")),
        Ranked("system", 4, ActorName("system")),
    )


def test_lists_end_somewhere() -> None:
    assert len(resources([(("movie", str(number)), 1) for number in range(100)])) == TOP


def test_searches_count_without_case_and_lead_to_their_events() -> None:
    events = [
        search(1, "Heron"),
        search(2, " heron "),
        search(3, "umbra", "no_results"),
        search(4, "HERON", "no_results"),
        search(5, ""),
        search(6, 7),
        make_event(7, event_type="search.performed"),
    ]
    asked, fruitless = searches(events)
    assert [(one.name, one.number) for one in asked] == [("Heron", 3), ("umbra", 1)]
    assert [(one.name, one.number) for one in fruitless] == [("Heron", 1), ("umbra", 1)]
    target = asked[0].target
    assert not isinstance(target, ResourceName | ActorName | Facet)
    matches = compile_predicate(target)
    assert [event for event in events if matches(event)] == [events[0], events[1], events[3]]
    assert not matches(make_event(8, event_type="page.viewed", metadata={"query": "heron"}))

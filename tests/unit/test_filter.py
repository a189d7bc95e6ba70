"""A filter is one value: as a query, as a predicate over kinds, and in words it says the same."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.filter import Facet, Filter
from store.event import Severity
from store.query import parse
from store.query.syntax import EVERYTHING, Compare, Field, Not, Op, Text, all_of
from tests.events import make_event

DOWNLOADS = Facet(Field.CATEGORY, "downloads")
JOBS = Facet(Field.TYPE, "job.executed")
CATEGORIES = ["downloads", "system", "*"]
TYPES = ["job.executed", "download.failed"]
FACETS = st.builds(Facet, st.just(Field.CATEGORY), st.sampled_from(CATEGORIES)) | st.builds(
    Facet, st.just(Field.TYPE), st.sampled_from(TYPES)
)
FILTERS = st.builds(
    Filter,
    muted=st.frozensets(FACETS, max_size=3),
    solo=st.none() | FACETS,
    minimum=st.none() | st.sampled_from(Severity),
)


@settings(derandomize=True, deadline=None)
@given(FILTERS)
def test_kinds_and_events_are_accepted_alike(shown: Filter) -> None:
    matches = shown.predicate()
    for category, event_type, severity in product(CATEGORIES, TYPES, [None, *Severity]):
        event = make_event(category=category, event_type=event_type, severity=severity)
        assert shown.accepts(category, event_type, severity and severity.value) == matches(event)


def test_the_query_decides_about_events_together_with_the_facets() -> None:
    shown = Filter(muted=frozenset({DOWNLOADS})).with_query(" status:down ", parse("status:down"))
    matches = shown.predicate()
    assert matches(make_event(status="down"))
    assert not matches(make_event(status="up"))
    assert not matches(make_event(status="down", category="downloads"))
    assert shown.text == "status:down"


def test_the_whole_filter_is_one_query_in_a_fixed_order() -> None:
    shown = Filter("tracker", Text("tracker"), frozenset({JOBS, DOWNLOADS}), None, Severity.WARNING)
    assert shown.node() == all_of(
        Text("tracker"),
        Not(Compare(Field.CATEGORY, Op.EQ, "downloads")),
        Not(Compare(Field.TYPE, Op.EQ, "job.executed")),
        Compare(Field.SEVERITY, Op.GE, "warning"),
    )
    assert Filter(solo=JOBS).node() == JOBS.node()
    assert Filter().node() == EVERYTHING


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Filter(), ""),
        (Filter(text="a OR b", query=parse("a OR b")), "a OR b"),
        (Filter(solo=JOBS), "only job.executed"),
        (Filter(muted=frozenset({JOBS, DOWNLOADS})), "-downloads -job.executed"),
        (Filter(minimum=Severity.WARNING), "severity>=warning"),
        (
            Filter("x", Text("x"), frozenset({JOBS}), DOWNLOADS, Severity.ERROR),
            "x only downloads -job.executed severity>=error",
        ),
    ],
)
def test_a_filter_describes_itself_in_a_line(shown: Filter, text: str) -> None:
    assert shown.describe() == text
    assert shown.hides_something == bool(text)


def test_muting_twice_shows_again() -> None:
    muted = Filter().toggled(JOBS)
    assert muted.muted == {JOBS}
    assert muted.mutes("system", "job.executed")
    assert not muted.mutes("system")
    assert muted.toggled(JOBS) == Filter()
    assert Filter().toggled(DOWNLOADS).mutes("downloads", "download.failed")


def test_soloing_twice_shows_everything_again_and_a_soloed_facet_is_not_muted() -> None:
    alone = Filter().toggled(JOBS).toggled(DOWNLOADS).soloed(JOBS)
    assert (alone.solo, alone.muted) == (JOBS, {DOWNLOADS})
    assert alone.soloed(DOWNLOADS).solo == DOWNLOADS
    assert alone.soloed(JOBS).solo is None


def test_even_the_lowest_minimum_hides_events_without_a_severity() -> None:
    shown = Filter().at_least(Severity.INFO)
    assert shown.accepts("system", "job.executed", "info")
    assert not shown.accepts("system", "job.executed", None)
    assert shown.at_least(None) == Filter()


def test_a_severity_that_no_event_has_counts_as_none() -> None:
    assert Filter().accepts("system", "job.executed", "critical")
    assert not Filter(minimum=Severity.INFO).accepts("system", "job.executed", "critical")


def test_a_star_in_a_facet_is_a_star() -> None:
    shown = Filter(solo=Facet(Field.CATEGORY, "*"))
    assert not shown.predicate()(make_event(category="downloads"))
    assert shown.predicate()(make_event(category="*"))

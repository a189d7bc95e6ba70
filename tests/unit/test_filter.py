"""A filter is one value: as a query, as a predicate over kinds, and in words it says the same."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.counts import Kind
from monitor.model.filter import Facet, Filter, Span
from store.event import Severity
from store.query import parse
from store.query.syntax import EVERYTHING, Compare, Field, Not, Op, Or, Text, all_of
from tests.events import at, make_event

DOWNLOADS = Facet(Field.CATEGORY, "downloads")
JOBS = Facet(Field.TYPE, "job.executed")
FAILED = Facet(Field.STATUS, "failed")
SPAN = Span(at(0), at(600))
CATEGORIES = ["downloads", "system", "*"]
TYPES = ["job.executed", "download.failed"]
FACETS = st.builds(Facet, st.just(Field.CATEGORY), st.sampled_from(CATEGORIES)) | st.builds(
    Facet, st.just(Field.TYPE), st.sampled_from(TYPES)
)
SEVERITIES = st.builds(Facet, st.just(Field.SEVERITY), st.sampled_from(["", *map(str, Severity)]))
FILTERS = st.builds(
    Filter,
    muted=st.frozensets(FACETS | SEVERITIES, max_size=3),
    only=st.frozensets(FACETS | SEVERITIES, max_size=3),
    minimum=st.none() | st.sampled_from(Severity),
)


@settings(derandomize=True, deadline=None)
@given(FILTERS)
def test_kinds_and_events_are_accepted_alike(shown: Filter) -> None:
    matches, accepts = shown.predicate(), shown.kind_predicate()
    assert accepts is not None
    for category, event_type, severity in product(CATEGORIES, TYPES, [None, *Severity]):
        event = make_event(category=category, event_type=event_type, severity=severity)
        assert accepts(Kind(category, event_type, severity and severity.value)) == matches(event)


@settings(derandomize=True, deadline=None)
@given(FILTERS, FACETS | SEVERITIES)
def test_what_is_toggled_is_shown_when_it_was_hidden_and_hidden_when_it_was_shown(
    shown: Filter, facet: Facet
) -> None:
    after, alone = shown.toggled(facet), shown.alone(facet.group)
    if facet not in alone and any(other.field is not facet.field for other in alone):
        # A type may be shown with its category, which is all that is known of it.
        assert after.muted == shown.muted ^ {facet}
        return
    assert after.shows(facet) != shown.shows(facet)
    if facet.field is Field.SEVERITY and alone != [facet]:
        others = [value for value in ("info", "warning", "error", "") if value != facet.value]
        assert all(
            after.shows(Facet(Field.SEVERITY, value)) == shown.shows(Facet(Field.SEVERITY, value))
            for value in others
        )


def test_the_query_decides_about_events_together_with_the_facets() -> None:
    shown = Filter(muted=frozenset({DOWNLOADS})).with_query(" status:down ", parse("status:down"))
    matches = shown.predicate()
    assert matches(make_event(status="down"))
    assert not matches(make_event(status="up"))
    assert not matches(make_event(status="down", category="downloads"))
    assert shown.text == "status:down"


def test_the_whole_filter_is_one_query_in_a_fixed_order() -> None:
    shown = Filter("tracker", Text("tracker"), frozenset({JOBS, DOWNLOADS}), minimum=Severity.WARNING)
    assert shown.node() == all_of(
        Text("tracker"),
        Not(Compare(Field.CATEGORY, Op.EQ, "downloads")),
        Not(Compare(Field.TYPE, Op.EQ, "job.executed")),
        Compare(Field.SEVERITY, Op.GE, "warning"),
    )
    assert Filter(only=frozenset({JOBS})).node() == JOBS.node()
    several = Filter(only=frozenset({JOBS, DOWNLOADS, FAILED}))
    assert several.node() == all_of(Or((DOWNLOADS.node(), JOBS.node())), FAILED.node())
    assert Filter().node() == EVERYTHING


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Filter(), ""),
        (Filter(text="a OR b", query=parse("a OR b")), "a OR b"),
        (Filter(only=frozenset({JOBS})), "only job.executed"),
        (Filter(only=frozenset({JOBS, FAILED, DOWNLOADS})), "only downloads or job.executed only failed"),
        (Filter(muted=frozenset({Facet(Field.STATUS, "")})), "-no status"),
        (Filter(span=SPAN), "11-21 12:00–12:10 UTC"),
        (Filter(span=Span(at(0), at(86_400 + 60))), "11-21 12:00–11-22 12:01 UTC"),
        (Filter(muted=frozenset({JOBS, DOWNLOADS})), "-downloads -job.executed"),
        (Filter(minimum=Severity.WARNING), "severity>=warning"),
        (
            Filter("x", Text("x"), frozenset({JOBS}), frozenset({DOWNLOADS}), Severity.ERROR, SPAN),
            "x only downloads -job.executed severity>=error 11-21 12:00–12:10 UTC",
        ),
    ],
)
def test_a_filter_describes_itself_in_a_line(shown: Filter, text: str) -> None:
    assert shown.describe() == text
    assert shown.hides_something == bool(text)


def test_muting_twice_shows_again() -> None:
    muted = Filter().toggled(JOBS)
    assert muted.muted == {JOBS}
    assert not muted.shows(JOBS)
    assert muted.shows(DOWNLOADS)
    assert muted.toggled(JOBS) == Filter()


def test_soloing_twice_shows_everything_again_and_a_soloed_facet_is_not_muted() -> None:
    alone = Filter().toggled(JOBS).toggled(DOWNLOADS).soloed(JOBS)
    assert (alone.only, alone.muted) == ({JOBS}, {DOWNLOADS})
    assert alone.soloed(DOWNLOADS).only == {DOWNLOADS}
    assert alone.soloed(JOBS).only == frozenset()


def test_values_of_one_field_are_alternatives_and_fields_hold_together() -> None:
    stalled = Facet(Field.STATUS, "stalled")
    shown = Filter().soloed(DOWNLOADS).soloed(FAILED).toggled(stalled)
    assert shown.only == {DOWNLOADS, FAILED, stalled}
    matches = shown.predicate()
    assert [
        matches(make_event(category="downloads", status=s)) for s in ("failed", "stalled", "done", None)
    ] == [
        True,
        True,
        False,
        False,
    ]
    assert not matches(make_event(category="system", status="failed"))
    assert shown.toggled(stalled).only == {DOWNLOADS, FAILED}
    assert shown.without_group(Field.STATUS) == Filter().soloed(DOWNLOADS)


def test_hiding_the_last_value_shown_alone_shows_all_but_it() -> None:
    shown = Filter().soloed(FAILED).toggled(FAILED)
    assert (shown.only, shown.muted) == (frozenset(), {FAILED})


def test_events_without_a_value_are_a_value_too() -> None:
    none = Facet(Field.STATUS, "")
    assert Filter().soloed(none).predicate()(make_event())
    assert not Filter().soloed(none).predicate()(make_event(status="up"))
    assert not Filter().toggled(none).predicate()(make_event())
    assert none.label == "no status"
    assert Facet(Field.RESOURCE_TYPE, "").label == "no resource type"


def test_an_actor_without_an_id_is_not_every_actor_of_its_type() -> None:
    matches = Filter().soloed(Facet(Field.ACTOR, "user")).predicate()
    assert matches(make_event(actor_type="user"))
    assert not matches(make_event(actor_type="user", actor_id="42"))
    assert not matches(make_event(actor_type="job"))
    named = Filter().soloed(Facet(Field.ACTOR, "user:a:b/c")).predicate()
    assert named(make_event(actor_type="user", actor_id="a:b/c"))


def test_a_minimum_severity_becomes_values_when_one_of_them_is_chosen() -> None:
    shown = Filter(minimum=Severity.ERROR).toggled(Facet(Field.SEVERITY, "info"))
    assert shown.minimum is None
    assert shown.muted == {Facet(Field.SEVERITY, "warning"), Facet(Field.SEVERITY, "")}
    alone = Filter(minimum=Severity.ERROR).soloed(Facet(Field.SEVERITY, "info"))
    assert (alone.minimum, alone.only) == (None, {Facet(Field.SEVERITY, "info")})
    assert Filter(minimum=Severity.ERROR).without_group(Field.SEVERITY) == Filter()


def test_a_span_includes_its_start_and_not_its_end_for_live_rows_and_for_the_store() -> None:
    shown = Filter(minimum=Severity.ERROR).within(SPAN)
    matches = shown.predicate()
    assert [
        matches(make_event(1, severity="error", inserted_at=at(seconds))) for seconds in (-1, 0, 599, 600)
    ] == [
        False,
        True,
        True,
        False,
    ]
    assert not matches(make_event(5, severity="info"))
    chosen = shown.selection()
    assert (chosen.since, chosen.until, chosen.query) == (at(0), at(600), shown.within(None).node())
    assert shown.within(None) == Filter(minimum=Severity.ERROR)


@pytest.mark.parametrize("text", ["tracker", "actor:user", "severity:error or status:up"])
def test_a_query_that_looks_further_is_not_decided_by_kinds(text: str) -> None:
    assert Filter(text=text, query=parse(text)).kind_predicate() is None
    assert Filter().soloed(FAILED).kind_predicate() is None


def test_even_the_lowest_minimum_hides_events_without_a_severity() -> None:
    shown = Filter().at_least(Severity.INFO)
    accepts = shown.kind_predicate()
    assert accepts is not None
    assert accepts(Kind("system", "job.executed", "info"))
    assert not accepts(Kind("system", "job.executed", None))
    assert not shown.shows(Facet(Field.SEVERITY, ""))
    assert shown.at_least(None) == Filter()


def test_a_star_in_a_facet_is_a_star() -> None:
    shown = Filter(only=frozenset({Facet(Field.CATEGORY, "*")}))
    assert not shown.predicate()(make_event(category="downloads"))
    assert shown.predicate()(make_event(category="*"))

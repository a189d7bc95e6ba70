"""The histogram: bars equal a count of the events, whether they came live or the store told of them."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from random import Random

import pytest

from monitor.model.counts import MinuteCounts, minute_of
from monitor.model.filter import Facet, Filter, Span
from monitor.model.histogram import BARS, STEPS, Bar, HistogramCounts, HistogramHistory, TimeView, Wanted
from monitor.model.seen import Seen
from monitor.model.timeline import Timeline
from store.event import Event, Severity
from store.query import parse
from store.query.syntax import Field
from tests.events import NOON, make_event

MINUTE = minute_of(NOON)
LEVELS = {"error": 0, "warning": 1, "info": 2}
EVERYTHING = Filter()


def ago(minutes: float, number: int = 0, **fields: object) -> Event:
    return make_event(number, inserted_at=NOON - timedelta(minutes=minutes), **fields)


def traffic(count: int, hours: float) -> list[Event]:
    random = Random(7)
    return [
        ago(
            random.uniform(0, 60 * hours),
            number,
            event_type=random.choice(["job.executed", "job.failed", "user.login"]),
            severity=random.choice([None, *Severity]),
            actor_id=random.choice(["1", "2"]),
        )
        for number in range(count)
    ]


def expected(events: list[Event], buckets: range, shown: Filter) -> tuple[Bar, ...]:
    matches, found = shown.within(None).predicate(), Counter[tuple[int, int]]()
    for event in filter(matches, events):
        minute = minute_of(event.inserted_at)
        found[minute - minute % buckets.step, LEVELS.get(event.severity or "", 3)] += 1
    return tuple(Bar(*(found[start, level] for level in range(4))) for start in buckets)


def counts_over(past: list[Event], loaded: int) -> tuple[HistogramCounts, Timeline, MinuteCounts]:
    """As after opening: the store told of the last hour by kind, and the newest events are loaded."""
    counts, timeline = MinuteCounts(), Timeline()
    kinds = Counter((minute_of(e.inserted_at), e.category, e.event_type, e.severity) for e in past)
    counts.seed([(*k, n, float(n)) for k, n in kinds.items() if k[0] > MINUTE - 60], NOON)
    timeline.open_with(sorted(past, key=lambda event: event.sort_key)[-loaded:], has_older=True)
    return HistogramCounts(Seen(counts, timeline)), timeline, counts


def answer(events: list[Event], wanted: Wanted) -> list[tuple[int, str | None, int]]:
    """What the store would say."""
    matches, found = wanted.scope.predicate(), Counter[tuple[int, str | None]]()
    for event in filter(matches, events):
        minute = minute_of(event.inserted_at)
        if wanted.since <= minute < wanted.until:
            found[minute - minute % wanted.step, event.severity] += 1
    return [(start, severity, number) for (start, severity), number in found.items()]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "shown",
    [
        EVERYTHING,
        Filter(minimum=Severity.WARNING, span=Span(NOON, NOON + timedelta(hours=1))),
        Filter(only=frozenset({Facet(Field.TYPE, "job.failed")})),
        Filter(text="actor_id:1", query=parse("actor_id:1")),
    ],
)
def test_live_and_told_minutes_together_are_all_of_them_once(shown: Filter, step: int) -> None:
    events = traffic(3000, 80)
    past, live = events[:2500], [e for e in events[2500:] if e.inserted_at > NOON - timedelta(minutes=100)]
    counts, timeline, kinds = counts_over(past, loaded=100)
    history, view = HistogramHistory(), TimeView()
    while view.step != step:
        view.zoom(1, MINUTE)
    counts.show(shown, NOON)
    timeline.add(live)
    kinds.add(live, NOON)
    counts.add(live, NOON)
    buckets = view.buckets(MINUTE)
    wanted = history.missing(counts.scope, buckets, counts.complete_from(NOON), 0.0)
    if wanted is not None:
        history.take(wanted, answer(past, wanted), 0.0)
        assert history.missing(counts.scope, buckets, counts.complete_from(NOON), 1.0) is None
    told = history.told(counts.scope, step)
    late = [e for e in live if told is None or minute_of(e.inserted_at) >= told.until]
    assert counts.bars(buckets, told) == expected(past + late, buckets, shown)


def test_without_an_answer_of_the_store_what_is_known_is_shown() -> None:
    counts, _timeline, _kinds = counts_over(traffic(500, 4), loaded=100)
    counts.show(EVERYTHING, NOON)
    bars = counts.bars(TimeView().buckets(MINUTE), None)
    assert sum(bar.total for bar in bars) > 80


def test_minutes_of_long_ago_are_let_go() -> None:
    counts, _timeline, _kinds = counts_over([ago(1)], loaded=1)
    counts.show(EVERYTHING, NOON)
    for minute in range(1000):
        counts.add([ago(-minute, minute)], NOON + timedelta(minutes=minute))
    assert len(counts._minutes) <= 241  # pyright: ignore[reportPrivateUsage]
    assert counts.complete_from(NOON + timedelta(minutes=999)) == MINUTE + 999 - 119


def test_the_store_is_asked_for_what_is_missing_only() -> None:
    history = HistogramHistory()
    near, far = range(1000, 1300, 5), range(700, 1000, 5)
    assert history.missing(EVERYTHING, near, 900, 0.0) is None
    wanted = history.missing(EVERYTHING, near, 1240, 0.0)
    assert wanted is not None
    assert wanted == Wanted(EVERYTHING, 5, 1000, 1240)
    history.take(wanted, [(1000, "error", 3), (1235, None, 1)], 0.0)
    assert history.missing(EVERYTHING, near, 1240, 299.0) is None
    assert history.missing(EVERYTHING, near, 1250, 1.0) == Wanted(EVERYTHING, 5, 1000, 1250)
    further = history.missing(EVERYTHING, far, 1240, 1.0)
    assert further is not None
    assert further == Wanted(EVERYTHING, 5, 700, 1000)
    history.take(further, [(700, "error", 7)], 1.0)
    told = history.told(EVERYTHING, 5)
    assert told is not None
    assert told.bars == {700: Bar(7), 1000: Bar(3), 1235: Bar(0, 0, 0, 1)}
    assert history.missing(EVERYTHING, far, 1240, 2.0) is None
    # Events may have come late meanwhile.
    assert history.missing(EVERYTHING, near, 1240, 301.0) == Wanted(EVERYTHING, 5, 1000, 1240)


def test_what_the_store_told_is_kept_for_a_few_filters_and_zooms() -> None:
    history = HistogramHistory()
    filters = [Filter(text=str(number)) for number in range(20)]
    for shown in filters:
        history.take(Wanted(shown, 5, 0, 10), [], 0.0)
    assert [history.told(shown, 5) is not None for shown in filters] == [False] * 12 + [True] * 8
    assert history.told(filters[-1], 60) is None


def test_the_view_follows_the_present_until_it_is_moved() -> None:
    view = TimeView()
    assert view.buckets(1000) == range(941, 1001)
    assert view.cursor(1000) == 1000
    assert view.cursor(1007) == 1007
    view.move(-3, 1007)
    assert view.cursor(1010) == 1004
    assert view.buckets(1010) == range(951, 1011)
    view.move(100, 1010)
    assert view.cursor(1020) == 1020
    view.move(-5, 1020)
    view.newest()
    assert view.cursor(1030) == 1030


def test_moving_past_the_left_edge_goes_back_in_time_and_forth_again() -> None:
    view = TimeView()
    view.move(-60, 1000)
    assert view.cursor(1000) == 940
    assert view.buckets(1000) == range(940, 1000)
    view.move(-BARS, 1000)
    assert view.buckets(1000)[0] == view.cursor(1000) == 880
    view.move(70, 1000)
    assert view.cursor(1000) == view.buckets(1000)[-1] == 950
    view.move(1000, 1000)
    assert view.buckets(1005)[-1] == 1005
    view.move(-(10**12), 1000)
    assert view.cursor(1000) >= 0


def test_zooming_keeps_the_time_under_the_cursor() -> None:
    view = TimeView()
    view.move(-30, 10_000)
    for by, step in ((1, 5), (1, 60), (1, 1440), (-1, 60), (-1, 5), (-1, 1)):
        before = range(view.cursor(10_000), view.cursor(10_000) + view.step)
        assert view.zoom(by, 10_000)
        assert view.step == step
        cursor = view.cursor(10_000)
        assert cursor % step == 0
        assert cursor in view.buckets(10_000)
        assert cursor <= before[0] <= cursor + step if by > 0 else cursor in before
    assert not view.zoom(-1, 10_000)
    view.newest()
    view.zoom(1, 10_003)
    assert view.cursor(10_003) == 10_000
    assert view.cursor(10_007) == 10_005


def test_a_span_has_both_its_bars_whichever_way_it_was_marked() -> None:
    view = TimeView()
    view.zoom(1, 1000)
    view.move(-10, 1000)
    assert view.selected(1000) == range(950, 955)
    view.mark_here(1000)
    view.move(-2, 1000)
    assert view.selected(1000) == range(940, 955)
    view.move(4, 1000)
    assert view.selected(1000) == range(950, 965)
    view.zoom(-1, 1000)
    assert view.selected(1000) == range(950, 961)


def test_sampled_events_count_for_what_they_stand_for_where_the_store_can_tell_it_too() -> None:
    sampled = ago(1, 2, metadata={"kept_share": 0.1}, severity="info", actor_id="1")
    for shown, expected_number in ((EVERYTHING, 10), (Filter(text="x", query=parse("actor_id:1")), 1)):
        counts, _timeline, _kinds = counts_over([], loaded=1)
        counts.show(shown, NOON)
        counts.add([sampled], NOON)
        assert sum(bar.total for bar in counts.bars(TimeView().buckets(MINUTE), None)) == expected_number

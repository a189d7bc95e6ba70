"""Counts by minute and kind: a window that slides, seeded from the store and kept up with live events."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from monitor.model.counts import SPARK_BUCKETS, FacetLine, MinuteBar, MinuteCounts
from monitor.model.filter import Facet, Filter
from store.event import Event, Severity
from store.query.syntax import Field
from tests.events import NOON, make_event

MINUTE = int(NOON.timestamp() // 60)
LAST_YEAR = datetime(9998, 12, 31, tzinfo=UTC)


def ago(minutes: float, number: int = 0, **fields: object) -> Event:
    return make_event(number, inserted_at=NOON - timedelta(minutes=minutes), **fields)


def totals(counts: MinuteCounts, now: datetime = NOON) -> dict[str, int]:
    """Events by type in the window."""
    return {line.name: line.count for category in counts.facets(now) for line in category.types}


def total(counts: MinuteCounts, now: datetime = NOON) -> int:
    return sum(bar.total for bar in counts.histogram(now, Filter()))


def test_categories_and_types_are_the_busiest_first_and_then_by_name() -> None:
    counts = MinuteCounts()
    counts.add(
        [
            ago(0, event_type="user.login"),
            ago(0, event_type="download.failed"),
            *[ago(1, event_type="download.completed")] * 2,
            ago(2, event_type="job.executed"),
        ]
    )
    lines = counts.facets(NOON)
    assert [(line.name, line.count) for line in lines] == [("downloads", 3), ("auth", 1), ("system", 1)]
    assert [(line.name, line.count) for line in lines[0].types] == [
        ("download.completed", 2),
        ("download.failed", 1),
    ]


def test_a_sparkline_has_twelve_counts_over_the_hour_the_newest_last() -> None:
    counts = MinuteCounts()
    counts.add([ago(0), ago(4), ago(5), ago(59), ago(30)])
    (line,) = counts.facets(NOON)
    assert line.spark == (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2)
    assert line.types == (FacetLine("job.executed", 5, line.spark),)


@pytest.mark.parametrize("window", [5, 12, 60, 100])
def test_a_sparkline_of_any_window_counts_everything_in_it(window: int) -> None:
    counts = MinuteCounts(window)
    counts.add(ago(minutes) for minutes in range(2 * window))
    (line,) = counts.facets(NOON)
    assert (sum(line.spark), line.count, len(line.spark)) == (window, window, SPARK_BUCKETS)
    assert len(counts.histogram(NOON, Filter())) == window


def test_the_window_slides_and_holds_exactly_an_hour() -> None:
    counts = MinuteCounts()
    counts.add([ago(59.9, number=1), ago(60), ago(59), ago(0), ago(-1)])
    assert total(counts) == 2
    assert total(counts, NOON + timedelta(minutes=1)) == 2
    assert total(counts, NOON - timedelta(minutes=1)) == 3
    assert counts.facets(NOON + timedelta(hours=3)) == ()


def test_seeding_starts_over() -> None:
    counts = MinuteCounts()
    counts.add([ago(0)] * 5)
    counts.seed(
        [
            (MINUTE, "system", "job.failed", "error", 7, 7.0),
            (MINUTE - 3, "system", "job.failed", None, 2, 2.0),
        ]
    )
    assert totals(counts) == {"job.failed": 9}
    counts.add([ago(0, event_type="job.failed")])
    assert totals(counts) == {"job.failed": 10}


def test_the_histogram_tells_warnings_and_errors() -> None:
    counts = MinuteCounts()
    counts.add(
        [
            ago(0, severity=Severity.ERROR),
            ago(0, severity=Severity.WARNING),
            ago(0, severity=Severity.WARNING),
            ago(0, severity=None),
            ago(1, severity=Severity.INFO),
        ]
    )
    bars = counts.histogram(NOON, Filter())
    assert len(bars) == 60
    assert bars[-2:] == (MinuteBar(1, 0, 0), MinuteBar(4, 2, 1))
    assert set(bars[:-2]) == {MinuteBar()}


@pytest.mark.parametrize(
    "shown",
    [
        Filter(),
        Filter(minimum=Severity.WARNING),
        Filter(minimum=Severity.INFO),
        Filter(muted=frozenset({Facet(Field.CATEGORY, "system")})),
        Filter(muted=frozenset({Facet(Field.TYPE, "job.executed"), Facet(Field.CATEGORY, "auth")})),
        Filter(solo=Facet(Field.CATEGORY, "system")),
        Filter(solo=Facet(Field.TYPE, "job.failed"), minimum=Severity.ERROR),
    ],
)
def test_the_histogram_equals_a_count_of_the_events_that_the_filter_shows(shown: Filter) -> None:
    random = Random(31)
    events = [
        ago(
            random.uniform(0, 80),
            event_type=random.choice(["job.executed", "job.failed", "user.login", "x.y"]),
            severity=random.choice([None, *Severity]),
        )
        for _ in range(500)
    ]
    counts = MinuteCounts()
    half = Counter(
        (int(e.inserted_at.timestamp() // 60), e.category, e.event_type, e.severity and e.severity.value)
        for e in events[:250]
    )
    counts.seed([(*kind, count, float(count)) for kind, count in half.items()])
    counts.add(events[250:])
    expected: Counter[int] = Counter()
    errors: Counter[int] = Counter()
    for event in filter(shown.predicate(), events):
        minute = int(event.inserted_at.timestamp() // 60) - MINUTE + 59
        expected[minute] += 1
        errors[minute] += event.severity == "error"
    bars = counts.histogram(NOON, shown)
    assert [bar.total for bar in bars] == [expected[minute] for minute in range(60)]
    assert [bar.errors for bar in bars] == [errors[minute] for minute in range(60)]


def test_a_late_event_counts_in_the_minute_in_which_it_happened() -> None:
    counts = MinuteCounts()
    counts.add([ago(0)])
    counts.add([ago(30)])
    assert [index for index, bar in enumerate(counts.histogram(NOON, Filter())) if bar.total] == [29, 59]


def test_the_kinds_that_are_told_apart_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MinuteCounts, "MAX_KINDS", 3)
    counts = MinuteCounts()
    counts.add([ago(0, event_type=f"job.kind-{number}", category="system") for number in range(3)])
    counts.add([ago(0, event_type=f"job.more-{number}", category="system") for number in range(5)])
    counts.add([ago(0, event_type=f"job.{number}", category=f"new-{number}") for number in range(50)])
    lines = {
        category.name: {line.name: line.count for line in category.types} for category in counts.facets(NOON)
    }
    assert lines == {
        "system": {"job.kind-0": 1, "job.kind-1": 1, "job.kind-2": 1, "…": 5},
        "…": {"…": 50},
    }
    assert total(counts) == 58
    counts.seed([])
    counts.add([ago(0, event_type="job.more-1")])
    assert totals(counts) == {"job.more-1": 1}


def test_minutes_that_left_the_window_are_let_go() -> None:
    counts = MinuteCounts(10)
    for minute in range(5000):
        counts.add([ago(-minute)], NOON + timedelta(minutes=minute))
    assert len(counts._minutes) <= 51  # pyright: ignore[reportPrivateUsage]
    assert total(counts, NOON + timedelta(minutes=4999)) == 10
    alone = MinuteCounts(10)
    for minute in range(5000):
        alone.add([ago(-minute)])
    assert len(alone._minutes) <= 51  # pyright: ignore[reportPrivateUsage]
    assert total(alone, NOON + timedelta(minutes=4999)) == 10


def test_producers_with_a_wrong_clock_push_nothing_out_of_the_window() -> None:
    counts = MinuteCounts(10)
    for minute in range(300):
        now = NOON + timedelta(minutes=minute)
        wrong = [
            make_event(1, inserted_at=LAST_YEAR + timedelta(minutes=minute)),
            make_event(2, inserted_at=now - timedelta(days=20_000)),
            make_event(3, inserted_at=now + timedelta(hours=1)),
        ]
        counts.add([*wrong, make_event(4, inserted_at=now)], now)
        assert total(counts, now) >= min(10, minute + 1)
    assert len(counts._minutes) <= 60  # pyright: ignore[reportPrivateUsage]


def test_counts_of_sampled_events_are_scaled_up_and_marked_as_estimates() -> None:
    counts = MinuteCounts()
    counts.seed([(MINUTE, "activity", "content.viewed", "info", 3, 30.0)])
    counts.add(
        [
            make_event(
                1,
                event_type="content.viewed",
                category="activity",
                inserted_at=NOON,
                metadata={"kept_share": 0.1},
            )
        ]
    )
    counts.add([make_event(2, event_type="content.rated", category="activity", inserted_at=NOON)])
    (line,) = counts.facets(NOON)
    assert (line.count, line.is_estimate) == (41, True)
    assert [(kind.name, kind.count, kind.is_estimate) for kind in line.types] == [
        ("content.viewed", 40, True),
        ("content.rated", 1, False),
    ]
    assert counts.histogram(NOON, Filter())[-1].total == 41

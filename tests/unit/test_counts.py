"""Counts by minute and kind: seeded from the store, kept up with live events, bounded."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from monitor.model.counts import OTHERS, Kind, MinuteCounts, minute_of
from store.event import Event
from tests.events import NOON, make_event

MINUTE = minute_of(NOON)
LAST_YEAR = datetime(9998, 12, 31, tzinfo=UTC)


def ago(minutes: float, number: int = 0, **fields: object) -> Event:
    return make_event(number, inserted_at=NOON - timedelta(minutes=minutes), **fields)


def totals(counts: MinuteCounts, first: int = 0) -> dict[str, float]:
    """Events by type from the minute `first` on."""
    found = Counter[str]()
    for _minute, kind, amount in counts.kinds(first):
        found[kind.event_type] += amount  # pyright: ignore[reportArgumentType]
    return dict(found)


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
    assert totals(counts, MINUTE - 2) == {"job.failed": 8}


def test_a_late_event_counts_in_the_minute_in_which_it_happened() -> None:
    counts = MinuteCounts()
    counts.add([ago(0)])
    counts.add([ago(30), ago(29.99)])
    assert sorted((minute - MINUTE, amount) for minute, _kind, amount in counts.kinds(0)) == [
        (-30, 2.0),
        (0, 1.0),
    ]


def test_all_is_counted_from_the_hour_before_it_was_seeded_as_long_as_that_is_kept() -> None:
    counts = MinuteCounts()
    assert counts.complete_from(NOON) == MINUTE - 120
    counts.seed([], NOON)
    assert counts.complete_from(NOON) == MINUTE - 59
    assert counts.complete_from(NOON + timedelta(minutes=30)) == MINUTE - 59
    assert counts.complete_from(NOON + timedelta(minutes=90)) == MINUTE - 30


def test_the_kinds_that_are_told_apart_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MinuteCounts, "MAX_KINDS", 3)
    counts = MinuteCounts()
    counts.add([ago(0, event_type=f"job.kind-{number}", category="system") for number in range(3)])
    counts.add([ago(0, event_type=f"job.more-{number}", category="system") for number in range(5)])
    counts.add([ago(0, event_type=f"job.{number}", category=f"new-{number}") for number in range(50)])
    found = {kind[:2]: amount for _minute, kind, amount in counts.kinds(0)}
    assert found == {
        **{("system", f"job.kind-{number}"): 1 for number in range(3)},
        ("system", OTHERS): 5,
        (OTHERS, OTHERS): 50,
    }
    counts.seed([])
    counts.add([ago(0, event_type="job.more-1")])
    assert totals(counts) == {"job.more-1": 1}


def test_minutes_that_left_the_window_are_let_go() -> None:
    counts, alone = MinuteCounts(10), MinuteCounts(10)
    for minute in range(5000):
        counts.add([ago(-minute)], NOON + timedelta(minutes=minute))
        alone.add([ago(-minute)])
    for some in (counts, alone):
        kept = [minute for minute, _kind, _amount in some.kinds(0)]
        assert len(kept) <= 51
        assert totals(some, MINUTE + 4990) == {"job.executed": 10}


def test_producers_with_a_wrong_clock_push_nothing_out_of_the_window() -> None:
    counts = MinuteCounts(10)
    for minute in range(300):
        now = NOON + timedelta(minutes=minute)
        wrong = [
            make_event(1, inserted_at=LAST_YEAR + timedelta(minutes=minute), event_type="a.wrong"),
            make_event(2, inserted_at=now - timedelta(days=20_000), event_type="a.wrong"),
            make_event(3, inserted_at=now + timedelta(hours=1), event_type="a.wrong"),
        ]
        counts.add([*wrong, make_event(4, inserted_at=now)], now)
        assert totals(counts, minute_of(now) - 9)["job.executed"] == min(10, minute + 1)
    assert len({minute for minute, _kind, _amount in counts.kinds(-(2**40))}) <= 60


def test_sampled_events_count_for_what_they_stand_for() -> None:
    counts = MinuteCounts()
    counts.seed([(MINUTE, "activity", "content.viewed", "info", 3, 30.0)])
    counts.add([ago(0, event_type="content.viewed", category="activity", metadata={"kept_share": 0.1})])
    counts.add([ago(0, event_type="content.rated", category="activity")])
    assert totals(counts) == {"content.viewed": 40, "content.rated": 1}
    assert counts.is_estimate(Kind("activity", "content.viewed", None))
    assert not counts.is_estimate(Kind("activity", "content.rated", None))

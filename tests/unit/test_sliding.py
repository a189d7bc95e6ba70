"""Sums over a window that slides equal a count of what is in it, whatever comes when."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from monitor.model.counts import OTHERS
from monitor.model.sliding import SlidingCounts


def test_the_sums_equal_a_count_whatever_comes_late_early_or_when_the_clock_is_set_back() -> None:
    random = Random(5)
    counts = SlidingCounts(10, 100)
    added: list[tuple[int, str, int]] = []
    last = 100
    for _ in range(3000):
        if random.random() < 0.05:
            last = max(1, last + random.choice([1, 1, 1, 2, 15, -2]))
            counts.slide(last)
            # What was out of reach once does not come back.
            added = [item for item in added if last - 9 <= item[0] <= last + 10]
        minute, key = last + random.randint(-14, 14), random.choice("abc")
        counts.add(minute, (key, ""), 2)
        if last - 9 <= minute <= last + 10:
            added.append((minute, key, 2))
        expected = Counter[str]()
        for at, name, amount in added:
            if at in counts.span:
                expected[name] += amount
        assert {key[0]: total for key, total in counts.totals.items()} == dict(expected)


def test_keys_are_bounded_and_make_room_for_others_when_they_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlidingCounts, "MAX_KEYS", 4)
    counts = SlidingCounts(10, 100)
    for value in ("a", "b"):
        counts.add(100, (value, ""), 1)
        counts.add(100, (value, "x"), 1)
    counts.add(100, ("a", "y"), 1)
    counts.add(100, ("c", ""), 1)
    counts.add(100, ("c", "z"), 1)
    assert counts.totals == {
        ("a", ""): 1,
        ("a", "x"): 1,
        ("b", ""): 1,
        ("b", "x"): 1,
        ("a", OTHERS): 1,
        (OTHERS, ""): 1,
        (OTHERS, OTHERS): 1,
    }
    counts.slide(120)
    assert counts.totals == {}
    counts.add(120, ("d", ""), 1)
    assert counts.totals == {("d", ""): 1}


def test_a_thousand_keys_a_minute_for_days_leave_no_more_behind_than_the_window_holds() -> None:
    counts = SlidingCounts(10, 0)
    for minute in range(300):
        counts.slide(minute)
        for number in range(100):
            counts.add(minute, (f"{minute}-{number}", ""), 1)
    assert sum(counts.totals.values()) == 1000
    assert len(counts.totals) <= 1001
    assert len(counts._held) <= 1001  # pyright: ignore[reportPrivateUsage]


def test_fractions_leave_nothing_behind() -> None:
    counts = SlidingCounts(3, 0)
    for minute in range(1000):
        counts.slide(minute)
        counts.add(minute, ("a", ""), 1 / 3 + 1 / 7)
    counts.slide(1003)
    assert counts.totals == {}


def test_the_version_tells_whether_anything_changed() -> None:
    counts = SlidingCounts(10, 100)
    before = counts.version
    counts.slide(100)
    counts.add(50, ("a", ""), 1)
    assert counts.version == before
    counts.add(100, ("a", ""), 1)
    assert counts.version != before

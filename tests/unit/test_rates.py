"""The rate of arrivals: a sliding window of a monotonic clock that is passed in."""

from __future__ import annotations

import pytest

from monitor.model.rates import RateMeter


def test_before_anything_is_known_the_rate_is_zero() -> None:
    assert RateMeter().per_second(100.0) == 0.0


def test_the_rate_is_an_average_over_the_window() -> None:
    meter = RateMeter(window=5.0)
    for second in range(20):
        meter.add(10, 1000.0 + second)
    assert meter.per_second(1019.5) == 10.0


def test_right_after_the_start_the_average_is_over_the_time_so_far() -> None:
    meter = RateMeter(window=5.0)
    meter.add(30, 1000.0)
    assert meter.per_second(1000.1) == 30.0
    assert meter.per_second(1002.0) == 15.0


def test_quiet_frames_start_the_clock_and_let_the_rate_fall() -> None:
    meter = RateMeter(window=5.0)
    meter.add(0, 1000.0)
    meter.add(20, 1004.0)
    assert meter.per_second(1004.0) == 5.0
    assert meter.per_second(1008.9) == 4.0
    assert meter.per_second(1009.0) == 0.0


@pytest.mark.parametrize("rate", [1, 2000])
def test_a_meter_that_no_one_reads_does_not_grow(rate: int) -> None:
    meter = RateMeter(window=5.0)
    for frame in range(10_000):
        meter.add(rate, frame / 10)
    assert len(meter._arrivals) <= 51  # pyright: ignore[reportPrivateUsage]
    assert meter.per_second(999.9) == pytest.approx(10 * rate)

"""What the times of events tell of the clocks of their producers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.model.skew import PRODUCERS_MAX, WINDOW, ClockSkew
from store.event import Event
from tests.events import NOON


def event(seconds_ago: float) -> Event:
    return Event(event_type="job.executed", inserted_at=NOON - timedelta(seconds=seconds_ago))


def heard(skew: ClockSkew, producer: str, seconds_ago: float, tick: float = 0.0) -> None:
    skew.heard([(producer, event(seconds_ago))], NOON, tick)


@pytest.mark.parametrize(("ago", "ahead"), [(-92.0, 92.0), (-2.0, 2.0), (35.0, -35.0)])
def test_a_clock_that_is_far_off_is_told_with_its_producer(ago: float, ahead: float) -> None:
    skew = ClockSkew()
    heard(skew, "good", 0.2)
    heard(skew, "off", ago)
    assert skew.worst(1.0) == ("off", ahead)


def test_what_may_be_a_delay_is_no_skew() -> None:
    skew = ClockSkew()
    heard(skew, "slow", 5.0)
    heard(skew, "quick", -0.5)
    assert skew.worst(0.0) is None


def test_one_fresh_event_clears_a_producer_that_also_sends_old_ones() -> None:
    skew = ClockSkew()
    heard(skew, "spooled", 600.0)
    assert skew.worst(0.0) == ("spooled", -600.0)
    heard(skew, "spooled", 0.1, 1.0)
    heard(skew, "spooled", 500.0, 2.0)
    assert skew.worst(2.0) is None
    heard(skew, "spooled", 500.0, WINDOW + 3)
    assert skew.worst(WINDOW + 3) is None
    heard(skew, "spooled", 500.0, 2 * WINDOW + 5)
    assert skew.worst(2 * WINDOW + 5) == ("spooled", -500.0)


def test_a_producer_that_fell_silent_is_not_told_of() -> None:
    skew = ClockSkew()
    heard(skew, "off", -60.0)
    assert skew.worst(2 * WINDOW + 1) is None


def test_the_furthest_is_told_and_the_memory_is_bounded() -> None:
    skew = ClockSkew()
    heard(skew, "worst", -500.0)
    heard(skew, "bad", -50.0)
    assert skew.worst(0.0) == ("worst", 500.0)
    for number in range(PRODUCERS_MAX - 1):
        heard(skew, f"p{number}", 0.0)
    assert skew.worst(0.0) == ("bad", 50.0)

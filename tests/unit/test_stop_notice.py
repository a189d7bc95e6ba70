"""How much came while the program was stopped."""

from __future__ import annotations

from monitor.stop_notice import StopNotice


def test_what_was_counted_before_the_stop_was_known_of_came_since() -> None:
    stop = StopNotice()
    assert not stop.waits
    stop.count(300, 100.0)
    # Stopped from 101 to 160; some of what had come by then is taken in before anyone says that it was stopped.
    stop.count(380, 160.1)
    stop.count(410, 160.2)
    stop.stopped(101.4, 160.3)
    assert stop.waits
    stop.count(1200, 166.0)
    assert stop.told(1200) == 900
    assert not stop.waits


def test_two_stops_that_are_told_together_begin_with_the_first() -> None:
    stop = StopNotice()
    stop.count(10, 1.0)
    stop.stopped(1.5, 20.0)
    stop.count(50, 20.5)
    stop.stopped(21.0, 40.0)
    assert stop.continued_at == 40.0
    assert stop.told(100) == 90


def test_a_stop_before_anything_came_counts_everything() -> None:
    stop = StopNotice()
    stop.stopped(1.0, 5.0)
    assert stop.told(7) == 7

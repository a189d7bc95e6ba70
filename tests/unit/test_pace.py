"""How often may be drawn."""

from __future__ import annotations

import pytest

from monitor.fit.pace import Pace


def drawn_at(pace: Pace, cost: float, every: float, until: float) -> list[float]:
    """When frames of `cost` are drawn, wanted `every` so many seconds."""
    moments: list[float] = []
    now = 0.0
    while now < until:
        now += max(every, pace.wait(now))
        pace.spent(cost, now)
        moments.append(now)
    return moments


@pytest.mark.parametrize("grace", [0.0, 0.3])
def test_a_steady_stream_costs_no_more_than_was_allowed(grace: float) -> None:
    moments = drawn_at(Pace(4_500, grace), 3_000, 0.1, 60)
    assert len(moments) * 3_000 / 60 == pytest.approx(4_500, rel=0.05)


def test_the_first_frame_after_silence_is_drawn_at_once() -> None:
    pace = Pace(4_500)
    assert pace.wait(0.0) == 0
    for _ in range(20):
        pace.spent(3_000, 0.0)
    assert pace.wait(0.0) == pytest.approx(20 * 3_000 / 4_500)
    assert pace.wait(14.0) == 0


def test_silence_is_not_saved_up() -> None:
    pace = Pace(1_000)
    pace.spent(1_000, 1_000.0)
    assert pace.wait(1_000.0) == pytest.approx(1.0)


def test_what_comes_one_by_one_is_not_held_up_within_the_grace() -> None:
    pace = Pace(10_000, 0.3)
    pace.spent(2_000, 0.0)
    assert pace.wait(0.0) == 0
    pace.spent(2_000, 0.0)
    assert pace.wait(0.0) == pytest.approx(0.1)


def test_what_was_asked_for_is_owed_up_to_a_point_and_forgives_nothing() -> None:
    pace = Pace(80_000, 0.3)
    # The largest terminal, drawn whole fifty times while its size is changed.
    for moment in range(50):
        pace.spent(500_000, moment / 100, owed_max=2.0)
    assert pace.wait(0.5) == pytest.approx(2.0 - 0.3, abs=0.02)
    pace.spent(400_000, 0.5)
    assert pace.wait(0.5) == pytest.approx(7.0 - 0.3, abs=0.02)
    pace.spent(400_000, 0.5, owed_max=2.0)
    assert pace.wait(0.5) == pytest.approx(7.0 - 0.3, abs=0.02)

"""How far the steps of a search look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.model.stride import FIRST, LONGEST, STEP, Stride
from store.event_filter import EventFilter

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ALL = EventFilter()


def steps(stride: Stride, density: float, begin: datetime, place: datetime = NOON) -> list[float]:
    """Seconds that each step takes through events from `begin` on, `density` seconds for a second of theirs."""
    taken: list[float] = []
    edge: datetime | None = place
    while edge is not None:
        _, edge = stride.part(ALL, place, -1)
        looked = place - max(edge or begin, begin)
        taken.append(max(0.0, looked.total_seconds()) * density)
        stride.took(taken[-1])
        place = edge or place
    return taken


def test_what_is_slow_is_looked_through_in_steps_of_about_the_same_time() -> None:
    """5,000,000 events of 30 days, and 16 s to look through them."""
    month = timedelta(days=30)
    taken = steps(Stride(), 16 / month.total_seconds(), NOON - month)
    assert sum(taken) > 15.9
    assert max(taken) < 2 * STEP
    assert len(taken) < 60


def test_what_is_fast_takes_a_handful_of_steps() -> None:
    taken = steps(Stride(), 0.0, NOON - timedelta(days=365))
    assert len(taken) <= 9


def test_a_slow_step_is_followed_by_a_shorter_one_and_a_clock_that_stands_still_harms_nothing() -> None:
    stride = Stride()
    stride.took(4.0)
    assert stride.part(ALL, NOON, -1)[1] == NOON - FIRST / 8
    for _ in range(20):
        stride.took(0.0)
    assert stride.part(ALL, NOON, -1) == (ALL, None)
    for _ in range(20):
        stride.took(1e9)
    assert stride.part(ALL, NOON, 1)[1] == NOON + timedelta(seconds=1)


def test_a_span_that_was_asked_for_bounds_the_steps() -> None:
    since = NOON - FIRST / 2
    bounded = EventFilter(since=since, until=NOON + 2 * FIRST)
    assert Stride().part(bounded, NOON, -1) == (bounded, None)
    part, edge = Stride().part(bounded, NOON, 1)
    assert (part.since, part.until, edge) == (since, NOON + FIRST, NOON + FIRST)


@given(
    st.datetimes(timezones=st.just(UTC)), st.sampled_from([-1, 1]), st.lists(st.floats(0, 100), max_size=20)
)
def test_at_either_end_of_time_the_rest_is_looked_at(place: datetime, step: int, taken: list[float]) -> None:
    stride = Stride()
    for seconds in taken:
        stride.took(seconds)
    part, edge = stride.part(ALL, place, step)
    assert edge is None or timedelta(0) < (edge - place) * step < LONGEST
    assert (part.since if step < 0 else part.until) == edge

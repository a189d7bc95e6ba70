"""The life of gaps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from monitor.gap_record import GapRecord
from monitor.model.gaps import Gap, GapState


class Clock:
    """A wall clock that stands at a whole second until it is moved."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gaps(clock: Clock) -> GapRecord:
    return GapRecord(clock)


def told(gaps: GapRecord) -> Gap:
    """The one change that there is to tell."""
    assert gaps.has_news
    (gap,) = gaps.take_changes()
    assert not gaps.has_news
    return gap


def test_a_gap_spans_the_time_of_its_cause_and_counts_what_was_found(gaps: GapRecord, clock: Clock) -> None:
    began = clock.moment
    gaps.open("connection lost")
    assert told(gaps) == Gap(1, "connection lost", began)
    clock.move(7)
    gaps.recovered(3)
    gaps.repairing()
    ended = clock.moment
    clock.move(1)
    gaps.recovered(2)
    gaps.close()
    assert told(gaps) == Gap(1, "connection lost", began, ended, GapState.REPAIRED, recovered=5)
    assert not gaps.is_open


def test_what_goes_wrong_during_a_gap_belongs_to_it(gaps: GapRecord) -> None:
    gaps.open("connection lost")
    told(gaps)
    gaps.open("buffer overflow")
    assert not gaps.has_news
    assert gaps.is_open


def test_a_cause_that_returns_during_the_repair_reopens_the_gap(gaps: GapRecord, clock: Clock) -> None:
    gaps.open("connection lost")
    gaps.repairing()
    assert told(gaps).until is not None
    clock.move(1)
    gaps.open("connection lost")
    again = told(gaps)
    assert (again.number, again.state, again.until) == (1, GapState.OPEN, None)


def test_a_gap_that_changed_back_between_two_frames_is_no_news(gaps: GapRecord) -> None:
    gaps.open("connection lost")
    told(gaps)
    gaps.repairing()
    gaps.open("connection lost")
    assert not gaps.has_news
    assert gaps.take_changes() == ()


def test_a_gap_of_which_something_stays_in_the_store_says_so_to_the_end(gaps: GapRecord) -> None:
    gaps.open("too far behind")
    gaps.left_out(400)
    gaps.left_out(30)
    gaps.close()
    gap = told(gaps)
    assert (gap.state, gap.left_out) == (GapState.NOT_LOADED, 430)


def test_a_gap_tells_how_many_announcements_were_missed_and_how_many_of_them_are_lost(
    gaps: GapRecord,
) -> None:
    gaps.open("announcements missed")
    gaps.missed(4)
    gaps.missed(3)
    gaps.recovered(5)
    gaps.close(lost=2)
    gap = told(gaps)
    assert (gap.state, gap.missed, gap.recovered, gap.lost) == (GapState.LOST, 7, 5, 2)


def test_a_loss_that_is_found_without_a_gap_makes_one(gaps: GapRecord) -> None:
    gaps.close(lost=3)
    gap = told(gaps)
    assert (gap.cause, gap.state, gap.lost, gap.missed) == ("announcements missed", GapState.LOST, 3, 3)
    assert not gaps.is_open


def test_the_next_gap_has_the_next_number_and_both_are_told(gaps: GapRecord) -> None:
    gaps.open("one")
    told(gaps)
    gaps.close()
    gaps.open("two")
    assert [(gap.number, gap.state) for gap in gaps.take_changes()] == [
        (1, GapState.REPAIRED),
        (2, GapState.OPEN),
    ]


def test_without_a_gap_nothing_is_told(gaps: GapRecord) -> None:
    gaps.repairing()
    gaps.recovered(3)
    gaps.left_out(1)
    gaps.close()
    assert not gaps.has_news
    assert gaps.take_changes() == ()

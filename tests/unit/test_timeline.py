"""The timeline is a window without holes, whatever arrives, is evicted, frozen, filtered or read back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from monitor.model import rows
from monitor.model.filter import Facet, Filter
from monitor.model.gaps import Gap, GapState
from monitor.model.rows import SortKey
from monitor.model.timeline import Timeline
from store.event import Event, Severity
from store.query import parse
from store.query.syntax import Field
from tests.events import NOON, at, make_event, make_events

ERRORS = Filter(minimum=Severity.ERROR)
CAPACITY = 100
CHUNK = CAPACITY // 20


def shown(timeline: Timeline) -> list[int]:
    """Numbers of the events shown, in their order."""
    return [row.id.int for row in timeline.rows if isinstance(row, Event)]


def sized(count: int, **fields: Any) -> Timeline:
    """A timeline of the capacity 100 with `count` events that the store holds no more of."""
    timeline = Timeline(CAPACITY)
    timeline.open_with(make_events(count, **fields), has_older=False)
    return timeline


# Corrections


def test_a_corrected_event_takes_the_place_that_is_its_own() -> None:
    timeline = sized(10)
    timeline.correct(make_event(4).sort_key, make_event(4, inserted_at=at(7), status="failed"))
    assert shown(timeline) == [0, 1, 2, 3, 5, 6, 4, 7, 8, 9]
    timeline.apply(ERRORS)
    assert shown(timeline) == []
    timeline.correct(make_event(5).sort_key, make_event(5, severity="error"))
    assert shown(timeline) == [5]
    assert timeline.hidden == 9
    timeline.correct(make_event(5).sort_key, make_event(5, severity="info"))
    assert shown(timeline) == []
    assert timeline.hidden == 10


def test_a_corrected_event_that_was_let_go_comes_not_back() -> None:
    timeline = sized(3)
    timeline.correct(make_event(77).sort_key, make_event(77, status="failed"))
    assert shown(timeline) == [0, 1, 2]


# Order


def test_rows_are_in_order_of_time_and_id_however_they_arrive() -> None:
    timeline = sized(0)
    timeline.add([make_event(5), make_event(3), make_event(9)])
    timeline.add([make_event(1), make_event(4, inserted_at=at(9)), make_event(10, inserted_at=at(9))])
    assert shown(timeline) == [1, 3, 5, 4, 9, 10]


def test_the_opening_page_may_come_in_any_order() -> None:
    timeline = Timeline()
    timeline.open_with(reversed(make_events(5)), has_older=True)
    assert shown(timeline) == [0, 1, 2, 3, 4]
    assert timeline.has_older
    assert timeline.floor == make_event(0).sort_key


def test_a_late_event_stands_at_its_time() -> None:
    timeline = sized(10)
    timeline.add([make_event(50, inserted_at=at(3.5))])
    assert shown(timeline) == [0, 1, 2, 3, 50, 4, 5, 6, 7, 8, 9]


def test_an_event_that_arrives_twice_is_shown_and_counted_once() -> None:
    timeline = sized(3)
    timeline.apply(ERRORS)
    timeline.add([make_event(1), make_event(2)])
    assert timeline.hidden == 3
    timeline.apply(Filter())
    assert shown(timeline) == [0, 1, 2]


# Capacity


def test_the_oldest_rows_go_in_chunks_and_the_floor_rises() -> None:
    timeline = sized(CAPACITY)
    timeline.add(make_events(CHUNK, start=CAPACITY))
    assert len(timeline.rows) == CAPACITY + CHUNK
    assert not timeline.has_older
    timeline.add([make_event(CAPACITY + CHUNK)])
    assert shown(timeline) == list(range(CHUNK + 1, CAPACITY + CHUNK + 1))
    assert timeline.floor == make_event(CHUNK + 1).sort_key


def test_many_late_events_do_not_pull_the_floor_down_to_them() -> None:
    """Yesterday's spool arrives: between it and the window lie events that were never loaded."""
    timeline = Timeline(CAPACITY)
    timeline.open_with(make_events(CAPACITY // 2, start=1000), has_older=True)
    timeline.add(make_events(CAPACITY // 2 + 10))
    assert len(shown(timeline)) == CAPACITY
    assert timeline.floor == make_event(1000).sort_key
    timeline.apply(ERRORS)
    timeline.apply(Filter())
    assert timeline.floor == make_event(1000).sort_key


def test_the_floor_is_always_a_place_among_the_events() -> None:
    timeline = sized(0)
    timeline.add([make_event(1)])
    timeline.show_gap(Gap(1, "lost", at(1)))
    timeline.add(make_events(CAPACITY + CHUNK - 1, start=2))
    timeline.add([make_event(500)])
    assert timeline.floor is not None
    assert UUID(int=timeline.floor[1])


def test_nothing_is_evicted_under_the_eyes_of_a_reader() -> None:
    timeline = sized(CAPACITY)
    timeline.reading = True
    timeline.add(make_events(CAPACITY, start=CAPACITY))
    assert shown(timeline) == list(range(2 * CAPACITY))
    assert timeline.attached
    assert timeline.pending == CAPACITY


def test_a_full_window_stays_as_it_is_while_someone_reads() -> None:
    timeline = sized(CAPACITY)
    timeline.reading = True
    timeline.add(make_events(CAPACITY + 1, start=CAPACITY))
    assert not timeline.attached
    timeline.add(make_events(50, start=500))
    assert shown(timeline) == list(range(2 * CAPACITY + 1))
    assert timeline.pending == CAPACITY + 51


def test_returning_to_the_present_after_a_short_while_fills_in_what_came() -> None:
    timeline = sized(CAPACITY)
    timeline.reading = True
    timeline.add(make_events(CAPACITY + 1, start=CAPACITY))
    timeline.add(make_events(20, start=CAPACITY * 2 + 1))
    timeline.reading = False
    timeline.attach()
    assert shown(timeline) == list(range(CAPACITY + 21, 2 * CAPACITY + 21))
    assert (timeline.attached, timeline.pending) == (True, 0)
    assert timeline.floor == make_event(CAPACITY + 21).sort_key


def test_returning_after_a_long_while_starts_from_what_is_recent() -> None:
    timeline = sized(CAPACITY)
    timeline.reading = True
    for start in range(0, 1000, 10):
        timeline.add(make_events(10, start=1000 + start))
    timeline.reading = False
    timeline.attach()
    assert shown(timeline)[-1] == 1999
    assert shown(timeline) == list(range(2000 - len(timeline.rows), 2000))
    assert timeline.floor == make_event(shown(timeline)[0]).sort_key


# Freezing


def test_a_frozen_timeline_changes_nothing_and_counts_what_arrives() -> None:
    timeline = sized(5)
    timeline.freeze()
    timeline.add(make_events(5, start=5))
    timeline.show_gap(Gap(1, "lost", at(2)))
    assert shown(timeline) == [0, 1, 2, 3, 4] == [row.sort_key[1] for row in timeline.rows]
    assert timeline.pending == 5
    timeline.attach()
    assert not timeline.frozen
    assert shown(timeline) == list(range(10))
    assert len(timeline.rows) == 11
    assert timeline.pending == 0


def test_a_late_event_that_is_let_go_while_frozen_leaves_no_hole() -> None:
    timeline = sized(CAPACITY)
    timeline.freeze()
    late = make_event(5000, inserted_at=at(0.5))
    timeline.add([late])
    timeline.add(make_events(60, start=CAPACITY))
    timeline.attach()
    floor = timeline.floor
    assert floor is not None
    assert late.sort_key < floor or 5000 in shown(timeline)


def test_what_was_let_go_while_frozen_is_not_skipped_over() -> None:
    """Few events match, so that the old rows would stay beside the new ones."""
    timeline = sized(10, severity=Severity.ERROR)
    timeline.apply(ERRORS)
    timeline.freeze()
    timeline.add(make_events(10, start=10, severity=Severity.ERROR))
    timeline.add(make_events(CAPACITY, start=20))
    timeline.add([make_event(500, severity=Severity.ERROR)])
    timeline.attach()
    assert timeline.floor is not None
    assert timeline.floor > make_event(19).sort_key
    assert shown(timeline) == [500]


def test_starting_over_changes_nothing_under_the_eyes_of_a_reader() -> None:
    for state in ("reading", "frozen"):
        timeline = sized(10)
        setattr(timeline, state, True)
        timeline.open_with(make_events(50, start=1000), has_older=True)
        timeline.add([make_event(2000)])
        assert shown(timeline) == list(range(10))
        assert timeline.pending == 51
        timeline.reading = False
        timeline.attach()
        assert shown(timeline) == [*range(1000, 1050), 2000]
        assert timeline.floor == make_event(1000).sort_key
        assert timeline.pending == 0


def test_starting_over_while_following_shows_the_new_page() -> None:
    timeline = sized(10)
    timeline.open_with(make_events(5, start=1000), has_older=True)
    assert shown(timeline) == list(range(1000, 1005))


# Filters


def test_a_filter_shows_what_matches_among_the_recent_events() -> None:
    timeline = sized(20)
    timeline.add(make_events(3, start=20, severity=Severity.ERROR))
    timeline.apply(ERRORS)
    assert shown(timeline) == [20, 21, 22]
    assert timeline.hidden == 20
    timeline.add([make_event(30), make_event(31, severity=Severity.ERROR)])
    assert shown(timeline) == [20, 21, 22, 31]
    assert timeline.hidden == 21
    timeline.apply(Filter())
    assert timeline.hidden == 0
    assert shown(timeline) == [*range(23), 30, 31]


def test_a_filter_over_all_stored_events_has_nothing_older() -> None:
    timeline = sized(20)
    timeline.apply(ERRORS)
    assert not timeline.has_older
    assert len(timeline.rows) == 0


def test_a_filter_over_a_part_of_the_events_reads_on_from_the_oldest_recent_one() -> None:
    timeline = Timeline()
    timeline.open_with(make_events(20, start=100), has_older=True)
    timeline.apply(ERRORS)
    assert len(timeline.rows) == 0
    assert timeline.floor == make_event(100).sort_key
    timeline.add_older([make_event(30, severity=Severity.ERROR)], make_event(30).sort_key)
    assert shown(timeline) == [30]
    assert timeline.floor == make_event(30).sort_key


def test_a_page_of_older_events_is_merged_and_known_ones_are_kept_once() -> None:
    timeline = Timeline()
    timeline.open_with(make_events(10, start=100), has_older=True)
    late = make_event(95)
    timeline.add([late])
    timeline.add_older(make_events(10, start=90)[::-1], make_event(90).sort_key)
    assert shown(timeline) == list(range(90, 110))
    assert timeline.floor == make_event(90).sort_key
    timeline.add_older(make_events(90)[::-1], None)
    assert shown(timeline) == list(range(110))
    assert not timeline.has_older


def test_an_empty_page_ends_the_reading_back() -> None:
    timeline = Timeline()
    timeline.open_with(make_events(10), has_older=True)
    timeline.add_older([], None)
    assert not timeline.has_older


# Gaps


def test_a_gap_stands_after_the_events_of_its_instant_and_shows_its_newest_state() -> None:
    timeline = sized(5)
    gap = Gap(1, "lost", at(2))
    timeline.show_gap(gap)
    assert [row.sort_key[0] for row in timeline.rows] == [at(0), at(1), at(2), at(2), at(3), at(4)]
    assert timeline.rows[3] is gap
    repaired = Gap(1, "lost", at(2), at(4), GapState.REPAIRED, recovered=3)
    timeline.show_gap(repaired)
    assert timeline.rows[3] is repaired
    assert len(timeline.rows) == 6


def test_gaps_of_one_instant_are_two_rows() -> None:
    timeline = sized(1)
    timeline.show_gap(Gap(1, "lost", NOON))
    timeline.show_gap(Gap(2, "overflow", NOON))
    assert [row.cause for row in timeline.rows if isinstance(row, Gap)] == ["lost", "overflow"]


def test_gaps_are_shown_whatever_the_filter() -> None:
    timeline = sized(5)
    timeline.show_gap(Gap(1, "lost", at(2)))
    timeline.apply(ERRORS)
    assert [type(row) for row in timeline.rows] == [Gap]
    assert timeline.hidden == 5


@pytest.mark.parametrize("state", ["attached", "frozen"])
def test_only_the_latest_hundred_gaps_are_kept(state: str) -> None:
    timeline = sized(0)
    for number in range(150):
        timeline.show_gap(Gap(number, "lost", at(number)))
    if state == "frozen":
        timeline.freeze()
        timeline.show_gap(Gap(150, "lost", at(150)))
    assert [row.number for row in timeline.rows if isinstance(row, Gap)] == list(range(50, 150))


def test_a_gap_after_the_end_of_a_window_that_was_left_waits_with_the_events() -> None:
    timeline = sized(CAPACITY)
    timeline.reading = True
    timeline.add(make_events(CAPACITY + 1, start=CAPACITY))
    assert not timeline.attached
    timeline.add(make_events(150, start=1000))
    timeline.show_gap(Gap(1, "lost", at(1149)))
    timeline.show_gap(Gap(2, "earlier", at(150)))
    assert timeline.rows[-1].sort_key == make_event(2 * CAPACITY).sort_key
    assert [row.number for row in timeline.rows if isinstance(row, Gap)] == [2]
    timeline.reading = False
    timeline.attach()
    events = shown(timeline)
    assert events == list(range(1150 - len(events), 1150))
    assert timeline.rows[-1].sort_key[0] == at(1149)
    assert isinstance(timeline.rows[-1], Gap)


# Confirmation, single rows


def test_events_are_unconfirmed_until_the_store_answers() -> None:
    timeline = sized(0)
    batch = make_events(3)
    first, second, third = (event.id for event in batch)
    timeline.unconfirmed |= {first, second, third}
    timeline.add(batch)
    timeline.confirm([first], [second])
    assert (timeline.unconfirmed, timeline.not_stored) == ({third}, {second})
    timeline.confirm([second], [])
    assert timeline.not_stored == set()


def test_marks_of_events_that_are_let_go_are_let_go() -> None:
    timeline = sized(0)
    batch = make_events(2)
    timeline.unconfirmed |= {event.id for event in batch}
    timeline.add(batch)
    timeline.confirm([], [batch[0].id])
    timeline.add(make_events(2 * CAPACITY, start=10))
    assert (timeline.unconfirmed, timeline.not_stored) == (set(), set())


def test_a_row_is_found_by_its_key() -> None:
    timeline = sized(5)
    timeline.show_gap(gap := Gap(1, "lost", at(2)))
    assert timeline.event_at(make_event(3).sort_key) == make_event(3)
    assert timeline.event_at(make_event(9).sort_key) is None
    assert timeline.event_at(gap.sort_key) is None


# Everything together


FILTERS = [
    Filter(),
    ERRORS,
    Filter(muted=frozenset({Facet(Field.TYPE, "job.executed")})),
    Filter(text="odd", query=parse("odd")),
]


class TimelineMachine(RuleBasedStateMachine):
    """Random use of a small timeline beside a store that keeps everything."""

    CAPACITY = 20

    def __init__(self) -> None:
        super().__init__()
        self.timeline = self.empty()
        self.stored: list[Event] = []
        self.recent: list[Event] = []
        self.gaps: dict[int, Gap] = {}
        self.pending = 0
        self.clock = 0.0
        self.still: list[SortKey] | None = None

    # What the application and the operator do

    @initialize(count=st.integers(0, 40), page=st.integers(1, 15))
    def open(self, count: int, page: int) -> None:
        self.stored = [self.new() for _ in range(count)]
        self.start_over(page)

    @rule(page=st.integers(1, 15))
    def start_over(self, page: int) -> None:
        newest = self.by_time(self.stored)[-page:]
        self.recent = list(newest)
        stays = bool(self.timeline.rows) and (self.timeline.frozen or self.timeline.reading)
        if stays:
            self.pending += sum(
                self.matches(event) and not self.timeline.rows.has(event.sort_key) for event in newest
            )
        else:
            self.pending = 0
        self.timeline.open_with(newest, has_older=len(newest) < len(self.stored))
        self.still = self.keys() if stays else None

    @rule(count=st.integers(1, 30), backwards=st.lists(st.integers(0, 200), max_size=4))
    def arrive(self, count: int, backwards: list[int]) -> None:
        batch = [self.new(back) for back in [0] * count + backwards]
        self.stored += batch
        self.recent = self.by_time([*self.recent, *batch])
        if len(self.recent) > self.CAPACITY + 1:
            self.recent = self.recent[-self.CAPACITY :]
        if self.timeline.frozen or not self.timeline.attached or self.timeline.reading:
            self.pending += sum(map(self.matches, batch))
        self.timeline.add(batch)
        self.still = self.keys() if self.timeline.frozen or not self.timeline.attached else None

    @rule()
    def read_further_up(self) -> None:
        self.timeline.reading = True

    @rule()
    def follow(self) -> None:
        self.timeline.reading = False
        self.unfreeze()

    @rule()
    def freeze(self) -> None:
        self.timeline.freeze()
        self.still = self.keys()

    @rule()
    def unfreeze(self) -> None:
        self.timeline.attach()
        self.pending = 0
        self.still = None

    @rule(chosen=st.sampled_from(FILTERS))
    def choose_filter(self, chosen: Filter) -> None:
        self.timeline.apply(chosen)
        self.pending = 0
        self.still = self.keys() if self.timeline.frozen else None

    @precondition(lambda self: self.timeline.has_older)
    @rule(limit=st.integers(1, 10))
    def read_back(self, limit: int) -> None:
        floor = self.timeline.floor
        assert floor is not None
        older = [
            event for event in self.by_time(self.stored) if self.matches(event) and event.sort_key < floor
        ]
        rest = older[-limit].sort_key if len(older) > limit else None
        self.timeline.add_older(older[-limit:][::-1], rest)
        self.still = self.keys() if self.still is not None else None

    @precondition(lambda self: self.timeline.has_newer and not self.timeline.frozen)
    @rule(limit=st.integers(1, 30))
    def read_on(self, limit: int) -> None:
        ceiling = self.timeline.ceiling
        assert ceiling is not None
        newer = [
            event for event in self.by_time(self.stored) if self.matches(event) and event.sort_key > ceiling
        ]
        rest = newer[limit - 1].sort_key if len(newer) > limit else None
        self.timeline.add_newer(newer[:limit][::-1], rest)
        self.still = None if self.timeline.attached else self.keys()

    @rule(share=st.floats(0, 1), limit=st.integers(1, 15))
    def go_to_the_past(self, share: float, limit: int) -> None:
        matching = [event for event in self.by_time(self.stored) if self.matches(event)]
        start = int(share * len(matching))
        page = matching[start : start + limit]
        floor = page[0].sort_key if page and start > 0 else None
        ceiling = page[-1].sort_key if start + limit < len(matching) else None
        self.timeline.open_at(page[::-1], floor, ceiling)
        # Where nothing is, the present is shown.
        self.pending = self.pending if page else 0
        self.still = None if self.timeline.attached else self.keys()

    @precondition(lambda self: not self.timeline.attached and not self.timeline.has_newer)
    @rule()
    def reach_the_end(self) -> None:
        if not self.timeline.frozen:
            self.timeline.join()
            self.still = None

    @rule(number=st.integers(1, 5), back=st.integers(0, 60))
    def lose_connection(self, number: int, back: int) -> None:
        since = self.gaps[number].since if number in self.gaps else at(self.clock - back)
        self.gaps[number] = Gap(number, "lost", since, recovered=len(self.stored))
        self.timeline.show_gap(self.gaps[number])
        if self.still is not None and not self.timeline.frozen:
            self.still = self.keys()

    # What must hold after each step

    @invariant()
    def rows_are_in_order_without_duplicates(self) -> None:
        keys = self.keys()
        assert all(first < second for first, second in pairwise(keys))
        for key, row in zip(keys, self.timeline.rows, strict=True):
            assert row.sort_key == key

    @invariant()
    def every_row_is_a_stored_match_or_a_gap(self) -> None:
        stored = {event.sort_key: event for event in self.stored}
        for row in self.timeline.rows:
            if isinstance(row, Gap):
                assert row.number in self.gaps
            else:
                assert stored[row.sort_key] == row
                assert self.matches(row)

    @invariant()
    def an_attached_window_holds_all_matches_from_its_floor_on(self) -> None:
        if self.timeline.attached and not self.timeline.frozen:
            floor = self.timeline.floor
            expected = [event for event in self.by_time(self.stored) if self.matches(event)]
            rows = [row for row in self.timeline.rows if isinstance(row, Event)]
            if floor is not None:
                expected = [event for event in expected if event.sort_key >= floor]
                rows = [row for row in rows if row.sort_key >= floor]
            assert rows == expected

    @invariant()
    def a_window_that_was_left_stays_as_it_is(self) -> None:
        if self.still is not None:
            assert self.keys() == self.still

    @invariant()
    def what_is_hidden_and_pending_is_counted_right(self) -> None:
        assert self.timeline.hidden == sum(not self.matches(event) for event in self.recent)
        assert self.timeline.pending == self.pending

    @invariant()
    def the_window_is_bounded(self) -> None:
        assert len(self.timeline.rows) <= 3 * self.CAPACITY + 60

    def empty(self) -> Timeline:
        return Timeline(self.CAPACITY)

    def keys(self) -> list[SortKey]:
        return [row.sort_key for row in self.timeline.rows]

    def matches(self, event: Event) -> bool:
        return self.timeline.filter.predicate()(event)

    def new(self, back: int = 0) -> Event:
        number = len(self.stored) + len(self.recent) * 1000
        self.clock += 0.5
        return make_event(
            int(self.clock * 2) * 1000 + number % 7,
            # Whole seconds, so that several events share an instant.
            inserted_at=NOON + timedelta(seconds=int(self.clock) - back),
            severity=[None, *Severity][int(self.clock * 2) % 4],
            event_type=["job.executed", "download.failed"][int(self.clock) % 2],
            metadata={"parity": "odd" if int(self.clock * 2) % 3 == 0 else "even"},
        )

    @staticmethod
    def by_time(events: Iterable[Event]) -> list[Event]:
        return sorted(events, key=lambda event: event.sort_key)


class PackedTimelineMachine(TimelineMachine):
    """The same, with hardly a row that is not packed."""

    def empty(self) -> Timeline:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(rows, "PACK", 4)
        return Timeline(self.CAPACITY, whole=3)

    def teardown(self) -> None:
        self.patch.undo()


RANDOM_USE = settings(derandomize=True, deadline=None, max_examples=120, stateful_step_count=40)
TestRandomUse = TimelineMachine.TestCase
TestRandomUse.settings = RANDOM_USE
TestRandomUseOfPackedRows = PackedTimelineMachine.TestCase
TestRandomUseOfPackedRows.settings = RANDOM_USE

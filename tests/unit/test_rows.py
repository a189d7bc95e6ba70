"""Rows stay sorted and unique, and tell where a key is."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.gaps import Gap, GapState
from monitor.model.rows import Row, Rows
from store.event import Event
from tests.events import NOON, at, make_event, make_events

NUMBERS = st.lists(st.integers(0, 30), max_size=20)


def numbers(rows: Rows) -> list[int]:
    return [row.sort_key[1] for row in rows]


def test_rows_read_like_a_list() -> None:
    rows = Rows(make_events(5))
    assert len(rows) == 5
    assert rows[1] == make_event(1)
    assert rows[-1] == make_event(4)
    assert rows[1:3] == make_events(2, start=1)
    assert make_event(3) in rows
    assert (rows.first_key, rows.last_key) == (make_event(0).sort_key, make_event(4).sort_key)


def test_no_rows_have_no_keys() -> None:
    rows = Rows()
    assert (len(rows), rows.first_key, rows.last_key) == (0, None, None)
    assert not rows.has(make_event().sort_key)
    rows.discard(make_event().sort_key)
    assert rows.evict_oldest(3) == []
    rows.prepend(make_events(2))
    assert numbers(rows) == [0, 1]


@settings(derandomize=True, deadline=None)
@given(NUMBERS, NUMBERS)
def test_rows_added_in_any_order_are_sorted_and_unique(first: list[int], second: list[int]) -> None:
    rows = Rows(map(make_event, first))
    rows.add(map(make_event, second))
    assert numbers(rows) == sorted({*first, *second})


@settings(derandomize=True, deadline=None)
@given(NUMBERS, NUMBERS)
def test_older_rows_are_put_before_the_others_or_merged_with_them(
    first: list[int], second: list[int]
) -> None:
    rows = Rows(map(make_event, first))
    rows.prepend([make_event(number) for number in sorted(set(second))])
    assert numbers(rows) == sorted({*first, *second})


@settings(derandomize=True, deadline=None)
@given(NUMBERS, st.integers(0, 30))
def test_a_key_is_found_where_it_is_or_would_be(present: list[int], wanted: int) -> None:
    rows = Rows(map(make_event, present))
    key = make_event(wanted).sort_key
    assert rows.has(key) == (wanted in present)
    assert rows.index(key) == sum(number < wanted for number in set(present))
    rows.discard(key)
    assert numbers(rows) == sorted({*present} - {wanted})


def test_a_row_with_the_key_of_another_replaces_it() -> None:
    rows = Rows(make_events(3))
    newer = make_event(1, status="newer")
    last = make_event(2, status="last")
    rows.add([newer, last])
    assert list(rows) == [make_event(0), newer, last]


def test_the_oldest_rows_are_taken_away() -> None:
    rows = Rows(make_events(5))
    assert rows.evict_oldest(2) == make_events(2)
    assert numbers(rows) == [2, 3, 4]
    assert rows.index(make_event(3).sort_key) == 1


def test_a_gap_stands_after_all_events_of_its_instant() -> None:
    largest = make_event(id=UUID(int=2**128 - 1))
    later = make_event(0, inserted_at=at(0.000001))
    gap = Gap(1, "lost", NOON)
    rows: list[Row] = list(Rows([later, gap, largest]))
    assert rows == [largest, gap, later]
    assert [isinstance(row, Event) for row in rows] == [True, False, True]


def test_gaps_of_one_instant_stand_in_the_order_of_their_numbers() -> None:
    gaps = [Gap(number, "lost", NOON) for number in range(3)]
    assert list(Rows(reversed(gaps))) == gaps


def test_a_gap_is_open_until_it_is_repaired_or_left_to_the_store() -> None:
    states = {state: Gap(1, "lost", NOON, state=state).is_open for state in GapState}
    assert states == {
        GapState.OPEN: True,
        GapState.REPAIRING: True,
        GapState.REPAIRED: False,
        GapState.LOST: False,
        GapState.NOT_LOADED: False,
    }


def test_a_gap_counts_what_was_recovered() -> None:
    assert Gap(1, "lost", NOON).recovering(3).recovering(2).recovered == 5

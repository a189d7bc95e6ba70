"""Rows stay sorted and unique, and tell where a key is."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model import rows as rows_module
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
    rows.evict_oldest(3)
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
    rows.evict_oldest(2)
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


WHOLE, PACK = 3, 4
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "add_new", "prepend", "evict_oldest", "evict_newest", "discard"]),
        st.lists(st.integers(0, 60), max_size=15),
    ),
    max_size=12,
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(CHANGES)
def test_rows_of_which_most_are_packed_are_the_same_rows(changes: list[tuple[str, list[int]]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "PACK", PACK)
        patch.setattr(rows_module, "UNPACKED_MAX", 2)
        plain, packed = Rows(), Rows(whole=WHOLE)
        for name, numbers_changed in changes:
            for rows in (plain, packed):
                change(rows, name, numbers_changed)
            assert list(packed) == list(plain)
            assert [packed[index] for index in range(len(plain))] == list(plain)
            assert packed[1:-1] == plain[1:-1]
            assert list(packed.following(2)) == plain[2:]
            assert packed.keys(0) == plain.keys(0)
            assert packed.take_touched() == plain.take_touched()


def change(rows: Rows, name: str, values: list[int]) -> None:
    """One change. Every event has a text that tells when it came, and every seventh row is a gap."""
    came = [
        Gap(value, "lost", at(value)) if value % 7 == 6 else make_event(value, status=f"{len(rows)}")
        for value in values
    ]
    match name:
        case "add":
            rows.add(came)
        case "add_new":
            rows.add_new([row for row in came if isinstance(row, Event)])
        case "prepend":
            first = rows.first_key
            unique = {row.sort_key: row for row in came if first is None or row.sort_key < first}
            rows.prepend([unique[key] for key in sorted(unique)])
        case "evict_oldest":
            rows.evict_oldest(len(values))
        case "evict_newest":
            if 0 < len(values) < len(rows):
                rows.evict_newest(len(values))
        case _:
            for row in came:
                rows.discard(row.sort_key)


def test_a_long_list_is_packed_but_for_its_newest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "PACK", PACK)
    rows = Rows(whole=WHOLE)
    events = make_events(20)
    rows.add_new(events)
    assert [row is event for row, event in zip(rows, events, strict=True)] == [False] * 16 + [True] * 4
    older = [make_event(number, inserted_at=at(-9)) for number in (1, 2)]
    rows.prepend(older)
    assert rows[:2] == older
    assert rows[0] is not older[0]
    assert rows[0] is rows[0]

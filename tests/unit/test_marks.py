"""Bookmarks and the beginning of an incident."""

from __future__ import annotations

from monitor.model.marks import Marks
from tests.events import make_event


def test_bookmarks_are_in_the_order_of_the_timeline_and_met_from_anywhere() -> None:
    marks = Marks()
    for number in (30, 10, 20):
        assert marks.toggle(make_event(number))
    assert marks.events == [make_event(10), make_event(20), make_event(30)]
    assert marks.beside(make_event(15).sort_key, 1) == make_event(20)
    assert marks.beside(make_event(15).sort_key, -1) == make_event(10)
    assert marks.beside(make_event(20).sort_key, 1) == make_event(30)
    assert marks.beside(make_event(20).sort_key, -1) == make_event(10)
    assert marks.beside(make_event(30).sort_key, 1) is None
    assert marks.beside(make_event(10).sort_key, -1) is None
    assert (marks.beside(None, 1), marks.beside(None, -1)) == (make_event(10), make_event(30))


def test_a_bookmark_is_forgotten_by_the_same_key() -> None:
    marks = Marks()
    marks.toggle(make_event(1))
    assert not marks.toggle(make_event(1))
    assert (len(marks), marks.has(make_event(1)), marks.beside(None, 1)) == (0, False, None)


def test_the_beginning_is_one_event_and_forgotten_by_the_same_key() -> None:
    marks = Marks()
    assert marks.toggle_zero(make_event(1))
    assert marks.toggle_zero(make_event(2))
    assert marks.zero == make_event(2)
    assert not marks.toggle_zero(make_event(2))
    assert marks.zero is None

"""The bounded buffer between the socket and the screen."""

from __future__ import annotations

import random

from monitor.inbox import Inbox


def test_messages_come_out_in_order_and_in_portions() -> None:
    inbox = Inbox()
    assert inbox.put([b"a", b"b"]) == 0
    assert inbox.put([b"c"]) == 0
    assert len(inbox) == 3
    assert inbox.take(2) == [b"a", b"b"]
    assert inbox.take(2) == [b"c"]
    assert inbox.take(2) == []
    assert len(inbox) == 0


def test_what_exceeds_the_count_is_dropped_and_leaves_a_hole_in_its_place() -> None:
    inbox = Inbox(max_messages=2)
    assert inbox.put([b"a", b"b", b"lost", b"lost"]) == 2
    assert inbox.take(1) == [b"a"]
    assert inbox.put([b"c", b"lost"]) == 1
    assert inbox.take(9) == [b"b"]
    assert inbox.pass_hole() == 2
    assert inbox.take(9) == [b"c"]
    assert inbox.pass_hole() == 1
    assert not inbox.has_holes
    assert len(inbox) == 0


def test_what_exceeds_the_bytes_is_dropped_while_smaller_ones_still_fit() -> None:
    inbox = Inbox(max_bytes=10)
    assert inbox.put([b"12345", b"123456", b"12345"]) == 1
    assert inbox.take(9) == [b"12345"]
    assert inbox.pass_hole() == 1
    assert inbox.take(9) == [b"12345"]


def test_room_comes_back_as_messages_are_taken() -> None:
    inbox = Inbox(max_messages=1, max_bytes=3)
    for _ in range(3):
        assert inbox.put([b"abc"]) == 0
        assert inbox.take(1) == [b"abc"]


def test_two_holes_in_one_place_are_one() -> None:
    inbox = Inbox(max_messages=0)
    inbox.mark_hole()
    inbox.put([b"lost"])
    inbox.mark_hole()
    assert inbox.has_holes
    assert inbox.pass_hole() == 1
    assert inbox.pass_hole() is None


def test_a_hole_behind_messages_is_not_passed_before_them() -> None:
    inbox = Inbox()
    inbox.put([b"a"])
    inbox.mark_hole()
    assert inbox.pass_hole() is None
    assert inbox.take(9) == [b"a"]
    assert inbox.pass_hole() == 0


def test_messages_that_are_put_back_come_next() -> None:
    inbox = Inbox()
    inbox.put([b"a", b"b", b"c"])
    inbox.mark_hole()
    taken = inbox.take(2)
    inbox.put_back(taken[1:])
    assert len(inbox) == 2
    assert inbox.take(9) == [b"b", b"c"]
    assert inbox.pass_hole() == 0


def test_it_never_holds_more_than_it_may_and_accounts_for_every_message() -> None:
    chance = random.Random(7)
    inbox = Inbox(max_messages=50, max_bytes=500)
    put = dropped = 0
    taken: list[bytes] = []
    for _ in range(2000):
        if chance.random() < 0.5:
            batch = [
                b"%d" % number * chance.randint(1, 9) for number in range(put, put + chance.randint(0, 30))
            ]
            put += len(batch)
            dropped += inbox.put(batch)
        else:
            taken.extend(inbox.take(chance.randint(1, 30)))
            inbox.pass_hole()
        assert len(inbox) <= 50
    while inbox or inbox.has_holes:
        taken.extend(inbox.take(1000))
        inbox.pass_hole()
    assert dropped > 0
    assert put == dropped + len(taken)

"""The account of a recorder: a queue with two bounds, and numbers that add up whenever one looks."""

from __future__ import annotations

import random
import threading
from dataclasses import asdict

import pytest

from store.recorder.ledger import CLOSED, QUEUE_FULL, Ledger
from store.recorder.stats import RecorderStats

EVENT = b"x" * 100


def filled(count: int, max_events: int = 1000, max_bytes: int = 1_000_000) -> Ledger:
    ledger = Ledger(max_events, max_bytes)
    for number in range(count):
        assert ledger.offer(b"%03d" % number)
    return ledger


def test_events_leave_in_the_order_in_which_they_came() -> None:
    ledger = filled(5)
    assert ledger.take(2) == [b"000", b"001"]
    assert ledger.take(10) == [b"002", b"003", b"004"]
    assert ledger.take(10) == []


def test_what_is_put_back_is_the_oldest_again() -> None:
    ledger = filled(5)
    taken = ledger.take(4)
    ledger.put_back(taken[1:])
    assert ledger.stats().balance == 0
    assert ledger.take(10) == [b"001", b"002", b"003", b"004"]


def test_a_batch_is_bounded_by_bytes_but_never_empty() -> None:
    ledger = Ledger(1000, 1_000_000)
    for size in (50, 200, 40, 50, 30):
        ledger.offer(b"x" * size)
    assert [len(ledger.take(500, 100)) for _ in range(5)] == [1, 1, 2, 1, 0]


def test_no_more_events_are_held_than_the_cap_says_queued_or_taken() -> None:
    ledger = Ledger(10, 1_000_000)
    assert [bool(ledger.offer(EVENT)) for _ in range(12)] == [True] * 10 + [False] * 2
    ledger.take(4)
    assert ledger.offer(EVENT) == 0
    ledger.settle(stored=3, freed=300)
    assert [bool(ledger.offer(EVENT)) for _ in range(4)] == [True] * 3 + [False]
    ledger.settle(duplicates=1, freed=100)
    assert ledger.offer(EVENT)
    assert ledger.stats().dropped == {QUEUE_FULL: 4}
    assert ledger.stats().balance == 0


def test_no_more_bytes_are_held_than_the_cap_says_queued_or_taken() -> None:
    ledger = Ledger(1000, 1000)
    assert ledger.offer(b"x" * 1001) == 0
    assert [bool(ledger.offer(EVENT)) for _ in range(11)] == [True] * 10 + [False]
    assert len(ledger.take(2)) == 2
    assert ledger.offer(EVENT) == 0
    ledger.spool(2, 200)
    assert ledger.offer(b"x" * 201) == 0
    assert ledger.offer(b"x" * 200)
    # What was on disk frees nothing when it is stored.
    ledger.settle(stored=2, spooled=2)
    assert ledger.offer(b"x") == 0
    assert ledger.stats().balance == 0


def test_large_events_take_more_places_than_small_ones() -> None:
    ledger = Ledger(100, 1000)
    assert ledger.offer(b"x") == 1
    assert ledger.offer(b"x" * 499) == ledger.places == 50
    assert ledger.half == 50
    ledger.take(1)
    assert ledger.places == 49


def test_a_closed_ledger_takes_nothing_and_counts_it() -> None:
    ledger = filled(3)
    ledger.close()
    assert ledger.offer(EVENT) == 0
    assert ledger.lost == 0
    ledger.drop_queue()
    assert ledger.lost == 3
    stats = ledger.stats()
    assert (stats.accepted, stats.queued, stats.dropped, stats.balance) == (4, 0, {CLOSED: 4}, 0)


def test_the_goal_of_a_flush_is_reached_when_what_came_before_has_left_the_memory() -> None:
    ledger = filled(3)
    goal = ledger.goal
    ledger.offer(EVENT)
    taken = ledger.take(3)
    assert ledger.left < goal
    ledger.put_back(taken[1:])
    ledger.spool(1, 3)
    assert ledger.left < goal
    ledger.take(2)
    ledger.settle(stored=2, freed=6)
    assert ledger.left == goal
    assert len(ledger) == 1


def test_every_change_keeps_the_balance() -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    ledger = Ledger(50, 2000)
    held: list[bytes] = []
    spooled = 0
    for step in range(5000):
        match rng.randrange(9):
            case 0 | 1 | 2:
                ledger.offer(b"x" * rng.randint(1, 100))
            case 3:
                ledger.refuse("reason")
            case 4:
                held += ledger.take(rng.randint(0, 20), rng.randint(1, 1000))
            case 5 if held:
                back = held[-rng.randint(1, len(held)) :]
                ledger.put_back(back)
                del held[-len(back) :]
            case 6 if held:
                gone, held = held, []
                kinds = [rng.randrange(4) for _ in gone]
                ledger.settle(
                    stored=kinds.count(0),
                    duplicates=kinds.count(1),
                    dead_lettered=kinds.count(2),
                    dropped=kinds.count(3),
                    reason="gone",
                    freed=sum(map(len, gone)),
                )
            case 7 if held:
                ledger.spool(1, len(held.pop(0)))
                spooled += 1
            case 8 if spooled:
                ledger.settle(stored=spooled, spooled=spooled)
                spooled = 0
            case _:
                ledger.recover(1)
                ledger.settle(dropped=1, reason="unreadable", spooled=1)
        stats = ledger.stats()
        numbers = [value for value in asdict(stats).values() if isinstance(value, int)]
        assert stats.balance == 0, f"seed {seed}, step {step}: {stats}"
        assert min(numbers) >= 0, f"seed {seed}, step {step}: {stats}"
        assert stats.queued <= 50, f"seed {seed}, step {step}: {stats}"
        assert stats.spooled == spooled, f"seed {seed}, step {step}: {stats}"


def test_the_balance_is_what_is_not_accounted_for() -> None:
    stats = asdict(filled(3).stats())
    assert RecorderStats(**stats).balance == 0
    for name in ("accepted", "recovered"):
        assert RecorderStats(**{**stats, name: stats[name] + 1}).balance == 1
    for name in ("queued", "spooled", "stored", "duplicates", "dead_lettered"):
        assert RecorderStats(**{**stats, name: stats[name] + 1}).balance == -1
    assert RecorderStats(**{**stats, "dropped": {"a": 1, "b": 2}}).balance == -3


@pytest.mark.parametrize("kind", ["offer", "refuse"])
def test_threads_that_offer_and_refuse_lose_no_count(kind: str) -> None:
    ledger = Ledger(1_000_000, 10**9)

    def run() -> None:
        for _ in range(5000):
            ledger.offer(EVENT) if kind == "offer" else ledger.refuse("reason")

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert ledger.stats().balance == 0
    assert ledger.stats().accepted == 40_000

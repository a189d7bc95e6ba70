"""Which announcements were missed, and which of them the store accounts for."""

from __future__ import annotations

import pytest

from monitor.model.announcements import Announcements


def test_missed_announcements_are_counted_by_producer() -> None:
    announcements = Announcements()
    spoken = [
        ("a", 5, 0),
        ("a", 6, 0),
        ("b", 1, 0),
        ("a", 9, 2),
        ("b", 2, 0),
        ("a", 10, 0),
        ("c", 0, 0),
        ("c", 2, 1),
    ]
    for producer, sequence, missed in spoken:
        assert announcements.heard(producer, sequence) == missed, (producer, sequence)


def test_an_announcement_heard_again_or_late_misses_nothing() -> None:
    announcements = Announcements()
    announcements.heard("a", 5)
    assert announcements.heard("a", 9) == 3
    assert [announcements.heard("a", sequence) for sequence in (9, 7, 5, 10)] == [0, 0, 0, 0]


def test_after_forgetting_every_producer_is_new() -> None:
    announcements = Announcements()
    announcements.heard("a", 5)
    announcements.forget()
    assert announcements.heard("a", 500) == 0
    assert announcements.heard("a", 502) == 1


def test_the_producers_not_heard_for_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Announcements, "MAX_PRODUCERS", 3)
    announcements = Announcements()
    for producer in "abc":
        announcements.heard(producer, 1)
    announcements.heard("a", 2)
    announcements.heard("d", 1)
    assert announcements.heard("a", 4) == 1
    assert announcements.heard("b", 9) == 0


def test_commits_that_nobody_announced_account_for_what_was_missed() -> None:
    announcements = Announcements()
    announcements.heard("a", 1, 10)
    assert announcements.heard("a", 5, 14) == 3
    for position in (11, 12, 13):
        announcements.stored(position)
    assert announcements.settle(14) == 0


def test_what_the_store_does_not_have_is_lost_and_told_once() -> None:
    announcements = Announcements()
    announcements.heard("a", 1, 10)
    announcements.heard("a", 5, 14)
    announcements.stored(12)
    assert announcements.settle(14) == 2
    assert announcements.settle(14) == 0


def test_commits_from_elsewhere_and_from_before_account_for_nothing() -> None:
    announcements = Announcements()
    for position in (3, 4, 5, 20):
        announcements.stored(position)
    announcements.heard("a", 1, 10)
    announcements.heard("a", 3, 14)
    assert announcements.settle(30) == 1


def test_a_commit_accounts_for_one_announcement_only() -> None:
    announcements = Announcements()
    announcements.heard("a", 1, 10)
    announcements.heard("b", 1, 11)
    announcements.heard("a", 3, 14)
    announcements.heard("b", 3, 15)
    announcements.stored(12)
    assert announcements.settle(15) == 1


def test_a_commit_that_was_announced_late_accounts_for_nothing() -> None:
    announcements = Announcements()
    announcements.stored(12)
    announcements.announced(12)
    announcements.heard("a", 1, 10)
    announcements.heard("a", 3, 14)
    assert announcements.settle(14) == 1


def test_what_the_store_was_not_asked_for_yet_is_not_given_up() -> None:
    announcements = Announcements()
    announcements.heard("a", 1, 10)
    announcements.heard("a", 3, 14)
    assert announcements.settle(13) == 0
    announcements.stored(12)
    assert announcements.settle(14) == 0


def test_of_events_without_a_position_nothing_is_claimed_to_be_lost() -> None:
    announcements = Announcements()
    announcements.heard("a", 1, None)
    assert announcements.heard("a", 9, None) == 7
    assert announcements.heard("a", 12, 40) == 2
    assert announcements.settle(100) == 0

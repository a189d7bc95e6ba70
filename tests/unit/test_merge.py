"""What is new, what is known, and what a frame brings."""

from __future__ import annotations

from monitor.merge import MAX_UNCONFIRMED, Merge
from monitor.model.arrivals import FeedStatus, Opening
from monitor.model.catching_up import Seen
from store.event import Event
from store.wire import Announcement

STATUS = FeedStatus()


def stored(position: int) -> Event:
    return Event(event_type="job.completed", position=position)


def opening(*newest: Event) -> Opening:
    return Opening(newest, (), (), has_older=False)


def test_an_event_is_new_once_whichever_way_it_comes_first() -> None:
    merge = Merge()
    one, two = stored(1), stored(2)
    assert merge.fold(one, Seen.BUS, 0.0)
    assert not merge.fold(one, Seen.STORE, 0.0)
    assert merge.fold(two, Seen.STORE, 0.0)
    assert not merge.fold(two, Seen.BUS, 0.0)
    assert merge.position == 2
    arrivals = merge.take(STATUS, ())
    assert arrivals.events == (one, two)
    assert (arrivals.tally.received, arrivals.tally.duplicates) == (2, 0)


def test_what_waits_for_the_frame_and_is_in_the_opening_is_not_counted_twice() -> None:
    merge = Merge()
    inside, after, bare = stored(5), stored(11), Event(event_type="job.failed")
    for event in (inside, after, bare):
        merge.fold(event, Seen.BUS, 0.0)
    merge.open_with(opening(inside), [inside], position=10, overlap=0)
    arrivals = merge.take(STATUS, ())
    assert arrivals.events == (after, bare)
    assert arrivals.tally.received == 2
    assert arrivals.unconfirmed == {bare.id}


def test_commits_before_the_opening_are_not_new_and_those_after_it_are() -> None:
    merge = Merge()
    merge.open_with(opening(), [], position=10, overlap=0)
    assert not merge.fold(stored(10), Seen.BUS, 0.0)
    assert merge.fold(stored(11), Seen.BUS, 0.0)


def test_a_commit_within_the_overlap_of_the_opening_may_still_be_new() -> None:
    merge = Merge()
    known = stored(9)
    merge.open_with(opening(known), [known], position=10, overlap=3)
    assert not merge.fold(known, Seen.STORE, 0.0)
    assert merge.fold(stored(8), Seen.STORE, 0.0)
    assert not merge.fold(stored(7), Seen.STORE, 0.0)


def test_lost_announcements_leave_a_hole_unless_their_commits_were_seen() -> None:
    merge = Merge()
    merge.open_with(opening(), [], position=10, overlap=0)
    assert not merge.leaves_hole(Announcement(stored(11), "app", 1))
    assert not merge.leaves_hole(Announcement(stored(11), "app", 4))
    assert merge.leaves_hole(Announcement(stored(12), "app", 6))
    assert merge.leaves_hole(Announcement(Event(event_type="job.failed"), "app", 9))
    assert not merge.leaves_hole(Announcement(stored(20), None, None))
    assert merge.take(STATUS, ()).tally.missed == 2 + 1 + 2


def test_only_so_many_unconfirmed_events_are_looked_up_and_all_are_marked() -> None:
    merge = Merge()
    for _ in range(MAX_UNCONFIRMED + 5):
        merge.fold(Event(event_type="job.failed"), Seen.BUS, 0.0)
    assert len(merge.unconfirmed) == MAX_UNCONFIRMED
    assert len(merge.take(STATUS, ()).unconfirmed) == MAX_UNCONFIRMED + 5


def test_unconfirmed_events_become_overdue_by_age() -> None:
    merge = Merge()
    early, late = Event(event_type="job.failed"), Event(event_type="job.failed")
    merge.fold(early, Seen.BUS, 1.0)
    merge.fold(late, Seen.BUS, 2.0)
    merge.overdue(1.5)
    assert merge.take(STATUS, ()).missing == (early.id,)
    merge.fold(late, Seen.STORE, 3.0)
    merge.overdue(9.0)
    arrivals = merge.take(STATUS, ())
    assert (arrivals.confirmed, arrivals.missing) == ((late.id,), ())


def test_a_frame_that_was_taken_leaves_no_news() -> None:
    merge = Merge()
    assert not merge.has_news
    merge.count(dropped=1)
    assert merge.has_news
    assert merge.take(STATUS, ()).tally.dropped == 1
    assert not merge.has_news

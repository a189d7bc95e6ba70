"""What is new, what is known, and what a frame brings."""

from __future__ import annotations

from pydantic import SecretStr

from monitor.confirmations import MAX_UNCONFIRMED
from monitor.merge import EXCERPT_BYTES, REFUSALS_MAX, Merge
from monitor.model.arrivals import Correction, FeedStatus, Opening
from store.event import Event
from store.signing import Signer
from store.wire import Announcement, encode

STATUS = FeedStatus()


def stored(position: int) -> Event:
    return Event(event_type="job.completed", position=position)


def heard(merge: Merge, event: Event, moment: float = 0.0) -> bool:
    """What a message that nobody signed says of `event`."""
    return merge.heard(Announcement(event, None, None), encode(event), moment)


def signed(event: Event, key: str = "a key of enough bytes") -> bytes:
    return Signer(SecretStr(key)).sign(encode(event))


def opening(*newest: Event) -> Opening:
    return Opening(newest, (), (), has_older=False)


def test_an_event_is_new_once_whichever_way_it_comes_first() -> None:
    merge = Merge()
    one, two = stored(1), stored(2)
    assert heard(merge, one, 0.0)
    assert not merge.stored(one)
    assert merge.stored(two)
    assert not heard(merge, two, 0.0)
    assert merge.position == 2
    arrivals = merge.take(STATUS, ())
    assert arrivals.events == (one, two)
    assert (arrivals.tally.received, arrivals.tally.duplicates) == (2, 0)


def test_what_waits_for_the_frame_and_is_in_the_opening_is_not_counted_twice() -> None:
    merge = Merge()
    inside, after, bare = stored(5), stored(11), Event(event_type="job.failed")
    for event in (inside, after, bare):
        heard(merge, event, 0.0)
    merge.open_with(opening(inside), [inside], position=10, overlap=0)
    arrivals = merge.take(STATUS, ())
    assert arrivals.events == (after, bare)
    assert arrivals.tally.received == 2
    assert arrivals.unconfirmed == {bare.id}


def test_commits_before_the_opening_are_not_new_and_those_after_it_are() -> None:
    merge = Merge()
    merge.open_with(opening(), [], position=10, overlap=0)
    assert not heard(merge, stored(10), 0.0)
    assert heard(merge, stored(11), 0.0)


def test_a_commit_within_the_overlap_of_the_opening_may_still_be_new() -> None:
    merge = Merge()
    known = stored(9)
    merge.open_with(opening(known), [known], position=10, overlap=3)
    assert not merge.stored(known)
    assert merge.stored(stored(8))
    assert not merge.stored(stored(7))


def test_lost_announcements_leave_a_hole_unless_their_commits_were_seen() -> None:
    merge = Merge()
    merge.open_with(opening(), [], position=10, overlap=0)
    said = [
        (Announcement(stored(11), "app", 1), (0, False)),
        (Announcement(stored(11), "app", 4), (2, False)),
        (Announcement(stored(12), "app", 6), (1, True)),
        (Announcement(Event(event_type="job.failed"), "app", 9), (2, True)),
        (Announcement(stored(20), None, None), (0, False)),
    ]
    assert [merge.missed_before(announcement) for announcement, _ in said] == [
        expected for _, expected in said
    ]
    arrivals = merge.take(STATUS, ())
    assert arrivals.tally.missed == 2 + 1 + 2
    assert [producer for producer, _ in arrivals.heard] == ["app"]


def test_missed_announcements_that_the_store_does_not_account_for_are_lost() -> None:
    merge = Merge()
    merge.open_with(opening(), [], position=10, overlap=0)
    merge.missed_before(Announcement(stored(11), "app", 1))
    heard(merge, stored(11))
    merge.missed_before(Announcement(stored(15), "app", 5))
    merge.stored(stored(13))
    merge.read_up_to(15, keep=10)
    assert merge.settle() == 2
    assert merge.take(STATUS, ()).tally.lost == 2


def test_a_claim_to_be_stored_is_believed_until_it_is_looked_at() -> None:
    merge = Merge()
    merge.open_with(opening(), [], position=10, overlap=0)
    true, false = stored(11), stored(12)
    heard(merge, true, 1.0)
    heard(merge, false, 1.0)
    assert merge.take(STATUS, ()).unconfirmed == frozenset()
    assert merge.claims == [(11, true.id), (12, false.id)]
    merge.judge([11, 12], {11})
    assert merge.take(STATUS, ()).unconfirmed == {false.id}
    assert list(merge.unconfirmed) == [false.id]
    assert not merge.claims
    merge.overdue(2.0)
    assert merge.take(STATUS, ()).missing == (false.id,)


def test_a_commit_that_the_store_told_of_need_not_be_looked_at() -> None:
    merge = Merge()
    event = stored(1)
    heard(merge, event)
    merge.stored(event)
    assert not merge.claims
    other = stored(2)
    heard(merge, other)
    merge.stored(stored(2))
    assert merge.claims == [(2, other.id)]


def test_what_the_store_has_takes_the_place_of_what_was_told_in_its_name() -> None:
    merge = Merge()
    true = stored(3)
    told = Event.model_validate({**true.model_dump(), "status": "failed", "position": None})
    heard(merge, told)
    merge.stored(true)
    arrivals = merge.take(STATUS, ())
    assert arrivals.corrections == (Correction(told.sort_key, true),)
    assert arrivals.confirmed == (true.id,)
    assert arrivals.tally.altered == 1


def test_only_what_is_signed_is_believed_where_signatures_are_asked_for() -> None:
    merge = Merge(Signer(SecretStr("a key of enough bytes")))
    events = [stored(1), stored(2), stored(3)]
    payloads = [signed(events[0]), encode(events[1]), signed(events[2], "another key of 24 bytes")]
    for event, payload in zip(events, payloads, strict=True):
        merge.heard(Announcement(event, None, None), payload, 0.0)
    arrivals = merge.take(STATUS, ())
    assert arrivals.unconfirmed == {events[1].id, events[2].id}
    assert (arrivals.tally.unsigned, arrivals.tally.forged) == (1, 1)
    assert not merge.claims


def test_a_message_that_is_no_event_is_counted_and_kept_with_the_reason() -> None:
    merge = Merge()
    assert merge.decode(b"x" * 1000) is None
    assert merge.decode(b'{"event_type":1}') is None
    arrivals = merge.take(STATUS, ())
    assert arrivals.tally.malformed == 2
    first, second = arrivals.refusals
    assert (first.size, len(first.excerpt)) == (1000, EXCERPT_BYTES)
    assert second.reason.startswith("event_type: ")
    for _ in range(REFUSALS_MAX + 5):
        merge.decode(b"")
    arrivals = merge.take(STATUS, ())
    assert (arrivals.tally.malformed, len(arrivals.refusals)) == (REFUSALS_MAX + 7, REFUSALS_MAX)


def test_only_so_many_unconfirmed_events_are_looked_up_and_all_are_marked() -> None:
    merge = Merge()
    for _ in range(MAX_UNCONFIRMED + 5):
        heard(merge, Event(event_type="job.failed"), 0.0)
    assert len(merge.unconfirmed) == MAX_UNCONFIRMED
    assert len(merge.take(STATUS, ()).unconfirmed) == MAX_UNCONFIRMED + 5


def test_unconfirmed_events_become_overdue_by_age() -> None:
    merge = Merge()
    early, late = Event(event_type="job.failed"), Event(event_type="job.failed")
    heard(merge, early, 1.0)
    heard(merge, late, 2.0)
    merge.overdue(1.5)
    assert merge.take(STATUS, ()).missing == (early.id,)
    merge.stored(late)
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

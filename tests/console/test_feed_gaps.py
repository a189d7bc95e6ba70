"""The feed when announcements are lost: what is missing is found, and said."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from monitor.feed import FeedOptions
from monitor.inbox import Inbox
from monitor.model.arrivals import Link
from monitor.model.gaps import GapState
from store import wire
from store.event import Event
from store.signing import Signer
from tests.application import NO_POLL, Application, application, downloads, live
from tests.waiting import until


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Application]:
    async with application(tmp_path / "events.db") as running:
        yield running


async def test_commits_that_were_not_announced_are_found_without_a_gap_row(store: Application) -> None:
    async with live(store, FeedOptions()) as watch:
        missed = await store.create_unannounced(3)
        await until(lambda: len(watch.events) == 3)
        assert watch.ids >= {event.id for event in missed}
        assert watch.tally.recovered == 3
        assert not watch.gaps


async def test_a_jump_in_a_sequence_is_a_gap_that_is_repaired_at_once_and_in_order(
    store: Application,
) -> None:
    async with live(store, NO_POLL) as watch:
        events = await store.create_unannounced(6)
        for sequence in (1, 5, 6):
            store.bus.publish(wire.encode(events[sequence - 1], "worker", sequence))
        await until(lambda: len(watch.events) == 6)
        await until(lambda: watch.is_live)
        assert [event.id for event in watch.events] == [event.id for event in events]
        (gap,) = watch.last_gaps
        assert gap.state is GapState.REPAIRED
        assert gap.until is not None
        assert gap.until >= gap.since
        assert watch.tally.missed == 3
        assert gap.recovered >= 3
        assert watch.tally.duplicates == 0


async def test_lost_announcements_of_events_that_were_seen_are_counted_and_no_gap(store: Application) -> None:
    async with live(store) as watch:
        events = await store.create_unannounced(5)
        await until(lambda: len(watch.events) == 5)
        (last,) = await store.create_unannounced(1)
        store.bus.publish(wire.encode(events[0], "worker", 1))
        store.bus.publish(wire.encode(last, "worker", 6))
        await until(lambda: len(watch.events) == 6)
        await until(lambda: watch.tally.missed == 4)
        assert not watch.gaps


async def test_announcements_whose_events_the_store_does_not_have_are_told_as_lost(
    store: Application,
) -> None:
    async with live(store, NO_POLL) as watch:
        events = await store.create_unannounced(6)
        store.bus.publish(wire.encode(events[0], "worker", 1))
        store.bus.publish(wire.encode(events[5], "worker", 9))
        await until(lambda: len(watch.events) == 6)
        await until(lambda: watch.is_live)
        (gap,) = watch.last_gaps
        assert (gap.state, gap.missed, gap.lost) == (GapState.LOST, 7, 3)
        assert gap.recovered >= 4
        assert watch.tally.lost == 3


async def test_a_loss_that_leaves_no_hole_is_told_all_the_same(store: Application) -> None:
    async with live(store, FeedOptions(frame=0.01, safety_poll=0.05)) as watch:
        events = await store.create_unannounced(3)
        await until(lambda: len(watch.events) == 3)
        store.bus.publish(wire.encode(events[0], "worker", 1))
        store.bus.publish(wire.encode(events[2], "worker", 5))
        await until(lambda: watch.gaps)
        (gap,) = watch.last_gaps
        assert (gap.state, gap.lost) == (GapState.LOST, 2)


async def test_a_place_in_the_store_that_a_message_claims_is_looked_at(store: Application) -> None:
    options = FeedOptions(frame=0.01, safety_poll=0.05, confirm_within=0.3)
    async with live(store, options) as watch:
        (true,) = await store.create(1)
        assert true.position is not None
        lies = [
            Event(event_type="job.failed", position=true.position),
            Event(event_type="job.failed", position=2**40),
            Event(event_type="job.failed", position=2**62),
        ]
        for lie in lies:
            store.bus.publish(wire.encode(lie))
        await until(lambda: watch.unconfirmed == {lie.id for lie in lies})
        await until(lambda: set(watch.missing) == {lie.id for lie in lies})
        (later,) = await store.create(1)
        await until(lambda: watch.events[-1].id == later.id)
        await until(lambda: store.reader.asked.count("holding") > 3)
        assert watch.unconfirmed == {lie.id for lie in lies}


async def test_only_what_is_signed_is_believed_before_the_store_confirms_it(store: Application) -> None:
    signer = Signer(SecretStr("a key of enough bytes"))
    options = FeedOptions(frame=0.01, safety_poll=0.05, confirm_within=60.0)
    async with live(store, options, signer=signer) as watch:
        events = await store.create_unannounced(3)
        signed, unsigned, wrong = (wire.encode(event) for event in events)
        store.bus.publish(signer.sign(signed))
        store.bus.publish(unsigned)
        store.bus.publish(Signer(SecretStr("another key of 24 bytes")).sign(wrong))
        await until(lambda: (watch.tally.unsigned, watch.tally.forged) == (1, 1))
        assert watch.unconfirmed == {event.id for event in events[1:]}
        await until(lambda: set(watch.confirmed) == {event.id for event in events[1:]})
        assert len(watch.events) == 3


async def test_what_the_store_has_is_shown_in_place_of_what_was_told_in_its_name(store: Application) -> None:
    async with live(store, FeedOptions(frame=0.01, safety_poll=0.05, confirm_within=60.0)) as watch:
        told = Event(event_type="job.completed", status="completed")
        true = Event.model_validate({**told.model_dump(), "status": "failed"})
        store.bus.publish(wire.encode(told))
        await until(lambda: watch.unconfirmed)
        await store.quiet.create(true)
        await until(lambda: watch.tally.altered == 1)
        corrections = [correction for frame in watch.frames for correction in frame.corrections]
        assert [(c.key, c.event.status) for c in corrections] == [(told.sort_key, "failed")]


async def test_a_producer_that_counts_wrongly_does_not_slow_the_stream(store: Application) -> None:
    async with live(store, FeedOptions(frame=0.05)) as watch:
        for number, event in enumerate(downloads(400)):
            store.bus.publish(wire.encode(event, "worker", 1000 * number))
        await until(lambda: len(watch.events) == 400)
        assert watch.tally.missed == 399 * 999
        await until(lambda: watch.is_live)


async def test_what_does_not_fit_the_buffer_is_read_from_the_store(store: Application) -> None:
    async with live(store, NO_POLL, inbox=Inbox(max_messages=100)) as watch:
        created = await store.create(1000)
        later = await store.create(10)
        await until(lambda: len(watch.events) == 1010)
        await until(lambda: watch.is_live)
        assert [event.id for event in watch.events] == [event.id for event in (*created, *later)]
        assert watch.tally.dropped >= 900
        (gap,) = watch.last_gaps
        assert (gap.state, gap.cause) == (GapState.REPAIRED, "buffer overflow")
        assert gap.recovered >= 900
        assert watch.tally.missed == 0


async def test_a_gap_stays_open_until_the_place_of_the_loss_is_reached(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.intake.CHUNK", 5)
    monkeypatch.setattr("monitor.feed.FOLDING", 0.0)
    async with live(store, inbox=Inbox(max_messages=100)) as watch:
        asked = store.reader.asked.count("last_position")
        await store.create(300)
        await until(lambda: watch.gaps)
        await until(lambda: len(watch.events) == 300)
        await until(lambda: watch.is_live)
        # The store was looked at while messages from before the loss still waited.
        assert store.reader.asked.count("last_position") > asked + 1
        (gap,) = watch.last_gaps
        assert (gap.state, gap.recovered) == (GapState.REPAIRED, 200)


async def test_rows_that_are_no_events_do_not_end_a_catch_up_early(
    store: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catch_up.PAGE", 10)
    async with live(store, NO_POLL) as watch:
        store.bus.disconnect("gone")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(95)
        bad = "position = 5 OR position BETWEEN 21 AND 45 OR position BETWEEN 90 AND 95"
        store.write_rows(f"UPDATE events SET event_type = 'NO EVENT' WHERE {bad}")
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        assert len(watch.events) == 95 - 32
        assert watch.tally.unreadable >= 32
        assert watch.last_gaps[-1].recovered == 95 - 32
        await store.create(1)
        await until(lambda: len(watch.events) == 96 - 32)


async def test_commits_that_become_visible_late_are_found_by_reading_an_overlap(store: Application) -> None:
    """As with a database whose transactions may commit in another order than their positions."""
    store.reader.commit_overlap = 10
    await store.create(6)
    store.write_rows("CREATE TABLE late AS SELECT * FROM events WHERE position = 3")
    store.write_rows("DELETE FROM events WHERE position = 3")
    store.write_rows("UPDATE event_rollups SET count = 5")
    async with live(store) as watch:
        assert watch.counted == 5
        store.write_rows("INSERT INTO events SELECT * FROM late")
        await store.create_unannounced(1)
        await until(lambda: len(watch.events) == 2)
        assert watch.counted == 7
        assert sorted(event.position or 0 for event in watch.events) == [3, 7]


async def test_after_missing_too_much_the_feed_starts_over_and_says_how_much_it_left_out(
    store: Application,
) -> None:
    options = FeedOptions(frame=0.01, safety_poll=60.0, poll=60.0, catch_up_limit=100)
    await store.create(10)
    async with live(store, options) as watch:
        await store.create(5)
        await until(lambda: len(watch.events) == 5)
        store.bus.disconnect("gone for long")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(900)
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        assert len(watch.openings) == 2
        (gap,) = watch.last_gaps
        assert (gap.state, gap.left_out) == (GapState.NOT_LOADED, 900 - 500)
        await store.create(3)
        await until(lambda: len(watch.events) == 8)
        assert watch.counted == await store.count() == 918


async def test_starting_over_during_an_outage_keeps_the_gap_open_until_live_again(store: Application) -> None:
    options = FeedOptions(frame=0.01, safety_poll=0.1, poll=0.02, catch_up_limit=100)
    async with live(store, options) as watch:
        store.bus.disconnect("gone for long")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(700)
        await until(lambda: len(watch.openings) == 2)
        await store.create(2)
        await until(lambda: watch.counted == 702)
        assert watch.last_gaps[0].state is GapState.OPEN
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        (gap,) = watch.last_gaps
        assert (gap.state, gap.left_out, gap.recovered) == (GapState.NOT_LOADED, 200, 2)


async def test_falling_far_behind_without_any_outage_is_a_gap_of_its_own(store: Application) -> None:
    options = FeedOptions(frame=0.01, safety_poll=0.1, poll=0.02, catch_up_limit=100)
    async with live(store, options) as watch:
        await store.create_unannounced(800)
        await until(lambda: len(watch.openings) == 2)
        await until(lambda: watch.is_live)
        assert [(gap.state, gap.left_out) for gap in watch.last_gaps] == [(GapState.NOT_LOADED, 300)]
        assert watch.counted == 800


async def test_starting_over_keeps_what_only_the_bus_told_of(store: Application) -> None:
    options = FeedOptions(frame=0.05, safety_poll=60.0, poll=60.0, catch_up_limit=100)
    bare = Event(event_type="job.failed")

    async def while_reading() -> None:
        store.bus.publish(wire.encode(bare))

    async with live(store, options) as watch:
        store.bus.disconnect("gone for long")
        await until(lambda: watch.status.link is Link.RECONNECTING)
        await store.create(300)
        store.reader.after_["overview"] = while_reading
        store.bus.reconnect()
        await until(lambda: watch.is_live)
        await until(lambda: bare.id in watch.ids)
        assert bare.id in watch.unconfirmed
        assert watch.counted == 301


async def test_a_store_that_was_cleared_is_opened_anew(store: Application) -> None:
    await store.create(30)
    async with live(store) as watch:
        await store.quiet.repository.clear()
        await store.create(2)
        await until(lambda: len(watch.openings) == 2)
        await until(lambda: watch.is_live and watch.counted == 2)
        await store.create(3)
        await until(lambda: watch.counted == 5)
        assert [gap.cause for gap in watch.last_gaps] == ["the store was replaced"]


async def test_commits_that_are_announced_while_the_store_is_looked_at_do_not_make_it_another_store(
    store: Application,
) -> None:
    await store.create(3)
    async with live(store) as watch:

        async def announce_meanwhile() -> None:
            await store.create(5)
            await until(lambda: len(watch.events) == 5)

        store.reader.after_["last_position"] = announce_meanwhile
        await until(lambda: len(watch.events) == 5)
        asked = len(store.reader.asked)
        await until(lambda: store.reader.asked[asked:].count("last_position") >= 3)
        assert len(watch.openings) == 1
        assert not watch.gaps


async def test_a_position_that_only_a_message_claims_hides_no_commit(store: Application) -> None:
    (last,) = await store.create(1)
    async with live(store) as watch:
        claimed = Event(event_type="job.failed", position=(last.position or 0) + 1)
        store.bus.publish(wire.encode(claimed))
        await until(lambda: len(watch.events) == 1)
        asked = len(store.reader.asked)
        await until(lambda: store.reader.asked[asked:].count("last_position") >= 2)
        (stored,) = await store.create_unannounced(1)
        assert stored.position == claimed.position
        await until(lambda: stored.id in watch.ids)
        assert len(watch.openings) == 1
        assert not watch.gaps

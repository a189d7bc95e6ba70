"""Dead letters tried again: what is admitted now is stored once, what is not stays."""

from __future__ import annotations

from typing import Any

import pytest

from store.database import Database
from store.dead_letters import PAYLOAD_MAX, DeadLetter
from store.events import EventStore
from store.memory_bus import MemoryBus
from store.retrying import Retried, retry
from store.taxonomy import EventType, Taxonomy, activate
from store.wire import encode
from tests.events import at, make_event, make_events
from tests.store.test_append import refuse_by_trigger
from tests.store.test_event_store import subscribed


@pytest.fixture
def store(database: Database) -> EventStore:
    return EventStore(database)


def letter(payload: bytes, **fields: Any) -> DeadLetter:
    return DeadLetter(reason="refused", payload=payload.decode(), **fields)


async def retried(store: EventStore) -> Retried:
    return await retry(store, await store.dead_letters.oldest())


async def test_what_is_admitted_is_stored_announced_and_removed(database: Database) -> None:
    bus = MemoryBus()
    store = EventStore(database, bus)
    events = make_events(3)
    await store.dead_letters.add([letter(encode(event)) for event in events])
    async with subscribed(bus) as subscription:
        assert await retried(store) == Retried(stored=3)
        announced = await subscription.announcements(3)
    assert [item.event.id for item in announced] == [event.id for event in events]
    assert [event.id for event in await store.list_events()] == [event.id for event in reversed(events)]
    assert await store.dead_letters.count() == 0


async def test_what_is_refused_again_stays_with_the_new_reason(store: EventStore) -> None:
    await store.dead_letters.add(
        [
            letter(b'{"event_type":"A"}'),
            letter(b"{"),
            letter(b"[" * 10_000),
            letter(b'{"event_type":"playback.started"}'),
            letter(b'{"event_type":"a.b","metadata":{"x":"' + b"y" * PAYLOAD_MAX + b'"}}'),
            letter(encode(make_event(1))),
        ]
    )
    before = await store.dead_letters.oldest()
    outcome = await retried(store)
    assert outcome.stored == 1
    assert [number for number, _ in outcome.kept] == [kept.id for kept in before[:5]]
    for (_, reason), said in zip(
        outcome.kept,
        ["event_type: ", "Invalid JSON", "Invalid JSON", "requires a resource id", "was cut off"],
        strict=True,
    ):
        assert said in reason
        assert reason.isprintable()
    assert await store.dead_letters.oldest() == before[:5]


async def test_another_taxonomy_may_admit_what_was_refused(store: EventStore) -> None:
    await store.dead_letters.add([letter(encode(make_event(1, event_type="a.b")))])
    try:
        activate(Taxonomy((), strict=True))
        assert len((await retried(store)).kept) == 1
        activate(Taxonomy((EventType.assumed("a.b"),), strict=True))
        assert await retried(store) == Retried(stored=1)
    finally:
        activate(Taxonomy.shipped())


async def test_a_retry_that_was_cut_short_can_be_repeated(store: EventStore) -> None:
    letters = [letter(encode(make_event(1))), letter(b'{"event_type":"a.b"}', failed_at=at(0))]
    await store.dead_letters.add(letters)
    kept = await store.dead_letters.oldest()
    assert await retry(store, kept) == Retried(stored=2)
    # As if it had ended before the letters were removed.
    assert await retry(store, kept) == Retried(duplicates=2)
    assert await store.count() == 2


async def test_a_letter_that_was_never_stored_is_refused_before_anything_is_done(store: EventStore) -> None:
    await store.dead_letters.add([letter(encode(make_event(1)))])
    with pytest.raises(ValueError, match="never stored"):
        await retry(store, [*await store.dead_letters.oldest(), letter(encode(make_event(2)))])
    assert (await store.count(), await store.dead_letters.count()) == (0, 1)


async def test_a_payload_without_id_and_time_gets_those_of_its_letter(store: EventStore) -> None:
    known = make_event(7).id
    await store.dead_letters.add(
        [
            letter(b'{"event_type":"a.b"}', event_id=known, failed_at=at(5)),
            letter(b'{"event_type":"a.b"}', failed_at=at(6)),
        ]
    )
    await retried(store)
    newest, oldest = await store.list_events()
    assert (oldest.id, oldest.inserted_at, newest.inserted_at) == (known, at(5), at(6))
    assert newest.id.version == 7


async def test_what_the_database_refuses_stays_alone(own_database: Database) -> None:
    store = EventStore(own_database)
    await store.dead_letters.add(
        [letter(encode(make_event(number, status="poison" if number == 5 else None))) for number in range(9)]
    )
    await refuse_by_trigger(own_database, "events", "NEW.status = 'poison'")
    outcome = await retried(store)
    assert (outcome.stored, len(outcome.kept)) == (8, 1)
    [stays] = await store.dead_letters.oldest()
    assert stays.id == outcome.kept[0][0]

"""Read models come from Redis while they are right, and are worked out when they are not, or nobody can tell."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis import Redis

from store.event import Event
from store.events import EventStore
from store.featured import MODEL, featured_items
from store.read_models import LIFE_SECONDS, ReadModels, model_key
from store.redis_bus import RedisBus
from tests.events import at, make_event
from tests.valkey import ValkeyServer


@pytest.fixture
async def bus(valkey: ValkeyServer) -> AsyncIterator[RedisBus]:
    bus = RedisBus(valkey.url)
    yield bus
    await bus.close()


class Costly:
    """Something to work out, and how often that was done."""

    def __init__(self, value: Any = 1) -> None:
        self.value = value
        self.times = 0

    async def __call__(self) -> Any:
        self.times += 1
        return self.value


def featured(number: int, verb: str, place: str, title: str = "Dune") -> Event:
    return make_event(
        number,
        event_type=f"featured.item.{verb}",
        resource_type="featured_item",
        resource_id=place,
        secondary_resource_type="movie",
        secondary_resource_id=title.lower(),
        metadata={"title": title},
    )


async def test_a_model_is_worked_out_once_and_lives_ten_minutes(bus: RedisBus, valkey: ValkeyServer) -> None:
    costly = Costly({"a": [1, "é", None]})
    first = await bus.read_models.get("m", costly, at(0))
    assert (first.value, first.computed_at, first.source) == (costly.value, at(0), "computed")
    again = await bus.read_models.get("m", costly, at(60))
    assert (again.value, again.computed_at, again.source) == (costly.value, at(0), "cache")
    assert costly.times == 1
    with Redis.from_url(valkey.url) as client:
        assert LIFE_SECONDS - 60 < client.ttl(model_key("m")) <= LIFE_SECONDS
        client.delete(model_key("m"))
    assert (await bus.read_models.get("m", costly, at(90))).source == "computed"


async def test_an_event_that_invalidates_it_drops_a_model_at_once(bus: RedisBus, tmp_path: Any) -> None:
    costly = Costly()
    async with await EventStore.open(f"sqlite:///{tmp_path}/events.db", bus) as store:
        await store.read_models.get(MODEL, costly, at(0))
        await store.create(
            make_event(1, event_type="movie.viewed", resource_type="movie", resource_id="dune")
        )
        assert (await store.read_models.get(MODEL, costly, at(1))).source == "cache"
        await store.create(featured(2, "created", "hero"))
        assert (await store.read_models.get(MODEL, costly, at(2))).source == "computed"
        assert (await store.read_models.get(MODEL, costly, at(3))).source == "cache"

        async def overtaken() -> int:
            # Worked out from what was there before the event.
            await store.create(featured(3, "updated", "hero"))
            return 7

        await store.read_models.invalidate(MODEL)
        assert (await store.read_models.get(MODEL, overtaken, at(4))).value == 7
        assert (await store.read_models.get(MODEL, costly, at(5))).source == "computed"


async def test_without_redis_a_model_is_worked_out_each_time(bus: RedisBus, valkey: ValkeyServer) -> None:
    costly = Costly()
    await bus.read_models.get("m", costly, at(0))
    valkey.kill()
    for second in range(3):
        assert (await bus.read_models.get("m", costly, at(second))).source == "computed"
    assert (await ReadModels(None).get("m", costly, at(4))).source == "computed"
    assert costly.times == 5


@pytest.mark.parametrize(
    "copy",
    ["", "null", "[]", '{"version": "0"}', '{"version": "0", "computed_at": "x", "value": 1}', "[" * 9000],
)
async def test_a_copy_that_something_else_wrote_is_not_believed(
    bus: RedisBus, valkey: ValkeyServer, copy: str
) -> None:
    costly = Costly()
    with Redis.from_url(valkey.url) as client:
        client.set(model_key("m"), copy)
    assert (await bus.read_models.get("m", costly, at(0))).source == "computed"


async def test_what_is_featured_is_what_the_last_event_of_each_place_says(tmp_path: Any) -> None:
    async with await EventStore.open(f"sqlite:///{tmp_path}/events.db") as store:
        assert await featured_items(store.repository) == []
        await store.create_many(
            [
                featured(1, "created", "hero"),
                featured(2, "created", "side", "Alien"),
                featured(3, "updated", "hero", "Heat"),
                featured(4, "removed", "side", "Alien"),
                featured(5, "created", "foot", "Ran"),
            ]
        )
        found = [
            (item.place, item.title, item.resource_id, item.since)
            for item in await featured_items(store.repository)
        ]
    assert found == [("foot", "Ran", "ran", at(5)), ("hero", "Heat", "heat", at(3))]

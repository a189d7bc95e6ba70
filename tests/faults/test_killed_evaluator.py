"""kill -9 between finding that something fired and writing it down, or right after: it is recorded once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from store.event import Event
from store.event_filter import EventFilter
from store.events import EventStore
from tests.events import at, make_event
from tests.faults.child import Evaluator
from tests.watcher import Watcher

NOW = 1000.0


def health(number: int, second: float, name: str, status: str) -> Event:
    return make_event(
        number,
        event_type="indexer.health_changed",
        resource_type="indexer",
        resource_id=name,
        status=status,
        inserted_at=at(second),
    )


def outages(rng: random.Random) -> list[Event]:
    """Thirty components, each down three times; some of them still."""
    events: list[Event] = []
    for component in range(30):
        moments = sorted(rng.sample(range(20, 900), 6 - rng.randrange(2)))
        events += [
            health(1000 + 10 * component + place, second, f"i{component}", "up" if place % 2 else "down")
            for place, second in enumerate(moments)
        ]
    return events


async def _recorded(url: str) -> list[tuple[str, object, object]]:
    async with await EventStore.open(url) as store:
        found = await store.repository.newest(1000, EventFilter(category="alerts"))
    return sorted((event.event_type, event.metadata["fingerprint"], event.inserted_at) for event in found)


async def _store(url: str, events: list[Event]) -> None:
    async with await EventStore.open(url) as store:
        # One that was watched: what comes after it is not history that nobody asked for.
        await store.create_many([health(1, 5, "first", "down")])
    await Watcher(url, 10).looks()
    async with await EventStore.open(url) as store:
        await store.create_many(events)


@pytest.mark.parametrize("stop", ["before", "after"])
async def test_whoever_comes_next_finishes_what_a_killed_console_began(
    tmp_path: Path, seed: int, stop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.alert_keeper.LOOK_EVERY", 0.02)
    rng = random.Random(seed)
    events = outages(rng)
    calm, hard = (f"sqlite:///{tmp_path / name}.db" for name in ("calm", "hard"))
    for url in (calm, hard):
        await _store(url, events)
    await Watcher(calm, NOW).looks()
    expected = await _recorded(calm)
    assert len(expected) > 100
    for kill in range(3):
        with Evaluator(tmp_path, f"evaluator-{kill}") as evaluator:
            evaluator.answer()
            evaluator.tell("watch", url=hard, second=NOW, portion=7, stop=stop, after=rng.randrange(5))
            assert evaluator.answer() == {"hangs": True}
            evaluator.kill()
        assert len(await _recorded(hard)) < len(expected)
    await Watcher(hard, NOW).looks()
    assert await _recorded(hard) == expected

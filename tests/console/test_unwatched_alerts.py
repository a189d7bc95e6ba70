"""What happened while no console ran: the next one knows, records it once, and rings for none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.alert_keeper import LOOK_EVERY
from monitor.health.engine import AlertState
from store.event import Event
from store.event_filter import EventFilter
from store.events import EventStore
from tests.events import at, make_event
from tests.watcher import Watcher


def health(number: int, second: float, status: str) -> Event:
    return make_event(
        number,
        event_type="indexer.health_changed",
        resource_type="indexer",
        resource_id="tidepool",
        status=status,
        inserted_at=at(second),
    )


def crowd(first: int, count: int, second: float) -> list[Event]:
    """Events that no rule is about, more than a console opens with."""
    return [
        make_event(first + number, event_type="page.viewed", inserted_at=at(second + number / 1000))
        for number in range(count)
    ]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.alert_keeper.LOOK_EVERY", LOOK_EVERY / 20)


async def _recorded(store: EventStore) -> list[tuple[str, object]]:
    found = await store.repository.newest(1000, EventFilter(category="alerts"))
    return [(event.event_type, event.inserted_at) for event in reversed(found)]


async def test_the_next_console_records_what_fired_and_ended_meanwhile(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    async with await EventStore.open(url) as store:
        await store.create_many([health(1, 10, "down")])
        await Watcher(url, 20).looks()
        assert await _recorded(store) == [("alert.fired", at(10))]

        unwatched = [health(2, 30, "up"), health(3, 60, "down"), health(4, 90, "up"), health(5, 100, "down")]
        await store.create_many([*unwatched, *crowd(100, 1500, 200)])
        watcher = Watcher(url, 300)
        app = await watcher.looks()
        assert await _recorded(store) == [
            ("alert.fired", at(10)),
            ("alert.resolved", at(30)),
            ("alert.fired", at(60)),
            ("alert.resolved", at(90)),
            ("alert.fired", at(100)),
        ]
        [alert] = app.model.alerts.shown(at(300))
        assert (alert.alert.state, alert.since) == (AlertState.FIRING, at(100))
        # It fired before this console looked: not news that a bell is rung for.
        assert "\a" not in watcher.rang

        again = await Watcher(url, 310).looks()
        assert len(await _recorded(store)) == 5
        assert len(again.model.alerts.history()) == 3


async def test_a_first_console_takes_what_is_over_for_history_that_nobody_asked_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    async with await EventStore.open(url) as store:
        await store.create_many([health(1, 10, "down"), health(2, 60, "up"), *crowd(100, 1500, 200)])
        app = await Watcher(url, 300).looks()
        assert await _recorded(store) == []
        assert app.model.alerts.known_since is not None
        assert app.model.alerts.known_since <= at(10)


async def test_it_looks_back_less_far_where_there_is_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.looking_back.EVENTS_MAX", 2)
    url = f"sqlite:///{tmp_path / 'events.db'}"
    async with await EventStore.open(url) as store:
        changes = [health(number, 3600 * number, "down") for number in range(1, 10)]
        await store.create_many([*changes, *crowd(100, 1500, 3600 * 9 + 100)])
        app = await Watcher(url, 3600 * 9 + 300).looks()
        assert app.model.alerts.known_since == at(3600 * 7)


async def test_it_looks_back_to_when_somebody_watched_however_long_ago(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    day = 86_400.0
    async with await EventStore.open(url) as store:
        await store.create_many([health(1, 10, "down")])
        await Watcher(url, 20).looks()
        unwatched = [health(2, 5 * day, "up"), health(3, 6 * day, "down"), health(4, 7 * day, "up")]
        await store.create_many([*unwatched, *crowd(100, 1500, 19 * day)])
        app = await Watcher(url, 20 * day).looks()
        assert await _recorded(store) == [
            ("alert.fired", at(10)),
            ("alert.resolved", at(5 * day)),
            ("alert.fired", at(6 * day)),
            ("alert.resolved", at(7 * day)),
        ]
        assert app.model.alerts.missed is None


async def test_it_says_when_nobody_watched_and_too_much_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.looking_back.EVENTS_MAX", 2)
    monkeypatch.setattr("monitor.looking_back.UNWATCHED_MAX", 3)
    url = f"sqlite:///{tmp_path / 'events.db'}"
    async with await EventStore.open(url) as store:
        await store.create_many([health(1, 10, "down")])
        await Watcher(url, 20).looks()
        changes = [health(number, 3600 * number, "down" if number % 2 else "up") for number in range(2, 10)]
        await store.create_many([*changes, *crowd(100, 1500, 3600 * 9 + 100)])
        app = await Watcher(url, 3600 * 9 + 300).looks()
        assert app.model.alerts.missed == (at(10), at(3600 * 6))
        assert app.model.alerts.known_since == at(3600 * 6)

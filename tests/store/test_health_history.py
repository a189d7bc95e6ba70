"""Reading the health events of the past from a real store: all of them, in pages, bounded."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from monitor.backend import Backend
from monitor.health_history import BEFORE_MAX, PAGE, HealthHistory
from store.event import Event
from store.events import EventStore
from tests.events import at, make_event

TYPES = ("client.health_changed", "indexer.health_changed")


def reports(count: int, days: float, event_type: str, start: int = 0) -> list[Event]:
    """So many, an hour apart, the newest so many days before noon."""
    return [
        make_event(
            start + number,
            event_type=event_type,
            resource_type="client",
            resource_id="qbt",
            status="up",
            inserted_at=at(0) - timedelta(days=days, hours=number),
        )
        for number in range(count)
    ]


async def read(folder: Path, stored: list[Event], **bounds: int) -> tuple[HealthHistory, list[list[Event]]]:
    async with await EventStore.open(f"sqlite:///{folder / 'events.db'}") as store:
        await store.create_many(stored)
        history = HealthHistory(Backend(store, None), at(0) - timedelta(days=30), **bounds)
        return history, [page async for page in history.pages()]


async def test_all_of_the_span_is_read_in_pages_and_what_came_right_before_it(tmp_path: Path) -> None:
    recent = reports(600, 1, TYPES[0], 10_000)
    older = reports(3 * PAGE, 20, TYPES[1], 20_000)
    others = [make_event(number) for number in range(50)]
    history, pages = await read(tmp_path, recent + older + others)
    assert {event.id for page in pages for event in page} == {event.id for event in recent + older}
    assert max(map(len, pages)) == PAGE
    assert (history.count, history.is_cut) == (600 + 3 * PAGE, False)
    # By turns, so that one type does not keep the others waiting.
    assert [page[0].event_type for page in pages[:3]] == [TYPES[0], TYPES[1], TYPES[0]]


async def test_of_what_was_before_the_span_no_more_than_enough_is_read(tmp_path: Path) -> None:
    history, pages = await read(tmp_path, reports(BEFORE_MAX + 2 * PAGE, 31, TYPES[0]))
    assert history.count == sum(map(len, pages)) == BEFORE_MAX
    assert not history.is_cut


@pytest.mark.parametrize(("most", "is_cut"), [(1000, True), (1100, False), (1500, False), (5000, False)])
async def test_no_more_is_read_than_was_allowed_and_that_is_said(
    tmp_path: Path, most: int, is_cut: bool
) -> None:
    stored = [
        event.model_copy(update={"inserted_at": at(0) - timedelta(minutes=event.id.int)})
        for event in reports(1200, 0, TYPES[0])
    ]
    history, pages = await read(tmp_path, stored, most=most)
    assert history.is_cut is is_cut
    assert history.count == min(1200, -(-most // PAGE) * PAGE)
    assert pages[0][0].id == stored[0].id


async def test_an_empty_store_has_no_pages(tmp_path: Path) -> None:
    history, pages = await read(tmp_path, [])
    assert (history.count, pages, history.is_cut) == (0, [], False)

"""Events counted by several fields say what counting them one by one would say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from store.database import Database
from store.event import Event
from store.event_filter import EVERY_EVENT, EventFilter
from store.event_groups import Group, GroupCounts, GroupField
from store.query import parse
from store.repository import EventRepository
from store.tables import events
from tests.events import NOON, at, make_event
from tests.store.test_event_counts import COUNTED, NOT_COUNTED, history
from tests.store.test_event_filter import chosen_by

MANY = 10_000
KATHMANDU, BERLIN = ZoneInfo("Asia/Kathmandu"), ZoneInfo("Europe/Berlin")
BY: list[tuple[list[GroupField], tzinfo | None]] = [
    *(([field], UTC) for field in GroupField),
    ([GroupField.CATEGORY, GroupField.SEVERITY], UTC),
    ([GroupField.HOUR, GroupField.TYPE], UTC),
    ([GroupField.SEVERITY, GroupField.DAY], KATHMANDU),
    ([GroupField.HOUR], KATHMANDU),
    ([GroupField.ACTOR, GroupField.RESOURCE, GroupField.STATUS, GroupField.MINUTE], KATHMANDU),
]
CHOSEN = [
    COUNTED[0],
    COUNTED[3],
    COUNTED[4],
    NOT_COUNTED[2],
    EventFilter(since=NOON - timedelta(minutes=50, seconds=7), until=NOON + timedelta(seconds=30)),
    EventFilter(severity="error", since=NOON - timedelta(hours=1)),
    EventFilter(query=parse("actor:user"), since=NOON - timedelta(minutes=70, seconds=1)),
]


def counted(matching: list[Event], by: list[GroupField], zone: tzinfo | None) -> GroupCounts:
    counts = GroupCounts(by, zone)
    for event in matching:
        counts.add(event)
    return counts


async def test_groups_agree_with_events_counted_one_by_one(repository: EventRepository) -> None:
    batch = history(47)
    await repository.append(batch)
    for chosen in CHOSEN:
        matching = [event for event in batch if chosen_by(chosen, event)]
        for by, zone in BY:
            expected = counted(matching, by, zone)
            assert await repository.groups(by, chosen, MANY, zone) == expected.ordered(MANY), (by, chosen)
            found = await repository.groups(by, chosen, 3, zone)
            assert numbers(found) == numbers(expected.ordered(3)), (by, chosen)


def numbers(groups: list[Group]) -> list[int]:
    return [group.count for group in groups]


async def test_pruned_events_are_not_counted(repository: EventRepository, database: Database) -> None:
    await repository.append([make_event(1), make_event(2, severity="error")])
    async with database.write() as connection:
        from store.tables import event_rollups

        await connection.execute(
            sa.update(event_rollups).where(event_rollups.c.severity == "error").values(pruned=1)
        )
        await connection.execute(sa.delete(events).where(events.c.severity == "error"))
    assert await repository.groups([GroupField.SEVERITY]) == [Group(("info",), 1)]


async def test_counts_by_rollups_read_no_events(repository: EventRepository, database: Database) -> None:
    await repository.append([make_event(1), make_event(61)])
    async with database.write() as connection:
        await connection.execute(sa.delete(events))
    by = [GroupField.CATEGORY, GroupField.TYPE, GroupField.SEVERITY, GroupField.MINUTE]
    found = await repository.groups(by)
    assert [group.values[3] for group in found] == [at(0), at(60)]
    assert await repository.groups([GroupField.ACTOR_TYPE]) == []


def groups_of(moments: list[datetime], field: GroupField, zone: tzinfo | None) -> list[Group]:
    batch = [make_event(number, inserted_at=moment) for number, moment in enumerate(moments)]
    return counted(batch, [field], zone).ordered(MANY)


def test_an_hour_that_a_clock_goes_through_twice_is_two_and_its_day_is_one() -> None:
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    begins = [datetime(2026, 10, 25, hour, tzinfo=UTC) for hour in (0, 1)]
    assert [group.values[0] for group in groups_of(twice, GroupField.HOUR, BERLIN)] == begins
    assert [str(group.values[0]) for group in groups_of(twice, GroupField.DAY, BERLIN)] == ["2026-10-25"]


def test_the_latest_spans_are_kept_and_of_others_the_most_frequent() -> None:
    counts = GroupCounts([GroupField.MINUTE])
    others = GroupCounts([GroupField.ACTOR])
    for number in (0, 1, 60, 120, 121, 122):
        counts.add(make_event(number))
        others.add(make_event(number, actor_type="user", actor_id=str(number // 60)))
    assert [group.values[0] for group in counts.ordered(2)] == [at(60), at(120)]
    assert [group.values for group in others.ordered(2)] == [("user:2",), ("user:0",)]
    assert counts.ordered(0) == others.ordered(0) == []


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ([], "no field to count by"),
        ([GroupField.TYPE, GroupField.TYPE], "comes twice"),
        ([GroupField.HOUR, GroupField.DAY], "exclude each other"),
    ],
)
async def test_fields_without_sense_are_refused(by: list[GroupField], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GroupCounts(by)


async def test_a_negative_number_of_groups_is_refused(repository: EventRepository) -> None:
    with pytest.raises(ValueError, match="limit must not be negative"):
        await repository.groups([GroupField.TYPE], EVERY_EVENT, -1)

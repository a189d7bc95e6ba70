"""What the store should hold and answer, by brute force in Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from store.database import Database
from store.event import ActorType, Event, Severity
from store.tables import event_head, event_rollups, events
from tests.events import NOON, make_event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Kind = tuple[int, str, str, str | None]
"""Minute since 1970, category, type, severity."""


class Cell(NamedTuple):
    """What the rollups say of one kind."""

    recorded: int
    estimate: float
    pruned: int


def numbers(page: Iterable[Event]) -> list[int]:
    """The events as the numbers that their ids are."""
    return [event.id.int for event in page]


def newest_first(batch: Iterable[Event]) -> list[Event]:
    """The order of the timeline, from its end."""
    return sorted(batch, key=lambda event: event.sort_key, reverse=True)


def minute(moment: datetime) -> int:
    """The minute since 1970."""
    return (moment - EPOCH) // timedelta(minutes=1)


def kind_of(event: Event) -> Kind:
    """What `event` is counted under."""
    severity = event.severity.value if event.severity else None
    return minute(event.inserted_at), event.category, event.event_type, severity


def counted(batch: Iterable[Event]) -> Counter[Kind]:
    """The rollups that `batch` should have."""
    return Counter(map(kind_of, batch))


def random_id(random: Random, number: int) -> UUID:
    """A UUID of version 4 or 7, at the test's own random, unlike any other of another `number`."""
    value = random.getrandbits(96) << 32 | number
    version = random.choice([4, 7])
    return UUID(int=value & ~(0xF000 << 64) & ~(0xC000 << 48) | version << 76 | 0x8000 << 48)


def random_events(count: int, seed: int, start: int = 0) -> list[Event]:
    """Events of many kinds over two hours, many of them at equal times, in no order of time."""
    random = Random(seed)

    def resource() -> tuple[str | None, str | None]:
        return random.choice(["download", "series", None]), random.choice(["a", "b", None])

    batch: list[Event] = []
    for number in range(start, start + count):
        primary, secondary = resource(), resource()
        batch.append(
            make_event(
                id=random_id(random, number),
                event_type=random.choice(["download.failed", "download.completed", "job.executed", "x.y"]),
                category=random.choice(["downloads", "system"]),
                actor_type=random.choice(list(ActorType)),
                actor_id=random.choice([None, "ann", "Ann", "bob"]),
                severity=random.choice([None, *Severity]),
                inserted_at=NOON
                - timedelta(minutes=random.randrange(0, 120), seconds=random.choice([0, 30, 59.999999])),
                resource_type=primary[0],
                resource_id=primary[1],
                secondary_resource_type=secondary[0],
                secondary_resource_id=secondary[1],
                status=random.choice([None, "down", "up"]),
                metadata=random.choice([{}, {"title": "Straße"}, {"n": 1}]),
            )
        )
    return batch


async def cells(database: Database) -> dict[Kind, Cell]:
    """The rollups as they are stored."""
    async with database.read() as connection:
        rows = (await connection.execute(sa.select(event_rollups))).all()
    return {(row[0], row[1], row[2], row[3] or None): Cell(row[4], row.estimate, row.pruned) for row in rows}


async def assert_counted(database: Database, batch: Sequence[Event]) -> None:
    """Fail unless the rollups are those of `batch`, none of it sampled or pruned."""
    expected = {kind: Cell(count, count, 0) for kind, count in counted(batch).items()}
    assert await cells(database) == expected


async def head(database: Database) -> int:
    """The position that was given out last."""
    async with database.read() as connection:
        return (await connection.execute(sa.select(event_head.c.position))).scalar_one()


async def run_sql(database: Database, *statements: str) -> None:
    """Do what another program might, in one transaction."""
    async with database.write() as connection:
        for statement in statements:
            await connection.exec_driver_sql(statement)


async def insert_row(database: Database, number: int, **columns: Any) -> int:
    """Put a row into the table behind the repository's back. Values of columns are SQL expressions.

    Returns its position, the next one after what is in the table unless `columns` has one.
    """
    zone = "Z" if database.dialect == "postgresql" else ""
    row = {
        "id": f"'{UUID(int=number)}'" if database.dialect == "postgresql" else f"'{number:032x}'",
        "event_type": "'job.executed'",
        "category": "'system'",
        "actor_type": "'system'",
        "metadata": "'{}'",
        "inserted_at": f"'{NOON + timedelta(seconds=number):%Y-%m-%d %H:%M:%S.%f}{zone}'",
        "search_text": "''",
        **columns,
    }
    async with database.write() as connection:
        if "position" not in row:
            last = (await connection.execute(sa.select(sa.func.max(events.c.position)))).scalar()
            row["position"] = (last or 0) + 1
        await connection.exec_driver_sql(
            f"INSERT INTO events ({', '.join(row)}) VALUES ({', '.join(map(str, row.values()))})"
        )
    return int(row["position"])

"""What retention should leave, by brute force in Python, and a process that prunes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from store.event import Event, Severity
from store.event_filter import EventFilter
from store.repository import EventRepository
from store.retention import RetentionPolicy
from tests.events import make_event
from tests.store.on_a_word import on_a_word

ROOT = Path(__file__).parents[2]
NOW = datetime(2025, 3, 10, 12, 0, 30, tzinfo=UTC)
"""Before the clock of every server, so that `now` alone counts."""
CATEGORIES = ("audit", "debug", "downloads", "system")
PRUNER = """
import asyncio, sys
from store import short_transactions
from store.database import Database
from store.retention import RetentionPolicy, prune
from tests.store.retained import NOW

# A transaction for every few events.
short_transactions.HOLD_SECONDS = 0
short_transactions.FIRST_STEP = short_transactions.LONGEST_STEP = 40

def say(deleted):
    print(deleted, flush=True)

async def main(url, days, forever):
    database = await Database.open(url)
    print("ready", flush=True)
    sys.stdin.readline()
    policy = RetentionPolicy(days=float(days), by_category={forever: float("inf")})
    print("deleted", (await prune(database, policy, now=NOW, progress=say)).events, flush=True)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


def uuid7_at(moment: datetime, random: Random) -> UUID:
    """A UUID of version 7 made at `moment`."""
    milliseconds = int(moment.timestamp() * 1000)
    return UUID(
        int=milliseconds << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)
    )


def history(count: int, seed: int, days: float = 100, honest: bool = True) -> list[Event]:
    """Events of several kinds over the `days` before `NOW`, the newest one at `NOW`; some at the same moment.

    Unless they are `honest`, the ids of some tell another time than when they were.
    """
    random = Random(seed)
    batch: list[Event] = []
    for number in range(count):
        back = 0 if number == 0 else random.choice([random.random(), random.randrange(5) / 5])
        moment = NOW - timedelta(days=days * back)
        told = moment if honest or random.random() < 0.9 else NOW - timedelta(days=days * random.random())
        batch.append(
            make_event(
                number,
                id=uuid7_at(told, random),
                inserted_at=moment,
                event_type=random.choice(["download.failed", "job.executed", "x.y"]),
                category=random.choice(CATEGORIES),
                severity=random.choice([None, *Severity]),
                resource_type="series",
                resource_id=str(random.randrange(5)),
            )
        )
    random.shuffle(batch)
    return batch


def kept(batch: Iterable[Event], policy: RetentionPolicy, reference: datetime = NOW) -> list[Event]:
    """What `policy` keeps of `batch` at the moment `reference`."""
    return [event for event in batch if not _is_expired(event, policy, reference)]


def _is_expired(event: Event, policy: RetentionPolicy, reference: datetime) -> bool:
    days = policy.by_category.get(event.category, policy.days)
    return (reference - event.inserted_at) / timedelta(days=1) > days


def by_category(batch: Iterable[Event]) -> Counter[str]:
    """How many events of each category there are."""
    return Counter(event.category for event in batch)


async def assert_holds(repository: EventRepository, batch: list[Event], seed: int = 0) -> None:
    """Fail unless the store holds `batch` and nothing else, and counts it as a brute force does."""
    stored = await repository.newest(len(batch) + 1)
    assert {event.id for event in stored} == {event.id for event in batch}, f"seed {seed}"
    assert len(stored) == len(batch)
    random = Random(seed)
    filters = [EventFilter(), EventFilter(category="audit"), EventFilter(event_type="x.y", severity="error")]
    for _ in range(5):
        since, until = sorted(NOW - timedelta(days=100 * random.random()) for _ in range(2))
        filters += [EventFilter(since=since), EventFilter(category="debug", since=since, until=until)]
    for chosen in filters:
        assert await repository.count(chosen) == sum(_matches(event, chosen) for event in batch), (
            seed,
            chosen,
        )


def _matches(event: Event, chosen: EventFilter) -> bool:
    return (
        all(getattr(event, name) == value for name, value in chosen.exact.items())
        and (chosen.since is None or event.inserted_at >= chosen.since)
        and (chosen.until is None or event.inserted_at < chosen.until)
    )


def pruner(
    url: str, days: float, forever: str = "audit"
) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """A process that prunes `url` once it reads a line; it prints how far it is, and killed if need be at the end."""
    return on_a_word(PRUNER, url, str(days), forever)

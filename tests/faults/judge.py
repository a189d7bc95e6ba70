"""The judge of the fault tests: holds what is in SQL to what was promised, and to what was counted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from store.database import Database
from store.tables import dead_letters, event_rollups, events
from tests.faults.oracle import DIGESTED, Promises, digest

_DIGESTED = [events.c[name] for name in DIGESTED]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is in a database. `delivered` are pairs of id and digest, in the order of their commits."""

    delivered: list[tuple[UUID, str]]
    letters: list[tuple[UUID | None, str]]
    counted: int
    pruned: int

    @property
    def ids(self) -> set[UUID]:
        """The ids in the table."""
        return {identifier for identifier, _ in self.delivered}


def evidence(url: str) -> Evidence:
    """Read the tables of `url` with SQL."""
    return asyncio.run(_gather(url))


async def _gather(url: str) -> Evidence:
    database = await Database.open(url)
    try:
        async with database.read() as connection:
            rows = (await connection.execute(select(*_DIGESTED).order_by(events.c.position))).all()
            delivered = [(row.id, digest(dict(zip(DIGESTED, row, strict=True)))) for row in rows]
            letters = (await connection.execute(select(dead_letters.c.event_id, dead_letters.c.reason))).all()
            sums = select(func.sum(event_rollups.c.count), func.sum(event_rollups.c.pruned))
            counted, pruned = (await connection.execute(sums)).one()
    finally:
        await database.close()
    return Evidence(delivered, [(row[0], row[1]) for row in letters], int(counted or 0), int(pruned or 0))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What does not agree. Every field is empty, or 0, when all is well.

    `missing` were promised and are nowhere; `forged` were never issued; `altered` differ from what was issued;
    `repeated` are in the table twice; `miscounted` is by how much the rollups differ from the table.
    """

    missing: set[UUID]
    forged: set[UUID]
    altered: set[UUID]
    repeated: set[UUID]
    miscounted: int

    def __bool__(self) -> bool:
        return not (self.missing or self.forged or self.altered or self.repeated or self.miscounted)

    def __repr__(self) -> str:
        found = ", ".join(
            f"{len(ids)} {name}"
            for name in ("missing", "forged", "altered", "repeated")
            if (ids := getattr(self, name))
        )
        return f"<Verdict {found or 'no event'} at fault, rollups off by {self.miscounted}>"


def judge(found: Evidence, promises: Iterable[Promises], *, durable_only: bool = False) -> Verdict:
    """Hold the evidence to the promises; with `durable_only`, to those alone that a flush confirmed."""
    promised = list(promises)
    contents: dict[UUID, str] = {}
    obligations: set[UUID] = set()
    issued: set[UUID] = set()
    for each in promised:
        contents |= each.accepted
        obligations |= each.durable if durable_only else each.accepted.keys()
        issued |= each.issued()
        for number in range(each.claimed):
            identifier = each.source.identifier(number)
            if identifier not in contents:
                # Recorded, and killed before that was noted: it may be there, and then as it was issued.
                contents[identifier] = digest(each.source.fields(number))
    buried = {identifier for identifier, _ in found.letters if identifier is not None}
    times = Counter(identifier for identifier, _ in found.delivered)
    return Verdict(
        missing=obligations - found.ids - buried,
        forged=(found.ids | buried) - issued,
        altered={
            identifier for identifier, content in found.delivered if contents.get(identifier) != content
        },
        repeated={identifier for identifier, count in times.items() if count > 1},
        miscounted=found.counted - found.pruned - len(found.delivered),
    )


def in_order(found: Evidence, promises: Promises) -> bool:
    """Whether the events of one producer were committed in the order in which it recorded them."""
    numbers = [
        promises.numbers[identifier] for identifier, _ in found.delivered if identifier in promises.numbers
    ]
    return numbers == sorted(numbers)


def differences(
    stats: dict[str, Any], promises: Promises, found: Evidence, *, repeats: int = 0
) -> dict[str, int]:
    """Where a recorder's own count differs from the oracle's; empty when all is well.

    For a producer that was never killed and has the database to itself. `repeats` are calls with an id that was
    recorded before.
    """
    lost = set(promises.accepted) - found.ids - {identifier for identifier, _ in found.letters}
    compared = {
        "balance": stats["balance"],
        "calls": stats["accepted"] - promises.calls - repeats,
        # A commit whose confirmation was lost is repeated, and then found to be a duplicate.
        "in the table": stats["stored"] + stats["duplicates"] - len(found.delivered) - repeats,
        "dead letters": stats["dead_lettered"] - len(found.letters),
        "dropped": sum(stats["dropped"].values()) - len(promises.refused) - len(lost),
        "on the way": stats["queued"] + stats["spooled"],
    }
    return {name: difference for name, difference in compared.items() if difference}

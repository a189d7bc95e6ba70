"""Counters as they are now: what was flushed, and what came since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.counters.flush import Flushed, flush
from store.counters.rows import Head, counting_rows, head_of, of_resource, tallied, values_of
from store.counters.tally import CounterKey
from store.database import Database
from store.event_rows import refuse_negative
from store.tables import events, resource_counters
from store.taxonomy import Taxonomy, active

if TYPE_CHECKING:
    from store.counters.redis_pending import RedisPending


@dataclass(frozen=True, slots=True)
class ResourceCounters:
    """The counters of one resource by name, those left out that never counted. `flushed` is what of them is in SQL."""

    values: Mapping[str, int]
    flushed: Mapping[str, int]


class TopResource(NamedTuple):
    """A resource and the value of one counter at the last flush."""

    resource_type: str
    resource_id: str
    value: int


class CounterRepository:
    """Reads counters. With `pending`, what came since the last flush is asked of Redis, else of the events.

    Both give the same. Every method raises `StoreUnavailableError` when the database fails.
    """

    def __init__(
        self, database: Database, pending: RedisPending | None = None, taxonomy: Taxonomy | None = None
    ) -> None:
        self._database = database
        self._taxonomy = taxonomy
        self.pending = pending
        """What Redis adds up, if there is one."""

    async def of(self, resource_type: str, resource_id: str) -> ResourceCounters:
        """All counters of one resource, every stored event included."""
        taxonomy = active() if self._taxonomy is None else self._taxonomy
        names = {counter for declared in taxonomy.counting.values() for counter, _ in declared}
        keys = [CounterKey(resource_type, resource_id, name) for name in sorted(names)]
        async with self._database.read() as connection:
            head = await head_of(connection)
            flushed = {key.counter: row[0] for key, row in (await values_of(connection, keys)).items()}
            if self.pending is None or not head.epoch or not head.is_complete:
                return await self._with_events(connection, head, keys, flushed)
        added = await self.pending.get(head.epoch, keys)
        if added is not None:
            return _summed(flushed, {key.counter: number for key, number in zip(keys, added, strict=True)})
        async with self._database.read() as connection:
            # Anew: it may have been flushed meanwhile.
            head = await head_of(connection)
            flushed = {key.counter: row[0] for key, row in (await values_of(connection, keys)).items()}
            return await self._with_events(connection, head, keys, flushed)

    async def top(self, counter: str, limit: int, resource_type: str | None = None) -> list[TopResource]:
        """The resources with the highest `counter` at the last flush; of one type, if that is given. Ties by name.

        Raises:
            ValueError: `limit` is negative.
        """
        refuse_negative(limit)
        columns = resource_counters.c
        statement = select(columns.resource_type, columns.resource_id, columns.value)
        statement = statement.where(columns.counter == counter, columns.value != 0)
        if resource_type is not None:
            statement = statement.where(columns.resource_type == resource_type)
        statement = statement.order_by(columns.value.desc(), columns.resource_type, columns.resource_id)
        async with self._database.read() as connection:
            return [TopResource(*row) for row in await connection.execute(statement.limit(limit))]

    async def flush(self) -> Flushed:
        """Count what was recorded since the last flush; others may do so at the same time."""
        return await flush(self._database, self.pending, self._taxonomy)

    async def _with_events(
        self,
        connection: AsyncConnection,
        head: Head,
        keys: Sequence[CounterKey],
        flushed: Mapping[str, int],
    ) -> ResourceCounters:
        """What was flushed, and what the events add that were not: in one transaction, at one moment."""
        taxonomy = active() if self._taxonomy is None else self._taxonomy
        if not keys:
            return ResourceCounters({}, {})
        since = events.c.position > head.position
        rows = await counting_rows(connection, taxonomy, (*of_resource(keys[0]), since))
        added = tallied(rows, taxonomy)
        return _summed(flushed, {key.counter: number for key, number in added.items()})


def _summed(flushed: Mapping[str, int], added: Mapping[str, int]) -> ResourceCounters:
    names = sorted(
        name for name in {*flushed, *added} if flushed.get(name, 0) or added.get(name, 0) or name in flushed
    )
    values = {name: flushed.get(name, 0) + added.get(name, 0) for name in names}
    return ResourceCounters(values, dict(flushed))

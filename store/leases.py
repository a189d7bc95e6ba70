"""Who runs which scheduled job: a lease for each, by the database's clock, in transactions of a moment.

Of several workers one has a job at a time. It renews its lease while it runs the job; when it dies, the lease runs out
and another one takes it. What a job does must bear being done twice all the same: a clock that jumps ends leases early.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.errors import DataRefusedError, one_line
from store.server_clock import store_clock
from store.tables import jobs

LEASE = timedelta(seconds=30)
"""How long a job is held without being renewed: so long nobody does the work of a worker that was killed."""
TRY_AGAIN_AFTER = timedelta(minutes=5)
"""After which a job that failed is due again, where its interval is not shorter."""
TRY_AGAIN_MIN = timedelta(seconds=30)
"""The same however short its interval is: what fails at once is not to be tried all the time."""
NAME_MAX, HOLDER_MAX, FAILURE_MAX = 64, 128, 500
Clock = Callable[[AsyncConnection], Awaitable[datetime]]


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it was at `asked_at`, by the database's clock, like all moments here.

    `holder` has it until `held_until` unless that is renewed; both are None when nobody has it. `began_at` and
    `ended_at` are when it began and ended last; while it runs, the end is that of the run before. `failure` says in one
    line why the run that ended last failed, None when it did not. `last_held_until` stays when a lease has run out.
    """

    name: str
    asked_at: datetime
    holder: str | None = None
    held_until: datetime | None = None
    began_at: datetime | None = None
    ended_at: datetime | None = None
    failure: str | None = None
    last_held_until: datetime | None = None

    @property
    def is_broken_off(self) -> bool:
        """Whether its last run never came to its end: who ran it was killed, say, or has let go of it."""
        if self.holder is not None or self.began_at is None:
            return False
        return self.ended_at is None or self.ended_at < self.began_at

    def is_due(self, every: timedelta) -> bool:
        """Whether it is to be run: its last run began `every` ago or earlier, failed a while ago, or was broken off."""
        if self.holder is not None:
            return False
        # What lies in the future was written by a clock that was ahead then.
        if self.began_at is None or self.began_at > self.asked_at or self.is_broken_off:
            return True
        wait = every if self.failure is None else max(TRY_AGAIN_MIN, min(every, TRY_AGAIN_AFTER))
        return self.asked_at - self.began_at >= wait


def new_holder() -> str:
    """A name for this process as one that holds leases: the machine, the process, and something random."""
    host = "".join(letter for letter in socket.gethostname() if letter.isprintable())
    tail = f":{os.getpid()}:{secrets.token_hex(4)}"
    return f"{host[: HOLDER_MAX - len(tail)]}{tail}"


class Leases:
    """Leases as `holder` takes them. `length` is how long one lasts, `LEASE` for all who share a store.

    Every method raises `StoreUnavailableError` when the database fails, or may not be written by those that write.
    """

    def __init__(
        self,
        database: Database,
        holder: str = "",
        *,
        length: timedelta | None = None,
        clock: Clock = store_clock,
    ) -> None:
        self._database = database
        self._length = LEASE if length is None else length
        self._clock = clock
        self.holder = holder or new_holder()

    @property
    def length(self) -> timedelta:
        """How long a lease lasts that is not renewed."""
        return self._length

    async def register(self, names: Iterable[str]) -> None:
        """Make the rows of these jobs, where they are missing: what is taken must be there to be locked."""
        for name in names:
            async with self._database.read() as connection:
                found = await connection.execute(select(jobs.c.name).where(jobs.c.name == name))
                if found.scalar() is not None:
                    continue
            try:
                async with self._database.write() as connection:
                    await connection.execute(insert(jobs).values(name=name))
            except DataRefusedError:
                # Someone else has made it meanwhile, unless it cannot be made at all.
                if await self.state(name) is None:
                    raise

    async def state(self, name: str) -> JobState | None:
        """The job of that name; None when there was none yet."""
        return (await self.states([name])).get(name)

    async def states(self, names: Iterable[str] | None = None) -> dict[str, JobState]:
        """The jobs of these names that there are, or all of them, by name."""
        statement = select(jobs).order_by(jobs.c.name)
        if names is not None:
            statement = statement.where(jobs.c.name.in_(list(names)))
        async with self._database.read() as connection:
            rows = (await connection.execute(statement)).all()
            now = await self._clock(connection)
        return {row.name: self._read(row, now) for row in rows}

    async def take(self, name: str, every: timedelta | None = None) -> JobState | None:
        """Take the job and note that it begins, if nobody has it and it is due; with no `every`, it is always.

        Returns:
            How the job was before that; None when it was not taken.
        """
        async with self._database.write() as connection:
            row = (
                await connection.execute(select(jobs).where(jobs.c.name == name).with_for_update())
            ).first()
            # Asked after the lock was waited for: the moment of the decision counts.
            now = await self._clock(connection)
            if row is None:
                return None
            state = self._read(row, now)
            if row.held_until is not None and row.held_until > now + self._length:
                # No lease is that long: the clock was ahead when it was written. Who has it renews it in time.
                await connection.execute(
                    update(jobs).where(jobs.c.name == name).values(held_until=now + self._length)
                )
            if state.holder is not None or not (every is None or state.is_due(every)):
                return None
            await connection.execute(
                update(jobs)
                .where(jobs.c.name == name)
                .values(holder=self.holder, held_until=now + self._length, began_at=now)
            )
        return state

    async def renew(self, name: str) -> bool:
        """Hold the job for another `length`; False when someone else has, or had, taken it."""
        async with self._database.write() as connection:
            now = await self._clock(connection)
            return await self._change(connection, name, held_until=now + self._length)

    async def end(self, name: str, failure: str | None = None) -> bool:
        """Give the job back and note that it ended, or why it failed; False when it was someone else's by then."""
        said = None if failure is None else (one_line(failure) or "failed")[:FAILURE_MAX]
        async with self._database.write() as connection:
            now = await self._clock(connection)
            return await self._change(
                connection, name, holder=None, held_until=None, ended_at=now, failure=said
            )

    async def let_go(self, name: str) -> bool:
        """Give the job back without an end, so that another one takes it at once; False as for `end`."""
        async with self._database.write() as connection:
            return await self._change(connection, name, holder=None, held_until=None)

    async def _change(self, connection: AsyncConnection, name: str, **values: Any) -> bool:
        mine = (jobs.c.name == name) & (jobs.c.holder == self.holder)
        return (await connection.execute(update(jobs).where(mine).values(**values))).rowcount > 0

    def _read(self, row: Any, now: datetime) -> JobState:
        is_held = row.holder is not None and row.held_until is not None and row.held_until > now
        return JobState(
            row.name,
            now,
            holder=row.holder if is_held else None,
            held_until=row.held_until if is_held else None,
            began_at=row.began_at,
            ended_at=row.ended_at,
            failure=row.failure,
            last_held_until=row.held_until,
        )

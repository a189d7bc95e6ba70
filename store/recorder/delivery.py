"""One attempt to bring a batch into the database: whole if possible, without the events that it refuses if not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from pydantic import SecretStr

from store import appending
from store.appending import Appended
from store.bus import Bus
from store.counters.keys import Pending
from store.counters.tally import tally
from store.database import Database
from store.dead_letters import DeadLetter, bury
from store.errors import STORE_SETTING, DataRefusedError, StoreError, StoreUnavailableError, one_line
from store.event import Event
from store.recorder.batch import Batch
from store.recorder.safe_logging import log_safely
from store.taxonomy import active

logger = logging.getLogger(__name__)

RECENT_IDS = 10_000
"""Ids that a producer remembers, so that what it repeats never goes to the database."""
_POISON_MAX = 8
"""Refused events after which the rest of a batch is stored one by one: halving would cost more by then."""
_OF_THE_DATA = (ValueError, TypeError, OverflowError)
"""What an event can be the cause of, although the database does not say so: `UnicodeError` is a `ValueError`."""
_CLOSE_TIMEOUT = 1.0


class _Refusal(NamedTuple):
    reason: str
    by_database: bool


class Delivery:
    """An open database and bus, opened when the first batch comes. It belongs to one event loop.

    Args:
        url: Of the database.
        open_bus: Gives the bus, None for none.
        recorded: Is told of the events of each commit, of how many of them the bus took, and of how many bytes
            about they have.
    """

    def __init__(
        self,
        url: SecretStr,
        open_bus: Callable[[], Bus | None],
        recorded: Callable[[Sequence[Event], int, int], None],
    ) -> None:
        self.needs_stillness = _is_sqlite_file(url)
        """Whether a fork must find no connection open."""
        self._url = url
        self._turn = asyncio.Lock()
        self._open_bus = open_bus
        self._recorded = recorded
        self._database: Database | None = None
        self._bus: Bus | None = None
        self._has_opened_bus = False
        self._recent: dict[UUID, None] = {}
        self._warned: set[str] = set()

    async def deliver(self, batch: Batch) -> None:
        """Store what is left of `batch`, and bury what is refused. What cannot even be buried is left in the batch.

        Raises:
            StoreError: the database cannot be used now, or so it seems. `batch` knows what was stored before.
        """
        database = await self._open()
        batch.decode()
        batch.leave_out(self._recent)
        poison = 0
        while batch.pending:
            chunk = batch.pending[: None if poison < _POISON_MAX else 1]
            # The letters so far go with it, unless they are what is refused.
            refused = await self._store(database, batch, chunk, batch.letters)
            if refused is not None and batch.letters:
                refused = await self._store(database, batch, chunk)
            if refused is not None:
                poison += 1
                await self._isolate(database, batch, chunk, refused)
        if batch.letters:
            refused = await self._store(database, batch, (), batch.letters)
            if refused is not None:
                reason = refused.reason
                self._warn(
                    "burying", "events that were refused cannot be kept as dead letters either: %s", reason
                )

    async def _isolate(
        self, database: Database, batch: Batch, suspects: Sequence[Event], refusal: _Refusal
    ) -> None:
        """Find the first event of `suspects` that is refused, storing the ones before it, by halving."""
        is_sure = len(suspects) == 1
        while len(suspects) > 1:
            half = suspects[: (len(suspects) + 1) // 2]
            again = await self._store(database, batch, half)
            if again is None:
                suspects = suspects[len(half) :]
            else:
                suspects, refusal = half, again
                # The database has found fault twice with what has the culprit in it.
                is_sure = len(half) == 1 or again.by_database
        if not is_sure:
            # No other event is at fault; this one may not be either, if what was wrong has passed.
            again = await self._store(database, batch, suspects)
            if again is None:
                return
            refusal = again
        batch.refuse(suspects[0], refusal.reason)
        if not refusal.by_database:
            await self._confirm(database, batch, suspects[0])

    async def _confirm(self, database: Database, batch: Batch, refused: Event) -> None:
        """Bury the event that was `refused` last: if not even its letter is taken, it is not the event's fault."""
        try:
            await self._store(database, batch, (), batch.letters)
        except StoreError:
            batch.pardon(refused)
            raise

    async def _store(
        self, database: Database, batch: Batch, events: Sequence[Event], letters: Sequence[DeadLetter] = ()
    ) -> _Refusal | None:
        """Store `events` and `letters` in one transaction. Returns why they were refused, None when they were not.

        Raises:
            StoreError: the database cannot be used now; or it is not known what is wrong, so that another try may do.
        """
        letters = tuple(letters)
        try:
            async with self._turn, database.write() as connection:
                appended = await appending.append(connection, events)
                await bury(connection, letters)
        except DataRefusedError as error:
            return _Refusal(error.reason or type(error).__name__, by_database=True)
        except StoreError:
            raise
        except Exception as error:
            if events and _may_be_of_data(error, batch):
                return _Refusal(one_line(str(error)) or type(error).__name__, by_database=False)
            batch.unexplained += 1
            # Its text might quote the URL.
            raise StoreUnavailableError(
                f"{STORE_SETTING} {database.place}: {type(error).__name__}"
            ) from error
        batch.settle(events, len(appended.events), len(letters))
        self._remember(events)
        if appended.events:
            await self._tell(appended, batch.event_bytes * len(appended.events))
        return None

    async def _tell(self, appended: Appended, size: int) -> None:
        """Announce what was stored. Whatever comes of it, it stays stored."""
        announced, events = False, appended.events
        try:
            if self._bus is not None:
                pending = Pending(appended.epoch, tally(events, active()))
                announced = await self._bus.announce(events, pending)
        except Exception as error:
            self._warn("announcing", "recorded events could not be announced: %s", type(error).__name__)
        self._recorded(events, len(events) if announced else 0, size)

    def _remember(self, events: Sequence[Event]) -> None:
        self._recent.update((event.id, None) for event in events)
        for identifier in list(islice(self._recent, max(0, len(self._recent) - RECENT_IDS))):
            del self._recent[identifier]

    async def _open(self) -> Database:
        if self._database is None:
            try:
                async with self._turn:
                    self._database = await Database.open(self._url)
            except StoreError:
                raise
            except Exception as error:
                # A driver that is not installed, say, or no thread to be had. Its text might quote the URL.
                raise StoreUnavailableError(f"{STORE_SETTING}: {type(error).__name__}") from None
        if not self._has_opened_bus:
            try:
                self._bus = self._open_bus()
                self._has_opened_bus = True
            except Exception as error:
                self._warn("bus", "recorded events cannot be announced: %s", type(error).__name__)
        return self._database

    @asynccontextmanager
    async def stillness(self) -> AsyncGenerator[None]:
        """A time in which no connection to the database is open, nor opened."""
        async with self._turn:
            if self._database is not None:
                await self._database.close()
            yield

    def _warn(self, trouble: str, message: str, reason: str) -> None:
        if trouble not in self._warned:
            self._warned.add(trouble)
            log_safely(logger.warning, message, reason)

    async def close(self) -> None:
        """Close the database and the bus, each within a second."""
        for resource in (self._bus, self._database):
            if resource is not None:
                with suppress(StoreError, OSError, TimeoutError):
                    async with asyncio.timeout(_CLOSE_TIMEOUT):
                        await resource.close()


def _may_be_of_data(error: Exception, batch: Batch) -> bool:
    """Whether an event of `batch` may be at fault, and not a lack of threads or memory, or a driver that broke."""
    return isinstance(error, _OF_THE_DATA) or (batch.is_suspect and not isinstance(error, MemoryError))


def _is_sqlite_file(url: SecretStr) -> bool:
    """Whether `url` names a file of SQLite's. What is only in memory would be gone when its connection is closed."""
    scheme, _, place = url.get_secret_value().partition("://")
    in_memory = not place or ":memory:" in place or "mode=memory" in place
    return scheme.startswith("sqlite") and not in_memory

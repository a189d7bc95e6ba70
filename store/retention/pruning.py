"""Deleting what a policy no longer keeps: events, their counts by minute, dead letters."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from store.database import Database
from store.errors import StoreUnavailableError, one_line
from store.partitions import ensure_partitions, is_partitioned
from store.retention.clock import reference
from store.retention.expired_events import ExpiredEvents, delete_expired
from store.retention.expired_partitions import ExpiredPartitions
from store.retention.expired_records import ExpiredCounts, ExpiredLetters
from store.retention.kept_back import kept_back
from store.retention.policy import Cutoffs, RetentionPolicy
from store.retention.write_ahead_log import cut_off_log
from store.search.cleaning import clean_search_index
from store.short_transactions import ShortTransactions

logger = logging.getLogger(__name__)
_LOG_LOOKED_AT_EVERY = 50
"""Transactions between two looks at SQLite's write-ahead log."""
_LOG_PAGES = 4096
"""Its length, from which it is cut off: 16 MiB with pages of the usual size."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or what would be.

    Args:
        deleted: events by category, those of dropped partitions included.
        rollup_cells: counts by minute and kind.
        dead_letters: events that could not be stored.
        partitions: the PostgreSQL partitions that were dropped whole.
        chunks: transactions that it took.
        longest_lock: the longest time that other writers were kept waiting, seconds.
        kept_back: events that this machine's clock alone would have had deleted.
        clock_note: why this machine's clock is not believed, in one line; None when it is.
        notes: what else was not done and why, each in one line.
    """

    deleted: Mapping[str, int] = field(default_factory=dict[str, int])
    rollup_cells: int = 0
    dead_letters: int = 0
    partitions: Sequence[str] = ()
    chunks: int = 0
    longest_lock: float = 0.0
    kept_back: int = 0
    clock_note: str | None = None
    notes: Sequence[str] = ()

    @property
    def events(self) -> int:
        """Events of all categories."""
        return sum(self.deleted.values())


async def prune(
    database: Database,
    policy: RetentionPolicy,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
    trust_clock: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Pruned:
    """Delete what `policy` no longer keeps, oldest first, in many short transactions.

    `EventRepository.count` stays exact: events are deleted and taken off the counts in one transaction. (While
    partitions are dropped, it is too high until the end.) Others may write meanwhile, and prune. A run that is cut
    short leaves nothing half done: the next one goes on.

    Ages are counted from `now` (this machine's clock when it is None), but from no later than the database server's
    clock or a day after the newest event: a clock that is wrong would delete everything. So a store where nothing
    happens keeps its events, and says so; `trust_clock` counts from `now` all the same. SQLite has no second clock:
    once events were recorded by one that is wrong, nothing tells.

    On PostgreSQL, where the events are partitioned, this also makes the partitions of the next months.

    Args:
        database: an open store.
        policy: what is kept.
        now: an aware moment.
        dry_run: tell what would be deleted, and delete nothing.
        trust_clock: believe `now`, whatever the other clocks say.
        progress: called with the number of events deleted so far.

    Raises:
        StoreUnavailableError: the database failed. What was deleted before that is logged and stays deleted.
        ValueError: `now` has no zone.
    """
    moment = datetime.now(UTC) if now is None else now
    if moment.tzinfo is None:
        raise ValueError("now: a moment with a zone is needed")
    run = _Run(database, policy, dry_run, progress)
    try:
        return await run.prune(moment.astimezone(UTC), trust_clock=trust_clock)
    finally:
        run.log()


class _Run:
    """One run of `prune`: what it has deleted so far."""

    def __init__(
        self,
        database: Database,
        policy: RetentionPolicy,
        dry_run: bool,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._database = database
        self._policy = policy
        self._dry_run = dry_run
        self._progress = progress
        self._transactions = ShortTransactions(database)
        self._deleted: Counter[str] = Counter()
        self._records: Counter[str] = Counter()
        self._partitions: list[str] = []
        self._clock_note: str | None = None
        self._notes: list[str] = []
        self._log_looked_at = 0

    async def prune(self, machine: datetime, *, trust_clock: bool) -> Pruned:
        async with self._database.read() as connection:
            now = await reference(connection, machine, trust_clock=trust_clock)
            cutoffs, wanted = self._policy.cutoffs(now.moment), self._policy.cutoffs(machine)
            kept = await kept_back(connection, cutoffs, wanted) if now.note else 0
        if now.note:
            self._clock_note = f"{now.note}; {kept} events are kept that are too old by it"
        if await is_partitioned(self._database):
            await self._prune_partitions(ExpiredPartitions(self._database, cutoffs, now.moment), machine)
        await self._prune_events(cutoffs)
        if cutoffs.rollups is not None:
            await self._prune_records(ExpiredCounts(self._database, cutoffs.rollups))
        if cutoffs.dead_letters is not None:
            await self._prune_records(ExpiredLetters(self._database, cutoffs.dead_letters))
        if not self._dry_run:
            await self._clean_index()
            await cut_off_log(self._database)
        return Pruned(
            deleted=dict(self._deleted),
            rollup_cells=self._records[ExpiredCounts.name],
            dead_letters=self._records[ExpiredLetters.name],
            partitions=tuple(self._partitions),
            chunks=self._transactions.count,
            longest_lock=self._transactions.longest,
            kept_back=kept,
            clock_note=self._clock_note,
            notes=tuple(self._notes),
        )

    def log(self) -> None:
        for note in filter(None, (self._clock_note, *self._notes)):
            logger.warning("retention: %s", note)
        if self._dry_run:
            return
        for name in self._partitions:
            logger.info("retention: dropped the partition %s", name)
        for category, number in sorted(self._deleted.items()):
            logger.info("retention: deleted %d events of category %s", number, one_line(category))
        for name, number in sorted(self._records.items()):
            logger.info("retention: deleted %d %s", number, name)

    async def _prune_partitions(self, expired: ExpiredPartitions, machine: datetime) -> None:
        try:
            if self._dry_run:
                self._partitions += await expired.tell(self._count)
                return
            self._notes += await ensure_partitions(self._database, machine, self._transactions)
            self._notes += await expired.drop(self._transactions, self._count, self._partitions.append)
        except StoreUnavailableError as error:
            # Their events are deleted one by one all the same.
            self._notes.append(str(error))

    async def _prune_events(self, cutoffs: Cutoffs) -> None:
        async with aclosing(ExpiredEvents(self._database, cutoffs).batches()) as batches:
            async for expired in batches:
                if self._dry_run:
                    self._count(expired.categories)
                    continue
                await self._transactions.for_each(
                    expired.keys, partial(delete_expired, conditions=expired.conditions), self._count
                )
                await self._bound_log()

    async def _prune_records(self, expired: ExpiredCounts | ExpiredLetters) -> None:
        if self._dry_run:
            self._records[expired.name] += await expired.count()
            return
        async with aclosing(expired.batches()) as batches:
            async for items in batches:
                await self._transactions.for_each(items, expired.delete, self._records.update)
                await self._bound_log()

    async def _clean_index(self) -> None:
        try:
            await clean_search_index(self._database)
        except StoreUnavailableError as error:
            # What is left there takes room, and is left to the next one.
            self._notes.append(str(error))

    async def _bound_log(self) -> None:
        if self._transactions.count >= self._log_looked_at + _LOG_LOOKED_AT_EVERY:
            self._log_looked_at = self._transactions.count
            await cut_off_log(self._database, from_pages=_LOG_PAGES)

    def _count(self, deleted: Counter[str]) -> None:
        self._deleted.update(deleted)
        if deleted and self._progress is not None:
            self._progress(self._deleted.total())

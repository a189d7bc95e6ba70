"""The run of an erasure: everything that holds identity, one after the other, in short transactions."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from store import appending
from store.erasure.erased_events import ErasedEvents
from store.erasure.holders import Holder, holders
from store.erasure.identity import Identity, Replacement
from store.erasure.pending import Pending, new_pseudonym
from store.event import ActorType, Event
from store.events import EventStore
from store.personal import DEFAULT_PLACES, PersonalPlaces
from store.retention.detached_partitions import detached
from store.search.purging import purge_search_index
from store.short_transactions import ShortTransactions
from store.spool.rewriting import Rewritten, rewrite

logger = logging.getLogger(__name__)
ERASED_TYPE = "actor.erased"
SPOOLED = "spooled"
COMPACTED_MAX_BYTES = 256 * 1024 * 1024
"""A file of SQLite's up to this size is written anew without being asked for: some seconds, in which others wait."""
SERVER_NOTES = {
    "postgresql": "PostgreSQL keeps what was replaced until VACUUM ANALYZE has run, and in logs, replicas and backups",
    "mariadb": "MariaDB keeps what was replaced until it purges its history, and in binary logs, replicas and backups",
}
"""What the server still has when all is done."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What was changed, or would be.

    Args:
        pseudonym: what the actor is called from now on; None of a dry run, and when nothing was found.
        counts: how many events, dead letters, counters, snapshots and spooled records, in this run and those before it.
        event: what was recorded of it; None when nothing was found, or another run has recorded it.
        left: what could not be changed, and why, each in one line. Run it again when that is settled.
        notes: what else is to be known, each in one line.
    """

    pseudonym: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    event: Event | None = None
    left: Sequence[str] = ()
    notes: Sequence[str] = ()

    @property
    def total(self) -> int:
        """All of the counts."""
        return sum(self.counts.values())


async def erase(
    store: EventStore,
    identity: Identity,
    *,
    places: Iterable[str] = DEFAULT_PLACES,
    everywhere: bool = False,
    spools: Sequence[Path] = (),
    by: str | None = None,
    compact: bool | None = None,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Erased:
    """Put a pseudonym in the place of `identity` in everything that is stored, and record that as `actor.erased`.

    In short transactions: others may read and write meanwhile. A run that is killed leaves whole events, and the next
    one goes on with the same pseudonym. Who is recorded during the run is found as well, up to its last transaction; a
    producer that goes on with the actor brings it back.

    Args:
        store: an open store, on whose bus the event is announced.
        identity: who.
        places: personal data in metadata, which is taken out of the events of the actor.
        everywhere: replace the id in all events in which it stands as a word, however short it is.
        spools: roots of spools on this machine.
        by: the user who asked for it, for the event.
        compact: write SQLite's file anew, so that free space in it has nothing of the past either; None does so up to
            `COMPACTED_MAX_BYTES`.
        dry_run: tell what would be changed, and change nothing.
        progress: called with how much was changed so far.

    Raises:
        StoreUnavailableError: the database failed. What was changed before that stays changed.
        OSError: a spool cannot be read or written.
    """
    run = _Run(store, identity, PersonalPlaces(places), everywhere, spools, progress)
    if dry_run:
        return await run.look()
    return await run.erase(by, compact)


class _Run:
    def __init__(
        self,
        store: EventStore,
        identity: Identity,
        places: PersonalPlaces,
        everywhere: bool,
        spools: Sequence[Path],
        progress: Callable[[int], None] | None,
    ) -> None:
        self._store, self._database = store, store.database
        self._identity, self._places, self._everywhere = identity, places, everywhere
        self._spools = spools
        self._progress = progress
        self._transactions = ShortTransactions(self._database)
        self._changed: Counter[str] = Counter()
        self._left: list[str] = []

    async def look(self) -> Erased:
        """Count what there is."""
        replacement = self._replacement(new_pseudonym())
        for holder in holders(self._database, replacement):
            async with aclosing(holder.changes()) as batches:
                async for changes in batches:
                    self._count(Counter({holder.name: len(changes)}))
            self._note_unreadable(holder)
        await self._rewrite_spools(replacement, dry_run=True)
        return Erased(None, dict(self._changed), None, tuple(self._left), ())

    async def erase(self, by: str | None, compact: bool | None) -> Erased:
        """Change it all, and record it."""
        pending = await self._transactions.run(lambda connection: Pending.begun(connection, self._identity))
        replacement = self._replacement(pending.pseudonym)
        # First what may be stored from, so that it comes in as it is to be.
        spooled = await self._rewrite_spools(replacement, dry_run=False)
        await self._transactions.run(partial(pending.note, changed=+Counter({SPOOLED: spooled})))
        found = holders(self._database, replacement)
        for holder in found:
            async with aclosing(holder.changes()) as batches:
                async for changes in batches:
                    await self._transactions.for_each(
                        changes, partial(self._change, holder, pending), self._count
                    )
            self._note_unreadable(holder)
        counts, appended = await self._transactions.run(partial(self._end, pending, found, by))
        event = appended.events[0] if appended.events else None
        if event is not None:
            await self._store.announce(appended)
            logger.info("erased an actor, who is %s now", pending.pseudonym)
        # Also when nothing was found: a run before this one may have been killed here.
        await self._forget_copies()
        notes = await self._clear_remains(compact)
        pseudonym = pending.pseudonym if counts else None
        return Erased(pseudonym, dict(counts), event, tuple(self._left), tuple(notes if counts else ()))

    def _replacement(self, pseudonym: str) -> Replacement:
        return Replacement(self._identity, pseudonym, self._places, everywhere=self._everywhere)

    async def _change(
        self, holder: Holder, pending: Pending, connection: AsyncConnection, changes: Sequence[Any]
    ) -> Counter[str]:
        await _overwrite_what_goes(connection)
        changed = await holder.change(connection, changes)
        await pending.note(connection, changed)
        return changed

    async def _end(
        self, pending: Pending, found: Sequence[Holder], by: str | None, connection: AsyncConnection
    ) -> tuple[Counter[str], appending.Appended]:
        """The last transaction, in which nobody else appends: what came in meanwhile, the event, and no way back."""
        for holder in found:
            if late := await holder.after(connection):
                await self._change(holder, pending, connection, late)
        await _overwrite_what_goes(connection)
        counts = await pending.end(connection)
        if not counts:
            return Counter(), appending.Appended([], 0)
        return counts, await appending.append(connection, [self._event(pending.pseudonym, counts, by)])

    async def _forget_copies(self) -> None:
        """Have Redis drop what it adds up, and keeps for a while, under the name that the actor had."""
        await self._store.counters.flush()
        await self._store.read_models.forget()

    def _event(self, pseudonym: str, counts: Mapping[str, int], by: str | None) -> Event:
        is_itself = self._identity == Identity("user", by or "")
        return Event(
            event_type=ERASED_TYPE,
            actor_type=ActorType.SYSTEM if by is None else ActorType.USER,
            actor_id=pseudonym if is_itself else by,
            resource_type=self._identity.actor_type,
            resource_id=pseudonym,
            metadata={name: number for name, number in sorted(counts.items()) if number},
        )

    async def _rewrite_spools(self, replacement: Replacement, *, dry_run: bool) -> int:
        def change(payload: bytes) -> bytes | None:
            written = replacement.document(payload.decode(errors="surrogateescape"))
            return None if written is None else written.encode(errors="surrogateescape")

        number = 0
        for root in self._spools:
            done: Rewritten = await asyncio.to_thread(rewrite, root, change, dry_run=dry_run)
            number += done.changed
            self._left += [f"{path}: a running process has this spool" for path in done.in_use]
            self._left += [
                f"{path}: it cannot be read, and may have anything in it" for path in done.unreadable
            ]
        if number:
            self._count(Counter({SPOOLED: number}))
        return number

    async def _clear_remains(self, compact: bool | None) -> list[str]:
        """See that what was replaced is not left in the files either, as far as that is in our hands."""
        await purge_search_index(self._database)
        if self._database.dialect == "postgresql":
            async with self._database.read() as connection:
                self._left += [
                    f"{name}: a partition that is being dropped may have events of it; prune goes on with that"
                    for name in await detached(connection)
                ]
        if self._database.dialect != "sqlite":
            return [SERVER_NOTES[self._database.dialect]] if self._database.dialect in SERVER_NOTES else []
        if compact is None:
            compact = await self._size() <= COMPACTED_MAX_BYTES
        cleared = await self._database.clear_remains(compact=compact)
        if not cleared:
            self._left.append("others use the store, so that its log still has what was replaced")
        return (
            []
            if compact
            else ["free space in the file may have copies from before; --compact writes it anew"]
        )

    async def _size(self) -> int:
        """Bytes of SQLite's file."""
        async with self._database.read() as connection:
            pages, size = [
                (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar_one()
                for name in ("page_count", "page_size")
            ]
        return pages * size

    def _note_unreadable(self, holder: Holder) -> None:
        if isinstance(holder, ErasedEvents) and holder.unreadable:
            self._left.append(f"{holder.unreadable:,} rows that are no events may be about it")

    def _count(self, changed: Counter[str]) -> None:
        self._changed += changed
        if self._progress is not None:
            self._progress(self._changed.total())


async def _overwrite_what_goes(connection: AsyncConnection) -> None:
    """Have SQLite write zeros over what is deleted or replaced, which it otherwise leaves in the file."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("PRAGMA secure_delete = ON")

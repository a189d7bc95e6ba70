"""What a recorder took and what became of it: the bounded queue, and the account that must balance."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from store.recorder.stats import RecorderStats

QUEUE_FULL = "queue full"
CLOSED = "closed"


@dataclass(slots=True)
class _Account:
    """Counts that only grow, but for `held` and `spooled`. `held` are in memory, and taken from the queue.

    `refused` were dropped before they were queued, `dropped` afterwards.
    """

    taken: int = 0
    held: int = 0
    recovered: int = 0
    sampled_out: int = 0
    spooled: int = 0
    stored: int = 0
    duplicates: int = 0
    dead_lettered: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    dropped: Counter[str] = field(default_factory=Counter[str])
    announced: int = 0
    retries: int = 0
    listener_failures: int = 0
    listener_overflows: int = 0
    away: str | None = None


class Ledger:
    """A queue of encoded events, bounded by number and by bytes, and the account of all that went through it.

    Any thread may use it. Nothing in it waits for longer than another thread needs to move a few numbers. A signal
    handler or a destructor may interrupt it and record an event: that is looked at when the interrupted call is done.
    """

    def __init__(self, max_events: int, max_bytes: int) -> None:
        self._max_events, self._max_bytes = max_events, max_bytes
        self._place_bytes = max(1, max_bytes // max_events)
        # Whatever interrupts a thread that holds the lock must not wait for it.
        self._lock = threading.RLock()
        self._busy = False
        self._interruptions: deque[bytes | str] = deque()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = self._held_bytes = 0
        self._account = _Account()
        self.closed = False
        """Whether everything that is offered is dropped."""

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, payload: bytes) -> int:
        """Queue `payload`, or drop and count it. Returns how many places are taken then; 0 when it was dropped."""
        return self._enter(payload)

    def refuse(self, reason: str) -> None:
        """Count an event that was dropped before it was queued."""
        self._enter(reason)

    def _enter(self, entry: bytes | str) -> int:
        with self._lock:
            if self._busy:
                self._interruptions.append(entry)
                return 1
            self._busy = True
            try:
                places = self._offer(entry)
            finally:
                self._busy = False
            while self._interruptions:
                self._busy = True
                try:
                    self._offer(self._interruptions.popleft())
                finally:
                    self._busy = False
            return places

    def _offer(self, entry: bytes | str) -> int:
        """Queue an event, or count one that is dropped for a reason."""
        if isinstance(entry, str):
            self._account.refused[entry] += 1
            return 0
        size, waiting = len(entry), len(self._queue)
        if self.closed:
            self._account.refused[CLOSED] += 1
            return 0
        if (
            waiting + self._account.held >= self._max_events
            or self._queued_bytes + self._held_bytes + size > self._max_bytes
        ):
            self._account.refused[QUEUE_FULL] += 1
            return 0
        self._queued_bytes += size
        # Reckoned first: where the stack ends, an event that is queued must not be reported as dropped.
        places = max(waiting + 1, self._queued_bytes // self._place_bytes)
        self._queue.append(entry)
        return places

    def close(self) -> None:
        """Drop and count what is offered from now on."""
        with self._lock:
            self.closed = True

    def sample_out(self) -> None:
        """Count an event that sampling left out."""
        with self._lock:
            self._account.sampled_out += 1

    @property
    def away(self) -> str | None:
        """Why the database cannot be used; None when it can, as far as is known."""
        return self._account.away

    @property
    def places(self) -> int:
        """How many places of the queue are taken: a large event takes as many as its share of the bytes."""
        return max(len(self._queue), self._queued_bytes // self._place_bytes)

    @property
    def half(self) -> int:
        """Half of the places that there are."""
        return max(1, self._max_events // 2)

    @property
    def goal(self) -> int:
        """How many must have left the memory for everything queued until now to have left it."""
        with self._lock:
            return self._account.taken + len(self._queue)

    @property
    def left(self) -> int:
        """How many have left the memory: they are on disk, or in the database, or dropped and counted.

        They are the oldest as long as whoever takes events lets them leave in the order in which they came.
        """
        with self._lock:
            return self._account.taken - self._account.held

    @property
    def lost(self) -> int:
        """How many were dropped after they had been queued or spooled."""
        with self._lock:
            return self._account.dropped.total()

    def take(self, limit: int, max_bytes: float = inf) -> list[bytes]:
        """The oldest of the queue, to be settled by whoever takes them: `limit` at most, of `max_bytes` together.

        One is taken in any case.
        """
        with self._lock:
            payloads: list[bytes] = []
            size = 0
            while self._queue and len(payloads) < limit:
                size += len(self._queue[0])
                if payloads and size > max_bytes:
                    break
                payloads.append(self._queue.popleft())
            self._move(payloads, 1)
            return payloads

    def put_back(self, payloads: Sequence[bytes]) -> None:
        """Undo a `take`: `payloads` are the oldest of the queue again."""
        with self._lock:
            self._queue.extendleft(reversed(payloads))
            self._move(payloads, -1)

    def _move(self, payloads: Sequence[bytes], sign: int) -> None:
        """Count `payloads` as taken from the queue; with -1 as `sign`, as put back."""
        size = sum(map(len, payloads))
        self._queued_bytes -= sign * size
        self._held_bytes += sign * size
        self._account.taken += sign * len(payloads)
        self._account.held += sign * len(payloads)

    def drop_queue(self) -> None:
        """Drop what is queued, because the recorder was closed."""
        payloads = self.take(len(self._queue))
        self.settle(dropped=len(payloads), reason=CLOSED, freed=sum(map(len, payloads)))

    def spool(self, count: int, freed: int) -> None:
        """Move `count` events, of `freed` bytes, from memory to disk."""
        with self._lock:
            self._account.held -= count
            self._account.spooled += count
            self._held_bytes -= freed

    def unspool(self, count: int, size: int) -> None:
        """Undo a `spool`: `count` events, of `size` bytes, that are not settled yet, are in memory alone again."""
        with self._lock:
            self._account.spooled -= count
            self._account.held += count
            self._held_bytes += size

    def recover(self, count: int) -> None:
        """Count events that were found on disk."""
        with self._lock:
            self._account.recovered += count
            self._account.spooled += count

    def settle(
        self,
        *,
        stored: int = 0,
        duplicates: int = 0,
        dead_lettered: int = 0,
        dropped: int = 0,
        reason: str = "",
        spooled: int = 0,
        freed: int = 0,
    ) -> None:
        """Account for events that are done with: `spooled` of them were on disk, the others in memory.

        `freed` are the bytes of those in memory.
        """
        with self._lock:
            account = self._account
            count = stored + duplicates + dead_lettered + dropped
            account.spooled -= spooled
            account.held -= count - spooled
            account.stored += stored
            account.duplicates += duplicates
            account.dead_lettered += dead_lettered
            if dropped > 0:
                account.dropped[reason] += dropped
            self._held_bytes -= freed

    def note(self, *, announced: int = 0, failures: int = 0, overflows: int = 0) -> None:
        """Count what happened to stored events besides."""
        with self._lock:
            self._account.announced += announced
            self._account.listener_failures += failures
            self._account.listener_overflows += overflows

    def note_away(self, reason: str | None) -> None:
        """Note that an attempt to commit failed, or with None that one succeeded."""
        with self._lock:
            self._account.retries += reason is not None
            self._account.away = reason

    def stats(self) -> RecorderStats:
        """The account as of now. It balances at every moment."""
        with self._lock:
            account = self._account
            queued, refused = len(self._queue), account.refused.copy()
            return RecorderStats(
                accepted=account.taken + queued + refused.total(),
                recovered=account.recovered,
                sampled_out=account.sampled_out,
                queued=queued + account.held,
                spooled=account.spooled,
                stored=account.stored,
                duplicates=account.duplicates,
                dead_lettered=account.dead_lettered,
                dropped=dict(refused + account.dropped),
                announced=account.announced,
                retries=account.retries,
                listener_failures=account.listener_failures,
                listener_overflows=account.listener_overflows,
                away=account.away,
            )

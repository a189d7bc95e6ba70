"""The feed: one routine for start, reconnect and repair. Subscribe first, read the store, merge by id.

The store is the truth and the bus a hint: whatever the bus loses is read from the store, and said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from monitor.inbox import Inbox
from monitor.model.arrivals import Arrivals, FeedStatus, Link, Opening, Tally
from monitor.model.catching_up import KnownIds, Seen, SequenceTracker, Watermark
from monitor.model.counts import WINDOW_MINUTES
from monitor.model.gaps import Gap, GapState
from store import wire
from store.bus import Bus, Disconnected, Messages, Subscribed
from store.errors import StoreError
from store.event import Event
from store.query.syntax import EVERYTHING, Node
from store.repository import Overview

FRAME = 0.1
"""Seconds between two deliveries at least; the first event after a quiet spell is delivered at once."""
SAFETY_POLL = 2.0
"""Seconds between two looks at the store's last position while the bus is there."""
POLL = 0.25
"""The same while there is no bus, and while an announcement is awaited that may be lost."""
OPENING_PAGE = 500
CATCH_UP_PAGE = 1000
CATCH_UP_LIMIT = 20_000
"""After missing more than this, the console starts over with the newest page and says so."""
CONFIRM_WITHIN = 10.0
"""Seconds until an event that came by the bus alone counts as not stored."""
MAX_UNCONFIRMED = 1000
_DECODE_CHUNK = 2000
_HISTORY = 2000


class Reader(Protocol):
    """What the feed reads from the store; `store.repository.EventRepository` is one."""

    commit_overlap: int
    unreadable: int

    async def overview(self, limit: int, since: datetime, query: Node = EVERYTHING) -> Overview: ...  # noqa: D102

    async def after(self, position: int, limit: int = 1000, query: Node = EVERYTHING) -> list[Event]: ...  # noqa: D102

    async def newest_of_types(self, patterns: Iterable[str], limit: int) -> list[Event]: ...  # noqa: D102

    async def last_position(self) -> int: ...  # noqa: D102

    async def get(self, ids: Iterable[UUID]) -> list[Event]: ...  # noqa: D102


@dataclass(slots=True)
class _Outgoing:
    """What the next frame will bring."""

    tally: Tally = field(default_factory=Tally)
    opening: Opening | None = None
    events: list[Event] = field(default_factory=list[Event])
    unconfirmed: set[UUID] = field(default_factory=set[UUID])
    gaps: dict[int, Gap] = field(default_factory=dict[int, Gap])
    confirmed: list[UUID] = field(default_factory=list[UUID])
    missing: list[UUID] = field(default_factory=list[UUID])

    def has_something(self) -> bool:
        return bool(self.opening or self.events or self.gaps or self.confirmed or self.missing)


class Feed:
    """Merges the bus and the store into `Arrivals` and hands them to `deliver`, at most one a frame.

    `interest` are event types (globs) whose latest events are wanted at the start, however old.
    """

    def __init__(
        self,
        reader: Reader,
        bus: Bus | None,
        deliver: Callable[[Arrivals], None],
        *,
        interest: Iterable[str] = (),
        frame: float = FRAME,
        safety_poll: float = SAFETY_POLL,
        poll: float = POLL,
        inbox: Inbox | None = None,
    ) -> None:
        self._reader = reader
        self._bus = bus
        self._deliver = deliver
        self._interest = tuple(interest)
        self._frame = frame
        self._safety_poll = safety_poll
        self._poll = poll
        self._inbox = inbox or Inbox()
        self._known = KnownIds()
        self._watermark = Watermark()
        self._sequences = SequenceTracker()
        self._floor = 0
        self._awaited = 0
        self._unconfirmed: dict[UUID, float] = {}
        self._status = FeedStatus(Link.CONNECTING if bus else Link.POLLING, _now(), "" if bus else "no bus")
        self._tally = Tally()
        self._gap: Gap | None = None
        self._gap_numbers = 0
        self._catch_up_due = False
        self._status_changed = False
        self._outgoing = _Outgoing()

    async def run(self) -> None:
        """Feed until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._bus is not None:
                tasks.create_task(self._listen(self._bus), name="feed: listen")
            tasks.create_task(self._pump(), name="feed: pump")

    async def _listen(self, bus: Bus) -> None:
        async with bus.subscribe() as signals:
            async for signal in signals:
                match signal:
                    case Messages(payloads):
                        self._inbox.put(payloads)
                    case Subscribed():
                        self._connected()
                    case Disconnected():
                        self._disconnected(signal)

    def _connected(self) -> None:
        if self._status.link is not Link.CONNECTING:
            self._catch_up_due = True
            if self._gap is None:
                self._open_gap("subscription renewed")
        self._show(FeedStatus(Link.LIVE, _now(), store_error=self._status.store_error))

    def _disconnected(self, signal: Disconnected) -> None:
        was = self._status.link
        if was is Link.LIVE:
            self._open_gap("connection lost")
        link = Link.POLLING if was in {Link.CONNECTING, Link.POLLING} else Link.RECONNECTING
        since = self._status.since if was is link else _now()
        status = FeedStatus(link, since, signal.reason, signal.attempt, signal.retry_in)
        self._show(replace(status, store_error=self._status.store_error))

    async def _pump(self) -> None:
        await self._first_signal()
        await self._until_the_store_answers(self._open)
        next_poll = time.monotonic()
        while True:
            if self._status_changed or self._inbox.dropped or self._catch_up_due or self._inbox:
                self._inbox.changed.clear()
                await self._take_in()
            if time.monotonic() >= next_poll or self._catch_up_due:
                await self._until_the_store_answers(self._look_at_the_store)
                hurried = self._awaited or self._status.link is not Link.LIVE
                next_poll = time.monotonic() + (self._poll if hurried else self._safety_poll)
            self._hand_on()
            await asyncio.sleep(self._frame)
            if not self._inbox and not self._status_changed and not self._catch_up_due:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, next_poll - time.monotonic())):
                        await self._inbox.changed.wait()

    async def _first_signal(self) -> None:
        """Give the bus a moment: subscribing before reading is what leaves no hole between the two."""
        self._hand_on(always=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                while self._status.link is Link.CONNECTING:
                    self._inbox.changed.clear()
                    await self._inbox.changed.wait()

    async def _open(self) -> None:
        since = _now() - timedelta(minutes=WINDOW_MINUTES)
        overview = await self._reader.overview(OPENING_PAGE, since)
        overlap = self._reader.commit_overlap
        recent = (
            await self._reader.after(max(0, overview.last_position - overlap), overlap) if overlap else []
        )
        history = await self._reader.newest_of_types(self._interest, _HISTORY) if self._interest else []
        for event in (*overview.newest, *recent):
            self._known.note(event.id, Seen.STORE)
        self._floor = max(0, overview.last_position - overlap)
        self._watermark = Watermark(overview.last_position)
        self._catch_up_due = False
        self._outgoing = _Outgoing(
            opening=Opening(
                tuple(overview.newest),
                tuple(overview.rollups),
                tuple(history),
                has_older=len(overview.newest) >= OPENING_PAGE,
            ),
            gaps=self._outgoing.gaps,
        )
        self._status_changed = True

    async def _take_in(self) -> None:
        if self._inbox.dropped:
            dropped, self._inbox.dropped = self._inbox.dropped, 0
            self._tally = replace(self._tally, dropped=self._tally.dropped + dropped)
            self._open_gap(f"buffer overflow, {dropped} messages")
            self._catch_up_due = True
        payloads = self._inbox.take(_DECODE_CHUNK)
        now = time.monotonic()
        for payload in payloads:
            try:
                announcement = wire.decode(payload)
            except wire.MalformedMessageError:
                self._tally = replace(self._tally, malformed=self._tally.malformed + 1)
                continue
            if announcement.producer is not None and announcement.sequence is not None:
                missed = self._sequences.missed_before(announcement.producer, announcement.sequence)
                if missed:
                    self._missed(missed)
            self._accept(announcement.event, Seen.BUS, now)

    def _accept(self, event: Event, where: Seen, now: float) -> bool:
        """Take in one event; False when it was there already."""
        if event.position is not None:
            if event.position <= self._floor:
                return False
            self._watermark.saw(event.position)
        before = self._known.note(event.id, where)
        if before:
            if where & before & Seen.BUS:
                self._tally = replace(self._tally, duplicates=self._tally.duplicates + 1)
            if where is Seen.STORE and self._unconfirmed.pop(event.id, None) is not None:
                self._outgoing.confirmed.append(event.id)
            return False
        if event.position is None and len(self._unconfirmed) < MAX_UNCONFIRMED:
            self._unconfirmed[event.id] = now
            self._outgoing.unconfirmed.add(event.id)
        self._outgoing.events.append(event)
        return True

    def _missed(self, count: int) -> None:
        self._tally = replace(self._tally, missed=self._tally.missed + count)
        if self._gap is None:
            self._open_gap(f"{count} announcements lost")
        self._catch_up_due = True

    async def _look_at_the_store(self) -> None:
        last = await self._reader.last_position()
        behind = last > self._watermark.position
        live = self._status.link is Link.LIVE
        # While the bus is there, a new commit gets a moment for its announcement to arrive.
        if self._catch_up_due or (behind and not live) or (self._awaited > self._watermark.position):
            self._catch_up_due = False
            await self._catch_up(last)
            self._awaited = 0
        else:
            self._awaited = last if behind else 0
        await self._confirm()

    async def _catch_up(self, last: int) -> None:
        """Read what was committed after the watermark, fold it in by id, and close the gap."""
        if last - self._watermark.position > CATCH_UP_LIMIT:
            await self._start_over(last)
            return
        if self._gap is not None and self._status.link is Link.LIVE:
            self._show_gap(replace(self._gap, state=GapState.REPAIRING, until=_now()))
        position = max(0, self._watermark.position - self._reader.commit_overlap)
        now = time.monotonic()
        while True:
            page = await self._reader.after(position, CATCH_UP_PAGE)
            found = sum(self._accept(event, Seen.STORE, now) for event in page)
            self._tally = replace(self._tally, recovered=self._tally.recovered + found)
            if self._gap is not None:
                self._gap = self._gap.recovering(found)
            if page:
                position = page[-1].position or position
            if len(page) < CATCH_UP_PAGE:
                break
        self._watermark.advance_to(max(position, last))
        self._floor = max(self._floor, self._watermark.position - CATCH_UP_LIMIT)
        if self._gap is not None and self._status.link is not Link.RECONNECTING:
            self._show_gap(replace(self._gap, state=GapState.REPAIRED, until=self._gap.until or _now()))
            self._gap = None

    async def _start_over(self, last: int) -> None:
        left_out = last - self._watermark.position
        gap = self._gap or self._new_gap("too far behind")
        await self._open()
        self._show_gap(replace(gap, state=GapState.NOT_LOADED, until=_now(), left_out=left_out))
        self._gap = None

    async def _confirm(self) -> None:
        if not self._unconfirmed:
            return
        for event in await self._reader.get(self._unconfirmed):
            self._unconfirmed.pop(event.id, None)
            self._known.note(event.id, Seen.STORE)
            self._outgoing.confirmed.append(event.id)
        overdue = time.monotonic() - CONFIRM_WITHIN
        for identifier in [key for key, since in self._unconfirmed.items() if since <= overdue]:
            del self._unconfirmed[identifier]
            self._outgoing.missing.append(identifier)

    async def _until_the_store_answers(self, step: Callable[[], Coroutine[None, None, None]]) -> None:
        """Run `step` until it gets through: a store that is away is a state on the screen, not an end."""
        delay = self._poll
        while True:
            try:
                await step()
            except StoreError as error:
                self._show(replace(self._status, store_error=str(error)))
                self._hand_on()
                await asyncio.sleep(delay)
                delay = min(5.0, delay * 2)
                continue
            if self._status.store_error:
                self._show(replace(self._status, store_error=""))
            return

    def _open_gap(self, cause: str) -> None:
        if self._gap is None:
            self._gap = self._new_gap(cause)
            self._show_gap(self._gap)

    def _new_gap(self, cause: str) -> Gap:
        self._gap_numbers += 1
        return Gap(self._gap_numbers, cause, _now())

    def _show_gap(self, gap: Gap) -> None:
        self._gap = gap
        self._outgoing.gaps[gap.number] = gap

    def _show(self, status: FeedStatus) -> None:
        self._status = status
        self._status_changed = True
        self._inbox.changed.set()

    def _hand_on(self, *, always: bool = False) -> None:
        outgoing = self._outgoing
        unreadable = self._reader.unreadable
        if unreadable != self._tally.unreadable:
            self._tally = replace(self._tally, unreadable=unreadable)
            self._status_changed = True
        if not (always or self._status_changed or outgoing.has_something() or self._tally != outgoing.tally):
            return
        self._status_changed = False
        self._tally = replace(self._tally, received=self._tally.received + len(outgoing.events))
        self._outgoing = _Outgoing(tally=self._tally)
        self._deliver(
            Arrivals(
                replace(self._status, repairing=self._gap is not None),
                self._tally,
                outgoing.opening,
                tuple(outgoing.events),
                frozenset(outgoing.unconfirmed),
                tuple(outgoing.gaps.values()),
                tuple(outgoing.confirmed),
                tuple(outgoing.missing),
            )
        )


def _now() -> datetime:
    return datetime.now(UTC)

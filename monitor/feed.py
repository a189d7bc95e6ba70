"""The feed: one routine for start, reconnect and repair. Subscribe first, read the store, merge by id.

The store is the truth and the bus a hint: whatever the bus loses is read from the store, and said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from monitor.catch_up import PATIENCE, CatchUp, Reader
from monitor.errors import read_failure
from monitor.gap_record import GapRecord
from monitor.inbox import Inbox
from monitor.intake import CHUNK, Intake
from monitor.merge import Merge
from monitor.model.arrivals import Arrivals, FeedStatus, Link
from store.bus import Bus, Disconnected, Messages, Signal, Subscribed
from store.errors import StoreError
from store.signing import Signer

FOLDING = 0.05
"""Seconds of folding after which a frame is handed on, so that keys are answered while messages pour in."""
FRAME_MESSAGES = 2 * CHUNK
"""Messages after which it is handed on as well."""
FIRST_SIGNAL = 1.0
"""Seconds that the opening waits for the bus to say whether it is there."""
RESUBSCRIBE = 2.0
"""Seconds until the next try after a subscription failed in a way the bus does not handle itself."""
_STORE_RETRY_MAX = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """Times in seconds. `catch_up_limit` counts events.

    `frame` lies between two deliveries at least. The store's last position is looked at each `safety_poll`
    while the bus is there; each `poll` without one, and while an announcement is awaited that may be lost.
    An event that came by the bus alone counts as not stored after `confirm_within`. After missing more than
    `catch_up_limit` events, the console starts over with the newest page and says so.
    """

    frame: float = 0.1
    safety_poll: float = 2.0
    poll: float = 0.25
    confirm_within: float = 10.0
    catch_up_limit: int = 20_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Feed:
    """Merges the bus and the store into `Arrivals` and hands them to `deliver`, at most one a frame.

    Three tasks: one listens to the bus and fills the inbox, one follows the store, one takes from the inbox
    and hands on. A *hole* is a place in the stream where messages may be lost: what comes after it waits in
    the inbox until the store was read, unless the store is away.

    `interest` are event types (globs) whose latest events are wanted at the start, however old. With a `signer`, only
    what it signed is believed before the store confirms it.
    """

    def __init__(
        self,
        reader: Reader,
        bus: Bus | None,
        deliver: Callable[[Arrivals], None],
        *,
        interest: Iterable[str] = (),
        options: FeedOptions | None = None,
        inbox: Inbox | None = None,
        signer: Signer | None = None,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._bus = bus
        self._deliver = deliver
        self._options = options or FeedOptions()
        self._inbox = Inbox() if inbox is None else inbox
        self._now = now
        self._merge = Merge(signer)
        self._gaps = GapRecord(now)
        self._intake = Intake(self._inbox, self._merge, self._gaps)
        self._store = CatchUp(
            reader, self._merge, self._store_is_slow, interest=interest, limit=self._options.catch_up_limit
        )
        self._status = (
            FeedStatus(Link.POLLING, now(), "no bus") if bus is None else FeedStatus(Link.CONNECTING, now())
        )
        self._status_changed = True
        self.caught_up_at = 0.0
        """When the store was last asked, by `time.monotonic()`, and had nothing that was not handed on by now."""
        self._read_all_at = 0.0
        self._opening = False
        self._opened = False
        self._starts_over = self._started = False
        self._started_over = asyncio.Event()
        self._holes_read = 0
        self._awaited = 0
        self._signalled = asyncio.Event()
        self._something_new = asyncio.Event()
        self._flooded = asyncio.Event()
        self._look_now = asyncio.Event()
        self._bus_is_back = asyncio.Event()
        self._answer: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Feed until cancelled. Neither a store nor a bus that is away ends it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hand_on(), name="feed: hand on")
            if self._bus is not None:
                tasks.create_task(self._listen(self._bus), name="feed: listen")
            tasks.create_task(self._follow_store(), name="feed: follow the store")

    async def start_over(self) -> None:
        """Begin anew with the newest page, and wait until it is handed on: the clock is another one, say."""
        self._started_over.clear()
        self._starts_over = True
        self._look_now.set()
        await self._started_over.wait()

    # The bus

    async def _listen(self, bus: Bus) -> None:
        while True:
            try:
                async with bus.subscribe() as signals:
                    async for signal in signals:
                        self._heard(signal)
            except Exception as error:
                _log.warning("the subscription failed: %s", type(error).__name__)
                self._disconnected(Disconnected(type(error).__name__, 1, RESUBSCRIBE))
            else:
                self._lose_bus(FeedStatus(Link.POLLING, self._now(), "the bus is closed"))
                return
            await asyncio.sleep(RESUBSCRIBE)

    def _heard(self, signal: Signal) -> None:
        match signal:
            case Messages(payloads):
                dropped = self._inbox.put(payloads)
                if dropped:
                    self._merge.count(dropped=dropped)
                    self._gaps.open("buffer overflow")
                self._something_new.set()
                if len(self._inbox) >= CHUNK and not self._is_held:
                    self._flooded.set()
            case Subscribed():
                self._connected()
            case Disconnected():
                self._disconnected(signal)

    def _connected(self) -> None:
        if self._status.link is Link.LIVE:
            self._gaps.open("subscription renewed")
        if self._opening:
            self._inbox.mark_hole()
        self._bus_is_back.set()
        if self._status.store_error and self._answer is not None and not self._answer.expired():
            # What was cut together comes back together, but a connection that was forgotten on the way never answers.
            self._answer.reschedule(asyncio.get_running_loop().time())
        self._show(FeedStatus(Link.LIVE, self._now()))
        self._signalled.set()

    def _disconnected(self, signal: Disconnected) -> None:
        was = self._status.link
        link = Link.POLLING if was in {Link.CONNECTING, Link.POLLING} else Link.RECONNECTING
        since = self._status.since if was is link else self._now()
        retry_at = self._now() + timedelta(seconds=signal.retry_in)
        self._lose_bus(
            FeedStatus(link, since, signal.reason, signal.attempt, retry_at, retry_in=signal.retry_in)
        )

    def _lose_bus(self, status: FeedStatus) -> None:
        if self._status.link is Link.LIVE:
            self._gaps.open("connection lost")
            self._look_now.set()
        self._show(status)
        self._signalled.set()

    # The store

    async def _follow_store(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0 if self._bus is None else FIRST_SIGNAL):
                # Subscribing before reading is what leaves no hole between the two.
                await self._signalled.wait()
        await self._until_answered(self._open)
        while True:
            self._look_now.clear()
            await self._until_answered(self._look)
            hurried = self._awaited or self._status.link is not Link.LIVE
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.poll if hurried else self._options.safety_poll):
                    await self._look_now.wait()

    async def _open(self) -> None:
        self._opening = True
        await self._store.open(self._now())
        self._opened = True

    async def _look(self) -> None:
        """Find out whether commits were missed, and read them."""
        asked_at = time.monotonic()
        holes = self._intake.holes
        hole_met = holes > self._holes_read
        if hole_met and self._can_close:
            self._gaps.repairing()
            self._something_new.set()
        announced = self._merge.position
        last = await self._store.last_position()
        if self._starts_over:
            await self._store.open(self._now())
            self._starts_over, self._started = False, True
        elif self._store.went_back(last):
            self._gaps.open("the store was replaced")
            await self._store.open(self._now())
        elif announced > last:
            self._merge.go_back_to(last)
        behind = last > self._merge.position
        # While the bus is there, a new commit gets a moment for its announcement to arrive and be looked at.
        overdue = self._awaited > self._merge.position and self._intake.is_empty
        if hole_met or overdue or (behind and self._status.link is not Link.LIVE):
            await self._read_up_to(last)
            self._awaited = 0
        else:
            self._awaited = last if behind else 0
        self._holes_read = holes
        if last <= self._merge.position:
            self._read_all_at = asked_at
            self._something_new.set()
        if self._can_close and self._intake.holes == holes:
            self._gaps.close(lost=self._merge.settle())
        await self._store.confirm(self._options.confirm_within)

    async def _read_up_to(self, last: int) -> None:
        if self._store.too_far_behind(last):
            if not self._gaps.is_open:
                self._gaps.open("too far behind")
                self._something_new.set()
            self._gaps.left_out(await self._store.open(self._now()))
            return
        position = self._store.start
        while position < last:
            found, position = await self._store.read_page(position, last)
            self._gaps.recovered(found)
            if position < last:
                self._something_new.set()
                await asyncio.sleep(self._options.frame)

    async def _until_answered(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat `step` until it gets through: a store that is away is a state on the screen, not an end."""
        delay = self._options.poll
        while True:
            self._bus_is_back.clear()
            try:
                async with asyncio.timeout(None) as self._answer:
                    await step()
            except StoreError as error:
                self._show_store_error(str(error))
            except Exception as error:
                if self._answer is not None and self._answer.expired():
                    continue
                _log.warning("reading the store failed: %s", type(error).__name__)
                self._show_store_error(read_failure(error))
            else:
                self._show_store_error("")
                self._something_new.set()
                return
            finally:
                self._answer = None
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._bus_is_back.wait()
            delay = min(_STORE_RETRY_MAX, delay * 2)

    def _store_is_slow(self) -> None:
        self._show_store_error(f"no answer for {PATIENCE:g} s")

    def _show_store_error(self, text: str) -> None:
        if text != self._status.store_error:
            since = (self._status.store_error_since or self._now()) if text else None
            self._status = replace(self._status, store_error=text, store_error_since=since)
            self._note_status()

    # Handing on

    async def _hand_on(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._something_new.clear()
            began = loop.time()
            took = await self._fold(until=began + FOLDING)
            if self._deliver_frame() or took:
                # A frame collects what arrives meanwhile, unless that is a flood.
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(began + self._options.frame):
                        await self._flooded.wait()
                self._flooded.clear()
            if self._is_held or self._intake.is_empty:
                await self._something_new.wait()

    async def _fold(self, until: float) -> bool:
        """Fold what waits in the inbox; False when there was nothing. The event loop gets its turn between chunks."""
        loop = asyncio.get_running_loop()
        took = 0
        while not self._is_held:
            folded = self._intake.fold_some(can_wait=not self._status.store_error)
            took += folded
            if not folded or took >= FRAME_MESSAGES or loop.time() >= until:
                break
            await asyncio.sleep(0)
        if self._intake.holes > self._holes_read:
            self._look_now.set()
        return took > 0

    def _deliver_frame(self) -> bool:
        self._merge.unreadable(self._store.unreadable)
        read_all_at = self._read_all_at
        if not (self._status_changed or self._merge.has_news or self._gaps.has_news):
            self.caught_up_at = read_all_at
            return False
        self._status_changed = False
        status = replace(self._status, repairing=self._gaps.is_open)
        self._deliver(self._merge.take(status, self._gaps.take_changes()))
        self.caught_up_at = read_all_at
        if self._started:
            self._started = False
            self._started_over.set()
        return True

    # What the tasks share

    @property
    def _is_held(self) -> bool:
        """Whether messages wait for the store, so that what is read there comes before them."""
        unread = self._intake.holes > self._holes_read
        return not self._opened or (unread and not self._status.store_error)

    @property
    def _can_close(self) -> bool:
        """Whether the cause of a gap is over, as far as the bus and the stream tell."""
        return self._status.link is not Link.RECONNECTING and not self._inbox.has_holes

    def _show(self, status: FeedStatus) -> None:
        was = self._status
        self._status = replace(status, store_error=was.store_error, store_error_since=was.store_error_since)
        self._note_status()

    def _note_status(self) -> None:
        self._status_changed = True
        self._something_new.set()

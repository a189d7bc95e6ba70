"""Takes notifications to channels, beside everything else: one after another, again where that may help, counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from monitor.notify.channels import Channel, NotifyError
from monitor.notify.wording import Wording

WAITING_MAX = 100
"""Notifications that wait for one channel; of more the oldest is given up."""
ATTEMPTS = 5
FIRST_RETRY, LONGEST_RETRY = 1.0, 60.0
"""Seconds until the next attempt: they double, with a random part."""


@dataclass(frozen=True, slots=True)
class ChannelState:
    """What became of the notifications for one channel. `failure` is why the last one failed, empty when it did not."""

    name: str
    sent: int
    failed: int
    waiting: int
    failure: str


class Messenger:
    """Tells one channel. What it cannot tell is counted, and said by `state`; it never raises."""

    def __init__(self, channel: Channel, changed: Callable[[], None] = lambda: None) -> None:
        self._channel = channel
        self._changed = changed
        self._waiting: asyncio.Queue[Wording] = asyncio.Queue(WAITING_MAX)
        self._sent = self._failed = 0
        self._failure = ""
        self._telling = False

    @property
    def is_busy(self) -> bool:
        """Whether anything waits, or is on its way."""
        return self._telling or not self._waiting.empty()

    @cached_property
    def identity(self) -> str:
        """That of the channel. The first time it takes a while to work out."""
        return self._channel.identity()

    @property
    def state(self) -> ChannelState:
        """How it went so far."""
        return ChannelState(
            self._channel.name, self._sent, self._failed, self._waiting.qsize(), self._failure
        )

    def tell(self, wording: Wording) -> None:
        """Have it told, as soon as what waits before it is."""
        if self._waiting.full():
            self._waiting.get_nowait()
            self._fail("too many notifications wait")
        self._waiting.put_nowait(wording)

    async def run(self) -> None:
        """Tell what comes, until cancelled."""
        while True:
            wording = await self._waiting.get()
            self._telling = True
            try:
                await self._tell(wording)
            finally:
                self._telling = False

    async def _tell(self, wording: Wording) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: isinstance(error, NotifyError) and error.again),
            wait=wait_exponential_jitter(multiplier=FIRST_RETRY, max=LONGEST_RETRY),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    await self._channel.send(wording)
        except NotifyError as error:
            self._fail(str(error))
        except Exception as error:
            # A channel that fails in a way nobody thought of costs its notification, never the console.
            self._fail(f"{self._channel.name}: {type(error).__name__}")
        else:
            self._sent += 1
            self._failure = ""
            self._changed()

    def _fail(self, reason: str) -> None:
        self._failed += 1
        self._failure = reason
        self._changed()


async def run_all(messengers: Sequence[Messenger]) -> None:
    """Run several until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for messenger in messengers:
            tasks.create_task(messenger.run())

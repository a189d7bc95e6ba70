"""What was recorded since the last flush, as Redis has added it up."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from store.counters.keys import KEEP_SECONDS, WHOLE, Pending, epoch_key, field_of, key_of
from store.counters.tally import CounterKey
from store.redis_reply import reply_of

_log = logging.getLogger(__name__)
T = TypeVar("T")
_NUMBER = re.compile(rb"-?[0-9]{1,19}")
REPLY_TIMEOUT = 2.0
"""Seconds that the server is waited for: what it says can be found among the events."""
_ADD = """
for place = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[place], ARGV[place + 1]) end
redis.call('EXPIRE', KEYS[1], ARGV[1])
"""
"""Adds to many fields at once: a command for each costs the producer ten times as much."""
_READ_AT_ONCE = 1_000


class RedisPending:
    """Adds up and reads what is pending. What it says is a hint: where anything may be missing it says nothing."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._doubtful: set[int] = set()
        """Epochs of which this process does not know whether Redis took all that it added."""
        self._is_warned = False

    def add_to(self, pipeline: Pipeline, pending: Pending | None) -> int:
        """Put the commands for `pending` into `pipeline`, which goes on to other things. Returns how many they are."""
        before = len(pipeline.command_stack)
        untyped: Any = pipeline
        for epoch in self._doubtful:
            untyped.hdel(epoch_key(epoch), WHOLE)
        if pending is not None and pending.epoch and pending.added:
            added = [word for counter, by in pending.added.items() for word in (field_of(counter), by)]
            untyped.eval(_ADD, 1, epoch_key(pending.epoch), KEEP_SECONDS, *added)
        return len(pipeline.command_stack) - before

    def settle(self, pending: Pending | None, replies: Sequence[object] | None) -> None:
        """Take note of what Redis said to the commands of `add_to`; None when it is not known."""
        refused = [reply for reply in replies or () if isinstance(reply, RedisError)]
        if replies is not None and not refused:
            self._doubtful.clear()
            return
        if pending is not None and pending.epoch and pending.added:
            self._doubtful.add(pending.epoch)
        if refused and not self._is_warned:
            self._is_warned = True
            # Not its text, which may quote what it was sent.
            _log.warning(
                "counters are not shown at once: the bus refused them (%s)", type(refused[0]).__name__
            )

    async def begin(self, epoch: int) -> None:
        """Say that all that is added in `epoch` will be there, as nothing was added before."""
        await self._asked(self._client.hset(epoch_key(epoch), WHOLE, "1"))  # pyright: ignore[reportUnknownMemberType, reportArgumentType]
        await self._asked(self._client.expire(epoch_key(epoch), KEEP_SECONDS))

    async def is_whole(self, epoch: int) -> bool | None:
        """Whether all that was added in `epoch` is there; None when the server does not tell."""
        untyped: Any = self._client
        reply = await self._asked(untyped.hmget(epoch_key(epoch), [WHOLE]))
        return None if reply is None else reply[0] is not None

    async def drop(self, epoch: int) -> None:
        """Forget what was added in `epoch`; where the server is away, it is no longer read, and ends by itself."""
        await self._asked(self._client.delete(epoch_key(epoch)))

    async def get(self, epoch: int, keys: Sequence[CounterKey]) -> list[int] | None:
        """What was added to each of `keys` in `epoch`; None when some of it may be missing, or the server is away."""
        untyped: Any = self._client
        replies = await self._asked(untyped.hmget(epoch_key(epoch), [WHOLE, *map(field_of, keys)]))
        if replies is None or replies[0] is None:
            return None
        try:
            return [int(reply or 0) for reply in replies[1:]]
        except ValueError:
            return None

    async def all(self, epoch: int) -> Counter[CounterKey] | None:
        """All that was added in `epoch`; None when some of it may be missing, or the server is away."""
        return await self._asked(self._all(epoch))

    async def _all(self, epoch: int) -> Counter[CounterKey] | None:
        untyped: Any = self._client
        found: Counter[CounterKey] = Counter()
        is_whole = False
        async for field, value in untyped.hscan_iter(epoch_key(epoch), count=_READ_AT_ONCE):
            name = field.decode(errors="replace")
            is_whole = is_whole or name == WHOLE
            if (key := key_of(name)) is not None and _NUMBER.fullmatch(value):
                found[key] = int(value)
        return Counter({key: total for key, total in found.items() if total}) if is_whole else None

    async def _asked(self, reply: Awaitable[T]) -> T | None:
        return await reply_of(reply, REPLY_TIMEOUT)

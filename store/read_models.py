"""Read models: JSON that is costly to work out, kept in Redis for ten minutes, and dropped when an event says so.

The taxonomy declares which models are no longer right after an event (`invalidates`). Whoever announces such an event
moves the model's version on, in the same round trip: a copy of an earlier version is no longer read, nor is one that
somebody began to work out before. Where Redis is away, models are worked out each time.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from store.event import Event
from store.taxonomy import active

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")
LIFE_SECONDS = 600
REPLY_TIMEOUT = 1.0
"""Seconds that Redis is waited for, before a model is worked out."""
Source = Literal["cache", "computed"]


@dataclass(frozen=True, slots=True)
class ReadModel:
    """The value of a model, when it was worked out, and whether that was just now."""

    value: Any
    computed_at: datetime
    source: Source


def model_key(name: str) -> str:
    """Where Redis has a copy of the model."""
    return f"evtop:s:{name}"


def version_key(name: str) -> str:
    """Where Redis has the version of the model: how often it was invalidated."""
    return f"evtop:s:v:{name}"


def invalidated_by(events: Iterable[Event]) -> set[str]:
    """The models that are no longer right after `events`."""
    invalidating = active().invalidating
    return (
        {name for event in events for name in invalidating.get(event.event_type, ())}
        if invalidating
        else set()
    )


class ReadModels:
    """Reads models by name. `client` is None where there is no Redis."""

    def __init__(self, client: Redis | None) -> None:
        self._client = client

    async def get(self, name: str, compute: Callable[[], Awaitable[Any]], now: datetime) -> ReadModel:
        """The copy of the model `name` when there is one that is right, else what `compute` gives.

        The value must be what JSON can express.
        """
        version, kept = await self._kept(name)
        if kept is not None:
            return kept
        value = await compute()
        if version is not None:
            copy = json.dumps({"version": version, "computed_at": now.isoformat(), "value": value})
            await self._asked(lambda client: client.set(model_key(name), copy, ex=LIFE_SECONDS))
        return ReadModel(value, now, "computed")

    async def invalidate(self, name: str) -> None:
        """Let nobody read a copy that was made before."""
        await self._asked(lambda client: client.incr(version_key(name)))

    async def forget(self) -> None:
        """Drop all copies, and let nobody read one that is being made."""

        async def drop(client: Any) -> None:
            async for key in client.scan_iter(match=f"{model_key('')}*"):
                name = key.decode(errors="replace").removeprefix(model_key(""))
                if not name.startswith(version_key("").removeprefix(model_key(""))):
                    await client.incr(version_key(name))
                    await client.delete(key)

        await self._asked(drop)

    async def _kept(self, name: str) -> tuple[str | None, ReadModel | None]:
        """The version, None when Redis does not tell; and the copy, if it is of that version."""
        keys = [version_key(name), model_key(name)]
        replies: list[bytes | None] | None = await self._asked(lambda client: client.mget(keys))
        if replies is None:
            return None, None
        version = (replies[0] or b"0").decode(errors="replace")
        return version, None if replies[1] is None else _parsed(replies[1], version)

    async def _asked(self, ask: Callable[[Any], Awaitable[T]]) -> T | None:
        if self._client is None:
            return None
        # Who has no Redis need not import its client.
        from store.redis_reply import reply_of

        return await reply_of(ask(self._client), REPLY_TIMEOUT)


def _parsed(copy: bytes, version: str) -> ReadModel | None:
    """The copy, if it is one and of this version; something else may have written it."""
    try:
        found = json.loads(copy)
        if found["version"] != version:
            return None
        computed_at = datetime.fromisoformat(found["computed_at"])
        return ReadModel(found["value"], computed_at, "cache") if computed_at.tzinfo is not None else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None

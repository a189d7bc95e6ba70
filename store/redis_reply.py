"""What Redis replies to those who can do without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from redis.exceptions import RedisError

T = TypeVar("T")


async def reply_of(asked: Awaitable[T], seconds: float) -> T | None:
    """The reply; None when the server is away, refuses, or takes longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except (RedisError, OSError):
        return None

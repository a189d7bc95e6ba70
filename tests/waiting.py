"""Waiting for a condition, instead of for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], deadline: float = 5.0) -> None:
    """Return as soon as `condition()` is true; fail after `deadline` seconds."""
    try:
        async with asyncio.timeout(deadline):
            while not condition():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"not so within {deadline:g} s") from None

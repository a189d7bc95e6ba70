"""Waiting for a condition, instead of for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], deadline: float = 10.0) -> None:
    """Return as soon as `condition()` is true; fail after `deadline` seconds."""
    try:
        async with asyncio.timeout(deadline):
            while not condition():
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"not so within {deadline:g} s") from None


def wait_until(condition: Callable[[], object], deadline: float = 10.0, what: object = "") -> float:
    """The same where no event loop runs. `what` is said of a failure, or called for what to say.

    Returns:
        How many seconds it took.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began >= deadline:
            raise AssertionError(f"not so within {deadline:g} s: {what() if callable(what) else what}")
        time.sleep(0.005)
    return time.monotonic() - began

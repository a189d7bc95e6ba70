"""Calling something at a steady rate, and taking the time of each call."""

from __future__ import annotations

import time
from collections.abc import Callable

TICK = 0.001


def paced(call: Callable[[int], object], rate: int, seconds: float) -> list[float]:
    """Call `call` with consecutive numbers, `rate` times a second. Returns what each call took, in seconds.

    The calls of a millisecond follow each other; between them this thread sleeps, as one that waits for work does.
    """
    taken: list[float] = []
    per_tick = round(rate * TICK)
    started = time.perf_counter()
    for tick in range(round(seconds / TICK)):
        wait = started + tick * TICK - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        for _ in range(per_tick):
            before = time.perf_counter()
            call(len(taken))
            taken.append(time.perf_counter() - before)
    return taken


def quantile(values: list[float], share: float) -> float:
    """The value that `share` of `values` do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]

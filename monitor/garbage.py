"""When Python collects garbage: not while keys are waiting.

A full collection walks every object that was ever imported and every event on the timeline; 100–200 ms were
measured, in which no key is answered. What the program keeps for good is taken out of its sight, and the rest
is collected when nothing happens.
"""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

THRESHOLDS = (50_000, 20, 1_000)
"""Young collections stay cheap and frequent; a full one practically never starts by itself."""
QUIET_SECONDS = 5
COLLECT_EVERY = 60


@contextmanager
def while_importing() -> Generator[None]:
    """Collects nothing: what is imported stays, and walking over it again and again takes a quarter of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class GarbageCollection:
    """Collects in quiet moments. Tell it each second whether the stream was quiet."""

    def __init__(self) -> None:
        self._quiet = 0
        self._since = 0

    def settle(self) -> None:
        """Call once, when everything is imported: what is there now stays."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)

    def second(self, *, quiet: bool) -> None:
        """A second passed. Dialogs that were closed are cyclic garbage, so that collecting is still owed."""
        self._since += 1
        self._quiet = self._quiet + 1 if quiet else 0
        if self._quiet >= QUIET_SECONDS and self._since >= COLLECT_EVERY:
            self._since = 0
            gc.collect()

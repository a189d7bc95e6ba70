"""How much a spool may still take, beside the other ones of its root."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from store.spool.folder import SpoolFolder
from store.spool.segment import RECORD_BYTES

_MEASURE_EVERY = 1.0
"""Seconds after which it is looked again what the other spools take, while there is something to append."""


class Room:
    """`max_bytes` for all spools of a root together, seen from one of them.

    What processes append at the same time can go beyond it, by what they write within a second.
    """

    def __init__(self, folder: SpoolFolder, max_bytes: int, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._clock = clock
        self._bytes_beside = 0
        self._measured_at: float | None = None

    def fitting(self, records: Sequence[bytes], used: int) -> list[bytes]:
        """The first of `records` that there is room for, when the spool itself has taken `used` bytes."""
        now = self._clock()
        if self._measured_at is None or now - self._measured_at >= _MEASURE_EVERY:
            self._measured_at = now
            self._folder.hold()
            self._bytes_beside = self._folder.bytes_beside()
        room = self._max_bytes - self._bytes_beside - used
        payloads: list[bytes] = []
        for payload in records:
            room -= RECORD_BYTES + len(payload)
            if room < 0:
                break
            payloads.append(payload)
        return payloads

"""How well a line carries what is sent over it: delay, jitter, loss, bandwidth."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a line carries packets, in each direction. Times in seconds.

    A packet takes `delay`, up to `jitter` more or less. A share of `loss` is lost and sent again, `resend` seconds
    later, and twice as long when it is lost again; what follows waits for it, as TCP delivers in order. `rate` is how
    many bytes pass in a second, without end when None.
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    resend: float = 0.3
    rate: float | None = None


class Direction:
    """One direction of one connection: when what enters it comes out."""

    def __init__(self) -> None:
        self._free_at = self._out_at = 0.0

    def due(self, size: int, quality: Quality, chance: random.Random, now: float) -> float:
        """When a packet of `size` bytes that enters now comes out."""
        self._free_at = max(now, self._free_at) + (size / quality.rate if quality.rate else 0.0)
        way = quality.delay + chance.uniform(-1, 1) * quality.jitter
        resend = quality.resend
        while chance.random() < quality.loss:
            way += resend
            resend *= 2
        self._out_at = max(self._out_at, self._free_at + max(0.0, way))
        return self._out_at

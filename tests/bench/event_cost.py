"""What one event costs where every event passes: decoding, cleaning its text, hiding what is personal in it."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from monitor.masking import Mask
from monitor.text import clean
from store.event import Event
from store.wire import decode, encode
from tests.bench.figure import Figure

REPEATS = 9
MESSAGE_BYTES = 450


def run() -> Iterator[Figure]:
    """Cost in microseconds: the best of several repeats, which other work on the machine disturbs least."""
    event = Event.model_validate(
        {
            "id": "0192f1a0-7c11-7d5e-8f3a-5b1e2c3d4f60",
            "event_type": "download.failed",
            "actor_type": "job",
            "actor_id": "download-monitor",
            "resource_type": "download",
            "resource_id": "9f3a77c2",
            "metadata": {"reason": "", "attempt": 3},
            "status": "failed",
            "inserted_at": datetime(2026, 11, 21, 14, 5, 11, 482_113, UTC),
            "position": 1_204_117,
        }
    )
    event.metadata["reason"] = "x" * (MESSAGE_BYTES - len(encode(event, "web-1:4711:a1b2c3d4", 90_211)))
    message = encode(event, "web-1:4711:a1b2c3d4", 90_211)
    assert len(message) == MESSAGE_BYTES
    yield Figure("decode_us", _microseconds(lambda: decode(message), 5_000), "µs", "<= 10")

    text = "Import of 'Harbour Lights' (2024) failed: no space left on device; retrying in 30 s "
    text += "." * (120 - len(text))
    assert clean(text) == text
    yield Figure("clean_us", _microseconds(lambda: clean(text), 20_000), "µs", "<= 2")

    mask = Mask()
    yield Figure("mask_us", _microseconds(lambda: mask.metadata(event.metadata), 20_000), "µs", "<= 2")


def _microseconds(action: Callable[[], object], times: int) -> float:
    return min(timeit.repeat(action, number=times, repeat=REPEATS)) / times * 1e6

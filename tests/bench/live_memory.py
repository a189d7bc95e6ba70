"""What a console holds in memory after 5,000,000 live events, against after 100,000."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

from store.event import ActorType, Event
from store.wire import encode
from tests.bench.figure import Figure, progress
from tests.bench.flood_reader import TELL_EVERY
from tests.bench.live_path import flood_reader, publish_command, publisher
from tests.valkey import ValkeyServer

EARLY, EVENTS = 100_000, 5_000_000
AHEAD_MAX = 60_000
"""Messages that wait in the server at most."""
CHUNK = 2_000
_ID, _POSITION, _SEQUENCE = 2**127 + 1, 10**12, 2 * 10**12


def run() -> Iterator[Figure]:
    """One run. Everything told apart is told apart all the time: ids, resources, actors, times."""
    early = last = received = 0.0
    with (
        ValkeyServer("--client-output-buffer-limit", "pubsub 0 0 0") as server,
        flood_reader(server, "soak", EVENTS) as (told, begin),
        publisher(server) as publish,
    ):
        begin()
        published = 0
        chunks = _chunks()
        while True:
            while published < EVENTS and published - received < AHEAD_MAX:
                publish(next(chunks), CHUNK)
                published += CHUNK
            report = json.loads(told.readline())
            if "megabytes" not in report:
                break
            received, last = report["received"], report["megabytes"]
            if received <= EARLY:
                early = last
            if received % 500_000 < TELL_EVERY:
                progress(f"live memory: {received:,} events, {last:.0f} MB")
    progress(f"live memory: {early:.0f} MB after {EARLY:,} events, {last:.0f} MB after {received:,}")
    yield Figure("live_memory_growth_mb", last - early, "MB", "<= 30")


def _chunks() -> Iterator[bytes]:
    """Commands that publish `CHUNK` events, again and again."""
    template = publish_command(_message()).replace(b"%", b"%%")
    for found, pattern in (
        (str(uuid.UUID(int=_ID)).encode(), b"%b"),
        (b"%d" % _SEQUENCE, b"%13d"),
        (b"%d" % _POSITION, b"%13d"),
        (b"r000000", b"r%06d"),
        (b"u00000", b"u%05d"),
    ):
        assert template.count(found) == 1
        template = template.replace(found, pattern)
    for first in count(1, CHUNK):
        yield b"".join(
            template
            % (
                str(uuid.UUID(int=2**120 + number * 2**64)).encode(),
                number % 99_991,
                number % 999_983,
                number,
                number,
            )
            for number in range(first, first + CHUNK)
        )


def _message() -> bytes:
    event = Event(
        id=uuid.UUID(int=_ID),
        event_type="download.failed",
        actor_type=ActorType.USER,
        actor_id="u00000",
        resource_type="download",
        resource_id="r000000",
        metadata={"title": "Harbour Lights, part 12", "note": "x" * 40, "attempt": 7},
        status="failed",
        inserted_at=datetime.now(UTC) + timedelta(minutes=1),
        position=_POSITION,
    )
    return encode(event, "web-1:4711:a1b2c3d4", _SEQUENCE)

"""How fast messages become events in the model, against a loop that only takes them off the socket."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import IO, Any

from store.bus import CHANNEL
from store.embedded import dying_with_parent
from store.event import ActorType, Event
from store.wire import encode
from tests.bench.figure import Figure, progress
from tests.valkey import ValkeyServer

MESSAGES = 60_000
ROUNDS = 5
_TYPES = (
    "download.started",
    "download.completed",
    "download.failed",
    "search.performed",
    "user.logged_in",
    "media.viewed",
    "job.executed",
)


def run() -> Iterator[Figure]:
    """Both in turn, on messages that wait in the server already, so that neither waits for whoever publishes."""
    flood = _flood()
    rates: dict[str, list[float]] = {"listen": [], "feed": []}
    counted: set[int] = set()
    with ValkeyServer("--client-output-buffer-limit", "pubsub 0 0 0") as server:
        for _ in range(ROUNDS):
            for kind, reached in rates.items():
                report = _drain(server, kind, flood)
                # Of its own time, which other work on the machine does not stretch: both do nothing but work.
                reached.append(MESSAGES / report["cpu_seconds"])
                counted.add(report["received"])
    listen, feed = (statistics.median(rates[kind]) for kind in ("listen", "feed"))
    progress(f"live path: {feed:,.0f} events a second of CPU, plain listen() {listen:,.0f} messages")
    yield Figure("live_path_ratio", feed / listen, "times listen()", ">= 1.0")
    yield Figure("live_path_uncounted", MESSAGES - min(counted), "events", "== 0")


def _flood() -> bytes:
    """Commands that publish the announcements of one busy producer."""
    began = datetime.now(UTC)
    commands: list[bytes] = []
    for number in range(1, MESSAGES + 1):
        event = Event(
            event_type=_TYPES[number % len(_TYPES)],
            actor_type=ActorType.USER,
            actor_id=str(number % 500),
            resource_type="download",
            resource_id=f"r{number % 3000}",
            metadata={"title": f"Harbour Lights, part {number}", "note": "x" * 40, "attempt": number % 7},
            status="ok",
            inserted_at=began + timedelta(microseconds=20 * number),
            position=number,
        )
        commands.append(publish_command(encode(event, "web-1:4711:a1b2c3d4", number)))
    return b"".join(commands)


@contextmanager
def flood_reader(server: ValkeyServer, kind: str, count: int) -> Iterator[tuple[IO[str], Callable[[], None]]]:
    """A process that is subscribed and waits: what it writes, and what to call for it to begin."""
    command = [sys.executable, "-m", "tests.bench.flood_reader", kind, str(server.socket), str(count)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        commands = reader.stdin
        assert reader.stdout.readline() == "ready\n"

        def begin() -> None:
            commands.write("go\n")
            commands.flush()

        yield reader.stdout, begin


def publish_command(message: bytes) -> bytes:
    """What a client sends to publish `message`."""
    words = (b"PUBLISH", CHANNEL.encode(), message)
    return b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


@contextmanager
def publisher(server: ValkeyServer) -> Iterator[Callable[[bytes, int], None]]:
    """A connection: what to call with commands, and how many they are. It returns when the server has taken them."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(30)
        connection.connect(str(server.socket))
        replies = connection.makefile("rb")

        def publish(commands: bytes, count: int) -> None:
            connection.sendall(commands)
            for _ in range(count):
                assert replies.readline() == b":1\r\n", "one subscriber expected"

        yield publish


def _drain(server: ValkeyServer, kind: str, flood: bytes) -> dict[str, Any]:
    with flood_reader(server, kind, MESSAGES) as (told, begin), publisher(server) as publish:
        publish(flood, MESSAGES)
        begin()
        return json.loads(told.readline())

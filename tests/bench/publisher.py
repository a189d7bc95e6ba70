"""`python -m tests.bench.publisher SOCKET`: publishes bare events, as any program with a Redis client could.

For each line on stdin, the resource id of an event, it publishes one and writes the `time.monotonic()` right
before to stdout. It speaks the protocol itself, so that nothing of evtop is in the way. Ends with its stdin.
"""

from __future__ import annotations

import json
import socket
import sys
import time

CHANNEL = b"evtop:events"


def main(path: str) -> None:
    """Publish until stdin ends."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        connection.connect(path)
        replies = connection.makefile("rb")
        for line in sys.stdin:
            event = {
                "event_type": "bench.marked",
                "resource_type": "marker",
                "resource_id": line.strip(),
                "status": "seen",
            }
            words = (b"PUBLISH", CHANNEL, json.dumps(event).encode())
            request = b"*3\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
            moment = time.monotonic()
            connection.sendall(request)
            reply = replies.readline()
            if reply != b":1\r\n":
                raise SystemExit(f"one subscriber expected, the server says {reply!r}")
            print(moment, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])

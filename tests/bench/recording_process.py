"""Another process that records events at a steady rate, as an application beside the console does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from store.embedded import dying_with_parent
from tests.pty_console import PrivateHome


@contextmanager
def recording(home: PrivateHome, rate: int, seconds: int) -> Iterator[subprocess.Popen[str]]:
    """Have `rate` events a second recorded for `seconds`; the report comes on stdout (see `producer.py`)."""
    producer = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.bench.producer"),
            *(home.store_url, f"unix://{home.bus_socket}", str(rate), str(seconds)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
    )
    try:
        yield producer
    finally:
        producer.terminate()
        producer.wait(15)
        if producer.stdout is not None:
            producer.stdout.close()

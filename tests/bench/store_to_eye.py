"""How long after another process published it does an event stand on the operator's terminal."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench.figure import Figure, progress
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

SAMPLES = 50
GAPS = (0.03, 0.6)
"""Seconds between a row's appearance and the next event: within one frame of the feed, and well beyond."""
PATIENCE = 10.0


def run() -> Iterator[Figure]:
    """Milliseconds from right before PUBLISH until the output with the row was read from the terminal."""
    gaps = random.Random(50)
    delays: list[float] = []
    with PrivateHome() as home, PtyConsole([EVTOP], environment=home.environment) as console:
        console.wait_for_text("● live", PATIENCE)
        console.wait_for_text("no events yet", PATIENCE)
        with _publisher(str(home.bus_socket)) as publisher:
            assert publisher.stdin is not None
            assert publisher.stdout is not None
            for number in range(-2, SAMPLES):  # the first two load what only a first event needs
                marker = f"mark{number + 10:03d}x"
                publisher.stdin.write(marker + "\n")
                publisher.stdin.flush()
                published = float(publisher.stdout.readline())
                shown = console.wait_for_text(marker, PATIENCE)
                if number >= 0:
                    delays.append((shown - published) * 1000)
                _let_pass(console, gaps.uniform(*GAPS))
            publisher.stdin.close()
            publisher.wait(PATIENCE)
        console.press("q")
        console.wait_for_end(PATIENCE)
    progress("store to eye: " + " ".join(f"{delay:.0f}" for delay in sorted(delays)) + " ms")
    yield Figure("store_to_eye_median_ms", statistics.median(delays), "ms", "<= 150")
    yield Figure("store_to_eye_worst_ms", max(delays), "ms", "<= 400")


def _publisher(socket: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.publisher", socket],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _let_pass(console: PtyConsole, seconds: float) -> None:
    """Leave the console alone for a while, with all it wrote drawn at the end."""
    time.sleep(seconds)
    console.take_in()

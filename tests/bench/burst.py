"""200,000 events announced within 2 s: is a row of them lost, and how long does a key wait meanwhile?"""

from __future__ import annotations

import json
import math
import random
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import cycle

from store.embedded import dying_with_parent
from tests.bench.figure import Figure, progress
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

EVENTS, SECONDS = 200_000, 2.0
PATIENCE = 120.0
KEY_GAPS = (0.02, 0.1)
BEFORE = 500
_HELP = "─ Help ─"
_PEAK = re.compile(r"peak ([\d,]+)/min")


def run() -> Iterator[Figure]:
    """One run: keys are pressed from before the commit until the console has shown it all."""
    gaps = random.Random(200)
    echoes: list[float] = []
    with PrivateHome() as home, PtyConsole([EVTOP], environment=home.environment) as console:
        console.wait_for_text("● live", PATIENCE)
        _record_some(home, BEFORE)
        console.wait_for(lambda shown: _counted(shown) == BEFORE, PATIENCE)
        with _producer(home) as producer:
            assert producer.stdin is not None
            assert producer.stdout is not None
            report: list[str] = []
            assert producer.stdout.readline() == "ready\n"
            producer.stdin.write("go\n")
            producer.stdin.flush()
            waiting = threading.Thread(
                target=lambda out: report.append(out.readline()), args=[producer.stdout]
            )
            waiting.start()
            keystrokes = cycle([("?", True), ("q", False)])
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline and (waiting.is_alive() or _counted(console) < EVENTS):
                key, opens = next(keystrokes)
                pressed = console.press(key)
                shown = console.wait_for(lambda now, opens=opens: (_HELP in now.text) == opens, PATIENCE)
                echoes.append((shown - pressed) * 1000)
                time.sleep(gaps.uniform(*KEY_GAPS))
                console.take_in()
            waiting.join()
        counted = _counted(console)
        progress(
            f"burst: announced within {json.loads(report[0])['seconds']:.1f} s · {console.lines[0].strip()}"
        )
        console.press("q")
        console.wait_for_end(PATIENCE)
    echoes.sort()
    progress(f"burst: {len(echoes)} keys, median {echoes[len(echoes) // 2]:.0f}, worst {echoes[-1]:.0f} ms")
    yield Figure("burst_key_p95_ms", echoes[math.ceil(0.95 * len(echoes)) - 1], "ms", "<= 100")
    yield Figure("burst_key_worst_ms", echoes[-1], "ms", "<= 100")
    yield Figure("burst_uncounted", max(0, EVENTS - counted), "events", "== 0")


def _counted(console: PtyConsole) -> int:
    """Events of the busiest minute, by the histogram. Those of the burst happened at one moment."""
    match = _PEAK.search(console.text)
    return int(match[1].replace(",", "")) if match else 0


def _record_some(home: PrivateHome, count: int) -> None:
    subprocess.run(
        [*_command("burst_producer"), home.store_url, str(home.bus_socket), str(count), "0.1"],
        input="go\n",
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _producer(home: PrivateHome) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*_command("burst_producer"), home.store_url, str(home.bus_socket), str(EVENTS), str(SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=dying_with_parent() if sys.platform == "linux" else None,
    )


def _command(name: str) -> list[str]:
    return [sys.executable, "-m", f"tests.bench.{name}"]

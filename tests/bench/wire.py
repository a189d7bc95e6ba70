"""What the console costs on the line and of the processor while it follows, and while nothing happens.

Events come by the bus and the store, from another process, at a steady rate. Bytes are those that came out of the
terminal; a second without any counts.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.figure import Figure, progress
from tests.bench.recording_process import recording
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

SECONDS = 15
"""How long each rate is measured."""
WARM_UP = 4.0
"""Seconds at each rate that are not measured: the timeline fills, the pace settles."""
QUIET_AFTER = 75.0
"""Seconds of silence until the status line has nothing left to count but minutes."""
IDLE_SECONDS = 30
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Bytes of each second, and the share of a core."""

    bytes: list[int]
    cpu: float

    @property
    def rate(self) -> float:
        """Bytes a second."""
        return statistics.mean(self.bytes)


def run() -> Iterator[Figure]:
    """Steady streams in both modes, then silence."""
    usual = _following(200)
    yield Figure("wire_200_kb_s", usual.rate / 1000, "kB/s", "<= 80")
    yield Figure("wire_200_cpu_percent", usual.cpu * 100, "% of a core", "<= 12")
    low = _following(200, EVTOP_LOW_BANDWIDTH="1")
    yield Figure("wire_low_200_kb_s", low.rate / 1000, "kB/s", "<= 5")
    yield Figure("wire_low_200_cpu_percent", low.cpu * 100, "% of a core", "<= 5")
    flood = _following(5_000)
    yield Figure("wire_5000_kb_s", flood.rate / 1000, "kB/s", "<= 80")
    yield Figure("wire_5000_cpu_percent", flood.cpu * 100, "% of a core", "<= 70")
    idle = _idle()
    yield Figure("wire_idle_bytes_s", statistics.median(idle.bytes), "bytes/s", "== 0")
    yield Figure("wire_idle_cpu_percent", idle.cpu * 100, "% of a core", "<= 0.5")


def _following(rate: int, **variables: str) -> Cost:
    with PrivateHome(**variables) as home, PtyConsole([EVTOP], environment=home.environment) as console:
        console.wait_for_text("● live", PATIENCE)
        console.wait_for_text("no events yet", PATIENCE)
        with recording(home, rate, round(WARM_UP + SECONDS + 3)) as producer:
            console.wait_for(
                lambda shown: "following" in shown.text and "no events yet" not in shown.text, PATIENCE
            )
            _pass(console, WARM_UP)
            cost = _measured(console, SECONDS)
            if producer.poll() is not None:
                raise RuntimeError("the events ended before the measuring did")
            report = json.loads(producer.communicate(timeout=PATIENCE)[0])
        _tell(f"{report['events'] / report['seconds']:,.0f} events/s {variables or ''}", cost)
        console.press("q")
        console.wait_for_end(PATIENCE)
    return cost


def _idle() -> Cost:
    with PrivateHome() as home, PtyConsole([EVTOP], environment=home.environment) as console:
        console.wait_for_text("● live", PATIENCE)
        console.wait_for_text("no events yet", PATIENCE)
        with recording(home, 200, 1) as producer:
            producer.wait(PATIENCE)
        console.wait_for_text("200 received", PATIENCE)
        _pass(console, QUIET_AFTER)
        cost = _measured(console, IDLE_SECONDS)
        _tell("idle", cost)
        console.press("q")
        console.wait_for_end(PATIENCE)
    return cost


def _measured(console: PtyConsole, seconds: int) -> Cost:
    console.take_in()
    before, began = console.cpu_seconds(), time.monotonic()
    counts: list[int] = []
    for number in range(seconds):
        had = len(console.output)
        _pass(console, began + number + 1 - time.monotonic())
        counts.append(len(console.output) - had)
    return Cost(counts, (console.cpu_seconds() - before) / (time.monotonic() - began))


def _pass(console: PtyConsole, seconds: float) -> None:
    """Let time pass. What comes meanwhile is counted and not drawn: that would take as long as drawing it did."""
    time.sleep(max(0.0, seconds))
    console.start_over()


def _tell(what: str, cost: Cost) -> None:
    progress(
        f"{what}: {cost.rate:,.0f} bytes/s, {min(cost.bytes):,} to {max(cost.bytes):,}; {cost.cpu:.1%} of a core"
    )

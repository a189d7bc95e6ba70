"""Twenty seconds of 2,000 events a second: is anything missed, does the console still answer its keys?"""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from store.events import EventStore
from tests.bench.figure import Figure, progress
from tests.bench.operating import LOCAL_ZONE, Keystrokes
from tests.bench.recording_process import recording
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

RATE, SECONDS = 2_000, 20
KEY_GAPS = (0.08, 0.25)
"""Seconds from the answer to one key until the next key."""
PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    recorded: int
    seconds: float
    stored: int
    received: int
    gaps: int
    echoes: list[float]
    """Milliseconds from each key to its effect on the screen."""
    cpu_share: float


def run() -> Iterator[Figure]:
    """One run, all its figures."""
    outcome = _follow()
    missing = max(abs(outcome.recorded - counted) for counted in (outcome.stored, outcome.received))
    echoes = sorted(outcome.echoes)
    progress(
        f"sustained: recorded {outcome.recorded:,}, stored {outcome.stored:,}, received {outcome.received:,}; "
        f"{len(echoes)} keys, median {echoes[len(echoes) // 2]:.0f}, worst {echoes[-1]:.0f} ms"
    )
    yield Figure("sustained_rate", outcome.recorded / outcome.seconds, "events/s", f">= {RATE * 0.98:.0f}")
    yield Figure("sustained_missing", missing, "events", "== 0")
    yield Figure("sustained_gaps_left", outcome.gaps, "gaps", "== 0")
    yield Figure("key_echo_p95_ms", echoes[math.ceil(0.95 * len(echoes)) - 1], "ms", "<= 60")
    yield Figure("console_cpu_percent", outcome.cpu_share * 100, "% of a core", "<= 70")


def _follow() -> _Outcome:
    """Have another process record, while the console follows and its keys are pressed."""
    gaps = random.Random(2000)
    echoes: list[float] = []
    with PrivateHome(TZ=LOCAL_ZONE[0]) as home, PtyConsole([EVTOP], environment=home.environment) as console:
        console.wait_for_text("no events yet", PATIENCE)
        with recording(home, RATE, SECONDS) as producer:
            try:
                console.wait_for(lambda shown: _count(shown, r"([\d,]+) received") >= RATE, PATIENCE)
                keystrokes = iter(Keystrokes(console))
                before, started = console.cpu_seconds(), time.monotonic()
                while producer.poll() is None:
                    key, has_effect = next(keystrokes)
                    assert not has_effect(console), f"the screen cannot tell what {key} does"
                    pressed = console.press(key)
                    echoes.append((console.wait_for(has_effect, PATIENCE) - pressed) * 1000)
                    time.sleep(gaps.uniform(*KEY_GAPS))
                    console.take_in()
                cpu_share = (console.cpu_seconds() - before) / (time.monotonic() - started)
            finally:
                producer.terminate()
            report = json.loads(producer.communicate(timeout=PATIENCE)[0])
        progress(f"sustained: the producer was {report['behind'] * 1000:.0f} ms behind at worst")
        recorded: int = report["events"]
        try:
            console.wait_for(
                lambda shown: (
                    _count(shown, r"([\d,]+) received") >= recorded and _count(shown, r"gaps ([\d,]+)") == 0
                ),
                PATIENCE,
            )
        except TimeoutError as error:
            progress(str(error))
        outcome = _Outcome(
            recorded,
            report["seconds"],
            asyncio.run(_stored(home.store_url)),
            _count(console, r"([\d,]+) received"),
            _count(console, r"gaps ([\d,]+)"),
            echoes,
            cpu_share,
        )
        console.press("q")
        console.wait_for_end(PATIENCE)
    return outcome


def _count(console: PtyConsole, pattern: str) -> int:
    """A number of the status line; -1 while it has none."""
    found = re.search(pattern, console.lines[0])
    return int(found[1].replace(",", "")) if found else -1


async def _stored(url: str) -> int:
    async with await EventStore.open(url) as store:
        return await store.repository.count()

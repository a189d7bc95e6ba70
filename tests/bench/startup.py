"""How long an operator waits: for the help, and for the first picture."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping

from tests.bench.figure import Figure, progress
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

HELP_RUNS = 9
PAINT_RUNS = 7
PATIENCE = 20.0


def run() -> Iterator[Figure]:
    """Medians of whole runs; the first of each kind, which may compile and create files, does not count."""
    with PrivateHome() as home:
        helps = [_help(home.environment) for _ in range(HELP_RUNS + 1)][1:]
        progress(f"help: {_spread(helps)}")
        yield Figure("help_s", statistics.median(helps), "s", "<= 0.25")
        paints = [_first_paint(home.environment) for _ in range(PAINT_RUNS + 1)][1:]
        progress(f"first paint: {_spread(paints)}")
        yield Figure("first_paint_s", statistics.median(paints), "s", "<= 0.6")


def _help(environment: Mapping[str, str]) -> float:
    started = time.monotonic()
    subprocess.run(
        [EVTOP, "--help"], env=environment, stdout=subprocess.DEVNULL, check=True, timeout=PATIENCE
    )
    return time.monotonic() - started


def _first_paint(environment: Mapping[str, str]) -> float:
    """Seconds from the start of the process until the status line stood on the terminal."""
    with PtyConsole([EVTOP], environment=environment) as console:
        painted = console.wait_for(lambda shown: shown.lines[0].startswith(" evtop "), PATIENCE)
        # Ended once it is up, so that the next run does not meet one that is closing its store.
        console.wait_for_text("● live", PATIENCE)
        console.press("q")
        console.wait_for_end(PATIENCE)
        return painted - console.started_at


def _spread(seconds: list[float]) -> str:
    return " ".join(f"{value:.3f}" for value in sorted(seconds)) + " s"

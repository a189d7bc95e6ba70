"""`python -m tests.bench [NAME...]`: runs benches, all of them or those that give the named figures.

One JSON object a figure on stdout. A goal that is missed is a result; the status is 1 only when a bench broke.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from types import FrameType

from tests.bench.figure import progress
from tests.bench.registry import BENCHES, Bench


def main(names: list[str]) -> int:
    """Run the benches that `names` ask for; returns the exit status."""
    unknown = [name for name in names if not any(bench.answers(name) for bench in BENCHES)]
    if unknown:
        progress(f"no bench {', '.join(unknown)}; there are:")
        for bench in BENCHES:
            progress(f"  {bench.name}: {', '.join(bench.figures)}")
        return 2
    # Contexts are left in order, so that nothing stays behind.
    signal.signal(signal.SIGTERM, _stopped)
    signal.signal(signal.SIGALRM, _too_long)
    progress(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}")
    chosen = [bench for bench in BENCHES if not names or any(map(bench.answers, names))]
    broken = [bench.name for bench in chosen if not _run(bench, names)]
    if broken:
        progress(f"broke: {', '.join(broken)}")
    return 1 if broken else 0


def _run(bench: Bench, names: list[str]) -> bool:
    """Run one bench and print its figures; False when it broke."""
    started = time.monotonic()
    signal.alarm(bench.limit)
    try:
        for figure in bench.run():
            if not names or figure.name in names or bench.name in names:
                print(figure.as_json(), flush=True)
    except Exception:
        traceback.print_exc()
        return False
    finally:
        signal.alarm(0)
    progress(f"{bench.name}: {time.monotonic() - started:.0f} s")
    return True


def _stopped(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError("the bench took over its limit")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

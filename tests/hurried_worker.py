"""`evtop worker` with leases of a second and a half, and with `SLOW_JOB_FILE` one job alone: see `tests.slow_job`.

SIGUSR1 sets its clock back by a day.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta

LEASE = 1.5


def hurry() -> None:
    """Have leases of this process run out soon, and jobs looked at often."""
    import store.leases
    from monitor.worker import registry

    store.leases.LEASE = timedelta(seconds=LEASE)
    registry.GOES_ON_LOOK = 0.2
    registry.LOOK_MIN = 0.1
    if "SLOW_JOB_FILE" in os.environ:
        second = timedelta(seconds=1)
        slow = registry.Job("slow", second, does="waits", undone="nobody waits", module="tests.slow_job")
        registry.JOBS = (slow,)
    signal.signal(signal.SIGUSR1, _set_clock_back)


def _set_clock_back(*_: object) -> None:
    """What an administrator does who finds that the clock was a day ahead."""
    from tests.faults import wall_clock

    wall_clock.set_off(-86_400, ("store.", "monitor.", "apscheduler."))


if __name__ == "__main__":
    hurry()
    from monitor.cli.entry import run

    run()

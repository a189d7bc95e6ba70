"""A job that writes down when it begins and ends, in a file that several processes write to."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

from monitor.worker.context import Context

TAKES = 0.6


async def work(context: Context) -> str:
    state = await context.leases.state("slow")
    assert state is not None
    assert state.began_at is not None
    # By the clock that all of them go by: writing it down may take a while.
    _note("began", state.began_at.timestamp())
    await asyncio.sleep(TAKES)
    _note("ended")
    return "waited"


def _note(what: str, at: float | None = None) -> None:
    line = json.dumps({"at": at, "pid": os.getpid(), "what": what})
    with Path(os.environ["SLOW_JOB_FILE"]).open("a") as file:
        file.write(f"{line}\n")

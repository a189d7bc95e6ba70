"""A console that records alerts, for being killed while it does. Run by `tests.faults.child.Evaluator`."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Sequence
from typing import Any

import monitor.alert_keeper
import monitor.health.alerting
from store.event import Event
from tests.faults.commands import serve
from tests.watcher import Record, Watcher


def watch(*, url: str, second: float, portion: int, stop: str, after: int) -> dict[str, Any]:
    """Record what there is, `portion` events at a time, up to `stop` ("before" or "after" the `after`th is written)."""
    monitor.alert_keeper.LOOK_EVERY = 0.02
    monitor.health.alerting.RECORDED_AT_ONCE = portion
    written = 0

    def stopping(record: Record) -> Record:
        async def recorded(events: Sequence[Event]) -> None:
            nonlocal written
            if written == after and stop == "before":
                _hang()
            await record(events)
            if written == after:
                _hang()
            written += 1

        return recorded

    asyncio.run(Watcher(url, second, stopping).looks())
    return {"written": written}


def _hang() -> None:
    # What is printed while the application runs is the application's.
    os.write(1, json.dumps({"hangs": True}).encode() + b"\n")
    time.sleep(600)


if __name__ == "__main__":
    serve({"watch": watch})

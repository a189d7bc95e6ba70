"""Processes that evaluate the same events at once: each alert is on record once, and all have the same history."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from monitor.health.alert_events import FIRED, RECORD_TYPES, RESOLVED
from monitor.health.desk import AlertDesk
from store.database import Database
from store.event_filter import EventFilter
from store.repository import EventRepository
from tests.events import at

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0
EVALUATORS = 3
STEPS = 30
EVALUATOR = """
import asyncio, sys
from monitor.health.desk import AlertDesk, Evaluation
from monitor.health.engine import AlertEngine
from monitor.rules import shipped_rules
from store.events import EventStore
from tests.events import at, make_event

async def main(url, steps):
    engine = AlertEngine([rule for rule in shipped_rules() if rule.name == "component-down"])
    desk, new = AlertDesk(evaluation=Evaluation(began=at(0))), 0
    async with await EventStore.open(url) as store:
        for step in range(steps):
            print("ready", flush=True)
            sys.stdin.readline()
            for name in "abc":
                state = "down" if step % 2 == 0 else "up"
                number = step * 10 + ord(name)
                health = make_event(number, event_type="client.health_changed", status=state,
                                    resource_type="client", resource_id=name, inserted_at=at(step * 1000))
                engine.apply([health], at(step * 1000))
            missing = desk.to_record(engine.alerts(), at(step * 1000))
            new += len(await store.create_many(missing))
            desk.apply(missing)
            assert desk.to_record(engine.alerts(), at(step * 1000)) == []
    print(new)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.thorough
async def test_processes_that_record_the_same_alerts_at_once_record_each_once(
    migrated_url: str, database: Database
) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", EVALUATOR, migrated_url, str(STEPS)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(EVALUATORS)
    ]
    new = 0
    try:
        async with asyncio.timeout(DEADLINE):
            for _ in range(STEPS):
                for process in processes:
                    assert process.stdout is not None
                    assert await process.stdout.readline() == b"ready\n"
                for process in processes:
                    assert process.stdin is not None
                    process.stdin.write(b"go\n")
            new = sum([json.loads((await process.communicate())[0]) for process in processes])
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert [process.returncode for process in processes] == [0] * EVALUATORS
    found = await EventRepository(database).newest(1000, EventFilter(category="alerts"))
    assert new == len(found) == STEPS * 3
    assert Counter(event.event_type for event in found) == {FIRED: STEPS * 3 // 2, RESOLVED: STEPS * 3 // 2}
    assert {event.event_type for event in found} < set(RECORD_TYPES)
    desk = AlertDesk()
    desk.apply(found)
    assert [(one.fired, one.resolved) for one in desk.history() if one.fingerprint.endswith("/a")] == [
        (at(step * 1000), at((step + 1) * 1000)) for step in reversed(range(0, STEPS, 2))
    ]

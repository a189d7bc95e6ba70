"""What alert rules cost: two hundred of them on a fast stream, and a million events replayed."""

from __future__ import annotations

import asyncio
import os
import re
import resource
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from monitor.health.engine import AlertEngine
from monitor.health.rule import Rule
from monitor.health.rules_file import RulesText, read_rules
from monitor.health.usual import UsualRates
from store.database import Database
from tests.bench import bulk
from tests.bench.figure import Figure, progress
from tests.bench.traffic import Traffic
from tests.pty_console import EVTOP, PrivateHome

RATE, SECONDS, FRAMES = 5_000, 30, 10
"""Events a second, seconds of them, and frames a second in which they are handed on."""
RULES = 200
REPLAYED = int(os.environ.get("BENCH_REPLAYED", "1000000"))
REPLAY_HOURS = 24
_START = datetime(2026, 11, 21, tzinfo=UTC)
_WRITTEN = """
threshold type:download.failed | count = {n}, window = "5m"
threshold type:job.failed @node:n{m} | count = {n}, window = "1m", group_by = ["resource"]
threshold severity:error actor_id:job-{n} | count = 3, window = "10m", for = "1m"
threshold type:user.logged_in status:failed | count = {n}, window = "5m", group_by = ["actor"]
state type:*.health_changed | for = "{n}m"
state type:job.failed | until = "type:job.executed", for = "{n}m"
absence type:import.completed @node:n{m} | allowed = "{n}m"
absence type:import.completed | gaps = {n}
ratio type:download.failed | of = "type:download.failed,download.completed", ratio = 0.4, window = "{n}m"
anomaly type:request.created | window = "{n}m"
slow type:search.performed | duration = "@progress", above = {n}, window = "5m"
threshold type:door.opened | count = {n}, window = "5m"
ratio type:door.forced | of = "type:door.*", ratio = 0.4, window = "{n}m"
"""
"""Kinds of rules as people write them, about what happens now and then, or hardly ever. `n` makes each another one."""


def run() -> Iterator[Figure]:
    """Processor time of 200 rules relative to a stream of 5,000 events/s, and seconds to replay a million events."""
    yield Figure("rules_cost_percent", _cost(), "% of a core", "<= 25")
    yield Figure("rules_test_s", _replay(), "s", "<= 30")


def rules_text(number: int) -> str:
    """So many rules, as a file has them."""
    kinds = _WRITTEN.strip().splitlines()
    tables: list[str] = []
    for place in range(number):
        what, _, keys = (
            kinds[place % len(kinds)].format(n=place // len(kinds) + 5, m=place % 8).partition(" | ")
        )
        kind, _, query = what.partition(" ")
        lines = [f"[rules.rule-{place}]", f'kind = "{kind}"', f'query = "{query}"']
        tables += [*lines, *re.sub(r", (?=\w+ = )", "\n", keys).splitlines(), ""]
    return "\n".join(tables)


def _rules(number: int) -> tuple[Rule, ...]:
    return read_rules([RulesText("bench.toml", rules_text(number))]).rules


def _cost() -> float:
    traffic = Traffic(seed=7)
    usual = UsualRates()
    rules = _rules(RULES)
    engine = AlertEngine(rules, usual=usual)
    engine.begin(_START, _START)
    per_frame = RATE // FRAMES
    spent = 0.0
    for frame in range(SECONDS * FRAMES):
        begins = _START + timedelta(seconds=frame / FRAMES)
        events = [traffic.event(begins + timedelta(seconds=place / RATE)) for place in range(per_frame)]
        began = time.process_time()
        engine.apply(events, begins + timedelta(seconds=1 / FRAMES))
        spent += time.process_time() - began
    progress(
        f"{engine.firing} of {RULES} rules' alerts fire; {spent / (SECONDS * RATE) * 1e6:.1f} us an event"
    )
    return 100 * spent / SECONDS


def _replay() -> float:
    with PrivateHome(EVTOP_BUS="none") as home:
        asyncio.run(_fill(home.store_url))
        file = home.directory / "rules.toml"
        file.write_text(rules_text(20))
        until = _START + timedelta(hours=REPLAY_HOURS)
        words = ["rules", "test", str(file), "--since", _START.isoformat(), "--until", until.isoformat()]
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [EVTOP, *words], env=home.environment, capture_output=True, text=True, check=True
        )
        taken, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    progress(f"{REPLAYED:,} events replayed, {spent:.1f} s of a core: {done.stdout.splitlines()[-1]}")
    return taken


async def _fill(url: str) -> None:
    database = await Database.open(url)
    await database.close()
    await bulk.fill(url, REPLAYED, _START, _START + timedelta(hours=REPLAY_HOURS))

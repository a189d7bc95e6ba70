"""Holds the rules against what the store has of the time before: nobody may have watched then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

from monitor.export.exporting import stored_events
from monitor.health.alerting import Alerting
from monitor.health.interest import TELLING, needed_by
from monitor.health.rule import Rule
from store.event_filter import EventFilter
from store.repository import EventRepository

SPAN = timedelta(hours=24)
"""How far back, unless the windows of rules are longer."""
EVENTS_MAX = 200_000
"""Events that rules may need; where there are more, it is looked back less far."""
PAGE = 200
"""Events between two moments at which keys are heard."""
RETRY_FIRST, RETRY_MAX = 5.0, 60.0
"""Seconds until a store that is away is asked again."""
_STEP = 10
"""Minutes by which it is found out how far back that is."""


async def look_back(alerting: Alerting, repository: EventRepository, now: Callable[[], datetime]) -> None:
    """Tell `alerting`, which has begun, what the store has of the time before. A store that is away is waited for."""
    retry = RETRY_FIRST
    while True:
        try:
            return await _look_back(alerting, repository, now)
        except Exception:
            # Whatever it was: the rules hold for what comes, and what was before is asked for again.
            await asyncio.sleep(retry)
            retry = min(RETRY_MAX, 2 * retry)


async def _look_back(alerting: Alerting, repository: EventRepository, now: Callable[[], datetime]) -> None:
    rules = tuple(alerting.rules.values())
    replay = alerting.look_back(await _beginning(rules, repository, now()))
    if rules:
        chosen = EventFilter(query=needed_by(rules), since=replay.since)
        async with aclosing(stored_events(repository, chosen, PAGE)) as batches:
            async for batch in batches:
                replay.apply(batch)
                # A page that was there already leaves no room for a key by itself.
                await asyncio.sleep(0)
    alerting.looked_back(replay, now())


async def _beginning(rules: Sequence[Rule], repository: EventRepository, now: datetime) -> datetime:
    """How far back the rules are held against what there is."""
    longest = max((rule.kind.reach + rule.hold for rule in rules), default=SPAN)
    since = now - max(SPAN, longest)
    chosen = EventFilter(query=needed_by(rules, TELLING)) if rules else EventFilter()
    buckets = await repository.histogram(since, now, _STEP, chosen)
    count = 0
    for begin, _, number in reversed(buckets):
        count += number
        if count > EVENTS_MAX:
            return max(since, begin)
    return since

"""Holds the rules against what the store has of the time before: nobody may have watched then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial

from monitor.export.exporting import stored_events
from monitor.health.alert_events import FIRED, RESOLVED
from monitor.health.alerting import Alerting
from monitor.health.interest import TELLING, needed_by
from monitor.health.rule import Rule
from store.event_filter import EventFilter
from store.repository import EventRepository

SPAN = timedelta(hours=24)
"""How far back at least, unless the windows of rules are longer, or nobody watched for longer."""
SPAN_MAX = timedelta(days=90)
"""How far back at most: what retention keeps by default."""
EVENTS_MAX = 200_000
"""Events that rules may need; where there are more, it is looked back less far, but to where somebody watched."""
UNWATCHED_MAX = 1_000_000
"""The same where nobody watched: a minute's work beside everything else."""
PAGE = 200
"""Events between two moments at which keys are heard."""
RETRY_FIRST, RETRY_MAX = 5.0, 60.0
"""Seconds until a store that is away is asked again."""
_STEP = 10
"""Minutes by which it is found out how far back that is."""


async def look_back(
    alerting: Alerting,
    repository: EventRepository,
    now: Callable[[], datetime],
    rest: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """Tell `alerting`, which has begun, what the store has of the time before. A store that is away is waited for.

    After each page comes a `rest`: a page that was there already leaves no room for a key by itself.
    """
    rest = rest or partial(asyncio.sleep, 0)
    retry = RETRY_FIRST
    while True:
        try:
            return await _look_back(alerting, repository, now, rest)
        except Exception:
            # Whatever it was: the rules hold for what comes, and what was before is asked for again.
            await asyncio.sleep(retry)
            retry = min(RETRY_MAX, 2 * retry)


async def _look_back(
    alerting: Alerting,
    repository: EventRepository,
    now: Callable[[], datetime],
    rest: Callable[[], Awaitable[None]],
) -> None:
    rules = tuple(alerting.rules.values())
    watched_to = await _watched_to(repository)
    replay = alerting.look_back(await _beginning(rules, repository, now(), watched_to))
    if rules:
        chosen = EventFilter(query=needed_by(rules), since=replay.since)
        async with aclosing(stored_events(repository, chosen, PAGE)) as batches:
            async for batch in batches:
                replay.apply(batch)
                await rest()
    alerting.looked_back(replay, now(), watched_to)


async def _watched_to(repository: EventRepository) -> datetime | None:
    """The newest thing that is on record of alerts: somebody watched then. None where nobody ever did."""
    marks = [
        event.inserted_at
        for event_type in (FIRED, RESOLVED)
        for event in await repository.newest(1, EventFilter(event_type=event_type))
    ]
    return max(marks, default=None)


async def _beginning(
    rules: Sequence[Rule], repository: EventRepository, now: datetime, watched_to: datetime | None
) -> datetime:
    """How far back the rules are held against what there is."""
    longest = max((rule.kind.reach + rule.hold for rule in rules), default=SPAN)
    wanted = now - max(SPAN, longest)
    # What began before, and is held by its window, is needed to judge what happened right after.
    unwatched = wanted if watched_to is None else min(wanted, watched_to - longest)
    since = max(unwatched, min(wanted, now - SPAN_MAX))
    chosen = EventFilter(query=needed_by(rules, TELLING)) if rules else EventFilter()
    count, until, span = 0, now, SPAN
    while until > since:
        # The longer ago, the more at once: a quiet store is through soon, and a busy one is not read far.
        begin = max(since, until - span)
        for bucket, _, number in reversed(await repository.histogram(begin, until, _STEP, chosen)):
            count += number
            limit = EVENTS_MAX if watched_to is None or bucket < watched_to else UNWATCHED_MAX
            if count > limit:
                return max(since, bucket)
        until, span = begin, 2 * span
    return since

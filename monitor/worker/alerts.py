"""The job `alerts`: rules are held against what happens, what fires is recorded, and people are told, by one of all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.alert_watch import AlertWatch
from monitor.errors import StartError
from monitor.notify.teller import Teller
from monitor.worker.context import Context
from monitor.worker.tells import tell_name
from store.errors import StoreError
from store.leases import JobState, Leases

ONCE_WITHIN = 120.0
"""Seconds in which a single run has to know all that happened."""


async def work(context: Context) -> str:
    """Watch until cancelled; for a single run, until all is known and on record.

    Raises:
        StartError: a single run did not come that far.
    """
    telling = context.telling
    if context.once and telling.timing is None:
        from monitor.health.notifier import Timing

        # Nothing can be held back for what may break together with it: the run is over then.
        telling = replace(telling, timing=Timing(wait=timedelta()))
    teller = Teller(telling, context.settings.name, news_since(context.before, context.leases.length))
    watch = AlertWatch(context.backend, context.rules, teller, now=context.now, tick=context.tick)
    context.watching(watch)
    try:
        async with _saying_so(context.leases, teller):
            if not context.once:
                await watch.run()
            elif not await watch.catch_up(ONCE_WITHIN):
                raise StartError(watch.unrecorded or f"not done within {ONCE_WITHIN:g} s")
    finally:
        context.watching(None)
    shown = watch.model.alerts.shown(context.now())
    firing = sum(one.alert.state == "firing" for one in shown)
    failed = f"; {teller.untold}" if teller.untold else ""
    return f"{firing:,} firing, all on record{failed}"


def news_since(before: JobState, length: timedelta) -> datetime:
    """Until when whoever had the job before told people; where nobody ever had it, until now.

    Of one that was killed it is known that it lived when it renewed its lease the last time.
    """
    if before.last_held_until is not None:
        return before.last_held_until - length
    return max((moment for moment in (before.began_at, before.ended_at) if moment), default=before.asked_at)


@asynccontextmanager
async def _saying_so(leases: Leases, teller: Teller) -> AsyncGenerator[None]:
    """Say in the store, while it lasts, which channels are told from here, so that no console tells them as well."""
    task = asyncio.create_task(_say_so(leases, teller))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _say_so(leases: Leases, teller: Teller) -> None:
    names = await asyncio.to_thread(lambda: [tell_name(one.identity) for one in teller.messengers])
    try:
        while names:
            # Where it cannot be said, consoles tell as well: twice is better than never.
            with suppress(StoreError):
                await _hold(leases, names)
            await asyncio.sleep(leases.length.total_seconds() / 3)
    finally:
        await asyncio.shield(_let_go(leases, names))


async def _hold(leases: Leases, names: Sequence[str]) -> None:
    await leases.register(names)
    for name in names:
        if not await leases.renew(name):
            await leases.take(name)


async def _let_go(leases: Leases, names: Sequence[str]) -> None:
    for name in names:
        with suppress(StoreError):
            await leases.end(name)

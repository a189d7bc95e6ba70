"""Working out figures: counts by the rollups, lists by one walk over the events of the longest period.

The walk goes by slices of time, each read in a transaction of its own and added to every period that it lies in: so no
lock is held and no transaction stays open for long, however many events there are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store import rollups
from store.database import Database
from store.event_filter import EVERY_EVENT, EventFilter
from store.event_tallies import start_of
from store.figures.figures import TOP, Entries, Entry, Figures
from store.figures.period import Period
from store.figures.walk import SliceWalk
from store.rollups import Minutes
from store.tables import event_rollups
from store.taxonomy import Taxonomy, active

SLICE_EVENTS = 50_000
"""Events of a slice, as far as minutes are short enough: a tenth of a second or two."""
_ERROR = "error"
_HOUR = 60


async def figures_of(
    database: Database, period: Period, now: datetime, taxonomy: Taxonomy | None = None
) -> AsyncGenerator[Figures]:
    """The figures of one period up to `now`: first without lists, which the rollups tell, then whole.

    Raises:
        StoreUnavailableError: the database failed.
    """
    counted = await _counted(database, period, now)
    yield counted
    [whole] = await _with_lists(database, [counted], active() if taxonomy is None else taxonomy)
    yield whole


async def all_figures(database: Database, now: datetime, taxonomy: Taxonomy | None = None) -> list[Figures]:
    """The figures of every period up to `now`.

    Raises:
        StoreUnavailableError: the database failed.
    """
    counted = [await _counted(database, period, now) for period in Period]
    return await _with_lists(database, counted, active() if taxonomy is None else taxonomy)


async def _counted(database: Database, period: Period, now: datetime) -> Figures:
    """What the rollups tell, in which nothing counts that was pruned."""
    since, until = period.span(rollups.minute_of(now))
    minutes = Minutes(since, until)
    async with database.read() as connection:
        kinds = await rollups.stored_by(connection, ("severity",), minutes, EVERY_EVENT, period.bar)
        hours: dict[int, int] = {}
        if period is not Period.HOUR:
            hourly = await rollups.stored_by(connection, (), minutes, EVERY_EVENT, _HOUR)
            hours = {
                minute // _HOUR: count for _, minute, count in hourly if minute is not None and count > 0
            }
        by_category = await rollups.stored_by(connection, ("category", "severity"), minutes, EVERY_EVENT)
    events, errors = [0] * period.bars, [0] * period.bars
    for (severity,), minute, count in kinds:
        place = ((minute or 0) // period.bar * period.bar - since) // period.bar
        if 0 <= place < period.bars:
            events[place] += count
            errors[place] += count if severity == _ERROR else 0
    return Figures(
        period=period,
        computed_at=now.astimezone(UTC),
        since=since,
        events=tuple(max(0, count) for count in events),
        errors=tuple(max(0, count) for count in errors),
        hours=hours,
        categories=_categories([(values[0], values[1], count) for values, _, count in by_category]),
    )


def _categories(counted: Sequence[tuple[str | None, str | None, int]]) -> Entries:
    numbers: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for category, severity, count in counted:
        if category is not None:
            numbers[category] += count
            errors[category] += count if severity == _ERROR else 0
    ordered = sorted(numbers, key=lambda name: (-numbers[name], name))
    return tuple(
        Entry((name,), numbers[name], max(0, errors[name])) for name in ordered[:TOP] if numbers[name] > 0
    )


async def _with_lists(database: Database, counted: Sequence[Figures], taxonomy: Taxonomy) -> list[Figures]:
    """`counted`, each with its lists."""
    walks = {figures.period: SliceWalk(taxonomy) for figures in counted}
    begins = {figures.period: figures.since for figures in counted}
    ends = {figures.period: figures.since + figures.period.bars * figures.period.bar for figures in counted}
    edges = sorted({*begins.values(), *ends.values()})
    for first, last in pairwise(edges):
        within = [walks[period] for period in walks if begins[period] <= first and last <= ends[period]]
        if not within:
            continue
        for begin, end in await _slices(database, first, last):
            chosen = EventFilter(since=start_of(begin), until=start_of(end))
            async with database.read() as connection:
                found = await SliceWalk.read(connection, chosen, taxonomy)
            for walk in within:
                walk.add(found)
                await asyncio.sleep(0)
    return [replace(figures, lists=walks[figures.period].lists()) for figures in counted]


async def _slices(database: Database, first: int, last: int) -> list[tuple[int, int]]:
    """The minutes from `first` up to and without `last`, in spans that have few events each, by the rollups."""
    async with database.read() as connection:
        by_minute = await _events_by_minute(connection, first, last)
    slices: list[tuple[int, int]] = []
    begin, count = first, 0
    for minute, number in by_minute:
        if count and count + number > SLICE_EVENTS:
            slices.append((begin, minute))
            begin, count = minute, 0
        count += number
    slices.append((begin, last))
    return slices


async def _events_by_minute(connection: AsyncConnection, first: int, last: int) -> list[tuple[int, int]]:
    minute, number = event_rollups.c.minute, event_rollups.c.count - event_rollups.c.pruned
    statement = (
        select(minute, func.sum(number))
        .where(Minutes(first, last).condition)
        .group_by(minute)
        .order_by(minute)
    )
    return [(int(start), int(count)) for start, count in await connection.execute(statement)]

"""Reads the figures of a dashboard from the store, one after another, the cheap ones first."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from monitor.model import dashboard
from monitor.model.dashboard import SEARCHED, Period, Ranked, Trend
from monitor.screens.console_screen import Reader
from store.event import Severity
from store.event_filter import EventFilter
from store.query.syntax import EVERYTHING

SEARCHES_READ = 2_000
"""Searches that are looked at, the newest of the period."""
COMBINED_MAX = 200


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a period so far; None where it is not read yet. `at` is when it was asked for."""

    period: Period
    at: datetime
    trend: Trend | None = None
    categories: tuple[Ranked, ...] | None = None
    failing: tuple[Ranked, ...] | None = None
    resources: tuple[Ranked, ...] | None = None
    actors: tuple[Ranked, ...] | None = None
    searches: tuple[Ranked, ...] | None = None
    fruitless: tuple[Ranked, ...] | None = None
    searches_cut: bool = False
    """Whether there are more searches than were looked at."""


async def read_figures(reader: Reader, period: Period, now: datetime) -> AsyncGenerator[Figures]:
    """What is known after each further read.

    Raises:
        StoreError: the store cannot be read.
    """
    since, until = period.span(int(now.timestamp()) // 60)
    within = EventFilter(since=_moment(since), until=_moment(until))
    counts = await reader.histogram(since, until, period.bar, EVERYTHING)
    figures = Figures(period, now, Trend.of(period, since, counts))
    yield figures
    counted = await reader.combinations(("category", "severity"), within, COMBINED_MAX)
    figures = replace(figures, categories=dashboard.categories(counted))
    yield figures
    errors = replace(within, severity=Severity.ERROR)
    counted = await reader.combinations(_RESOURCE, errors, COMBINED_MAX)
    figures = replace(figures, failing=dashboard.resources(counted))
    yield figures
    found = await reader.before(None, SEARCHES_READ, replace(within, event_type=SEARCHED))
    searches, fruitless = dashboard.searches(found)
    is_cut = len(found) >= SEARCHES_READ
    figures = replace(figures, searches=searches, fruitless=fruitless, searches_cut=is_cut)
    yield figures
    counted = await reader.combinations(_ACTOR, within, COMBINED_MAX)
    figures = replace(figures, actors=dashboard.actors(counted))
    yield figures
    counted = await reader.combinations(_RESOURCE, within, COMBINED_MAX)
    yield replace(figures, resources=dashboard.resources(counted))


_RESOURCE = ("resource_type", "resource_id")
_ACTOR = ("actor_type", "actor_id")


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(60 * minute, UTC)

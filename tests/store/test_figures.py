"""Figures are what brute force over the events says, on every database, whatever else is in the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from store.database import Database
from store.event import Event
from store.figures.computing import all_figures, figures_of
from store.figures.figures import TOP, Entry, Figures, from_json, to_json
from store.figures.period import Period
from store.figures.ranking import Ranking
from store.figures.snapshots import SnapshotRepository, name_of
from store.repository import EventRepository
from store.retention import RetentionPolicy, prune
from tests.events import make_event
from tests.store.oracle import insert_row, minute, run_sql

SEED = 20261122
NOW = datetime(2025, 3, 10, 12, 7, 30, tzinfo=UTC)
QUERIES = ("Dune", "dune ", "DUNE", "alien", "heat", "  ", "Ünïcode 🎬", None, 7)
PLACES = ("home", "page", None, 3)
Values = tuple[str | None, ...]


def visits(count: int, random: Random) -> list[Event]:
    """What happened over 40 days, much of it lately, and a little after `NOW`."""
    found: list[Event] = []
    for number in range(1, count + 1):
        age = timedelta(minutes=random.choice([60, 1440, 10_000, 43_000, 60_000]) * random.random())
        fields: dict[str, Any] = {"inserted_at": NOW - age + timedelta(minutes=1)}
        match random.randrange(7):
            case 0:
                query = random.choice(QUERIES)
                fields |= {
                    "event_type": random.choice(["search.performed", "search.manual"]),
                    "metadata": {"query": query, "result_count": 0} if query is not None else {},
                    "status": random.choice(["found", "no_results", None]),
                }
            case 1:
                fields |= {
                    "event_type": random.choice(["download.completed", "download.failed", "download.paused"]),
                    "metadata": {"indexer": random.choice(["tidepool", "lantern", 5, "", None])},
                    "resource_type": "download",
                    "resource_id": str(random.randrange(4)),
                }
            case 2:
                fields |= {
                    "event_type": random.choice(["recommendation.clicked", "recommendation.shown"]),
                    "metadata": {
                        "place": random.choice(PLACES),
                        "count": random.choice([1, 6, 0, 5000, "x"]),
                    },
                }
            case _:
                verb = random.choice(["viewed", "viewed", "liked", "unliked", "rated"])
                fields |= {
                    "event_type": f"movie.{verb}",
                    "resource_type": "movie",
                    "resource_id": random.choice(["dune", "alien", "heat", None, *map(str, range(30))]),
                }
        actor = random.choice(
            [("user", "u1"), ("user", None), ("user", str(random.randrange(40))), ("job", "j")]
        )
        found.append(make_event(number, actor_type=actor[0], actor_id=actor[1], **fields))
    return found


def ranked(
    counted: Counter[Values], errors: Counter[Values] | None = None, *, by_errors: bool = False
) -> list[Entry]:
    errors = Counter() if errors is None else errors
    chosen = errors if by_errors else counted
    order = sorted(
        (key for key in chosen if chosen[key] > 0),
        key=lambda key: (-chosen[key], [(value is not None, value or "") for value in key]),
    )
    return [Entry(key, counted[key], max(0, errors[key])) for key in order[:TOP]]


def counted(events: Iterable[Event], key: Callable[[Event], Values | None]) -> Counter[Values]:
    return Counter(found for event in events if (found := key(event)) is not None)


def text_of(event: Event, name: str) -> str | None:
    value = event.metadata.get(name)
    return value.strip() or None if isinstance(value, str) else None


def resource(event: Event) -> Values | None:
    return None if event.resource_id is None else (event.resource_type, event.resource_id)


def assert_right(figures: Figures, everything: Sequence[Event]) -> None:
    """Fail unless `figures` are those of brute force."""
    period = figures.period
    assert figures.since % period.bar == 0
    end = figures.since + period.bar * period.bars
    assert end - period.bar <= minute(NOW) < end
    events = [event for event in everything if figures.since <= minute(event.inserted_at) < end]
    failed = [event for event in events if event.severity == "error"]

    def bars(chosen: Iterable[Event]) -> list[int]:
        numbers = Counter((minute(event.inserted_at) - figures.since) // period.bar for event in chosen)
        return [numbers[place] for place in range(period.bars)]

    assert list(figures.events) == bars(events)
    assert list(figures.errors) == bars(failed)
    hours = Counter(minute(event.inserted_at) // 60 for event in events)
    assert figures.hours == ({} if period is Period.HOUR else hours)
    by_category = counted(events, lambda event: (event.category,))
    assert list(figures.categories) == ranked(by_category, counted(failed, lambda event: (event.category,)))
    lists = figures.lists
    assert lists is not None
    assert lists.is_exact
    assert list(lists.busiest) == ranked(counted(events, resource), counted(failed, resource))
    assert list(lists.failing) == ranked(counted(events, resource), counted(failed, resource), by_errors=True)
    assert list(lists.actors) == ranked(counted(events, lambda event: (event.actor_type, event.actor_id)))
    downloads = [event for event in events if event.event_type in {"download.completed", "download.failed"}]

    def provider(event: Event) -> Values | None:
        name = text_of(event, "indexer")
        return None if name is None else (name,)

    failed_downloads = [event for event in downloads if event.severity == "error"]
    assert list(lists.providers) == ranked(counted(downloads, provider), counted(failed_downloads, provider))
    searches = [
        event for event in events if event.event_type.startswith("search.") and text_of(event, "query")
    ]
    folded = Counter(str(text_of(event, "query")).casefold() for event in searches)
    fruitless = Counter(
        str(text_of(event, "query")).casefold() for event in searches if event.status == "no_results"
    )
    assert [(str(entry.names[0]).casefold(), entry.number) for entry in lists.searches] == sorted(
        folded.items(), key=lambda one: (-one[1], one[0])
    )
    assert [(str(entry.names[0]).casefold(), entry.number) for entry in lists.fruitless] == sorted(
        fruitless.items(), key=lambda one: (-one[1], one[0])
    )
    clicked = [event for event in events if event.event_type == "recommendation.clicked"]
    assert lists.clicks == len(clicked)
    assert list(lists.clicked) == ranked(counted(clicked, lambda event: (text_of(event, "place"),)))
    shown = [event.metadata["count"] for event in events if event.event_type == "recommendation.shown"]
    assert lists.shown == sum(1 if count in {0, "x"} else min(count, 1000) for count in shown)
    views = counted([event for event in events if event.event_type == "movie.viewed"], resource)
    assert list(lists.top.get("views", ())) == ranked(views)
    likes: Counter[Values] = Counter()
    for event in events:
        if (key := resource(event)) is not None:
            likes[key] += {"movie.liked": 1, "movie.unliked": -1}.get(event.event_type, 0)
    assert list(lists.top.get("likes", ())) == ranked(likes)


async def test_figures_are_those_of_brute_force(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.figures.computing.SLICE_EVENTS", 50)
    everything = visits(1_200, Random(SEED))
    await EventRepository(database).append(everything)
    computed = await all_figures(database, NOW)
    assert [figures.period for figures in computed] == list(Period)
    for figures in computed:
        assert_right(figures, everything)
        first, last = [one async for one in figures_of(database, figures.period, NOW)]
        assert first == replace(figures, lists=None)
        assert last == figures
        assert from_json(to_json(figures)) == figures


async def test_a_store_without_events_has_figures(database: Database) -> None:
    for figures in await all_figures(database, NOW):
        assert_right(figures, [])


async def test_pruned_events_are_in_no_figure(database: Database) -> None:
    everything = visits(300, Random(SEED))
    await EventRepository(database).append(everything)
    await prune(database, RetentionPolicy(days=3), now=NOW)
    kept = [event for event in everything if event.inserted_at >= NOW - timedelta(days=3)]
    for figures in await all_figures(database, NOW):
        assert_right(figures, kept)


async def test_rows_that_something_else_wrote_break_nothing(database: Database) -> None:
    await EventRepository(database).append(visits(50, Random(SEED)))
    now = f"'{NOW - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}.000000'"
    if database.dialect == "postgresql":
        now = f"'{NOW - timedelta(minutes=5):%Y-%m-%d %H:%M:%S}Z'"
    search = {"event_type": "'search.performed'", "inserted_at": now}
    await insert_row(database, 500, **search, metadata="'[1, \"query\"]'")
    await insert_row(database, 501, **search, metadata='\'{"query": {"query": 1}}\'')
    if database.dialect != "postgresql":
        await insert_row(database, 502, **search, metadata="'{'")
        await insert_row(database, 503, **search | {"event_type": "'download.failed'"}, metadata="''")
    if database.dialect == "sqlite":
        await insert_row(database, 504, **search, resource_type="'movie'", resource_id="CAST(x'ff' AS TEXT)")
        await insert_row(database, 505, **search | {"inserted_at": "'soon'"})
        await insert_row(database, 506, **search, metadata="""'{"query": "' || CAST(x'ff' AS TEXT) || '"}'""")
    for figures in await all_figures(database, NOW):
        assert figures.lists is not None


async def test_snapshots_are_stored_and_read_back(database: Database) -> None:
    everything = visits(200, Random(SEED))
    await EventRepository(database).append(everything)
    snapshots = SnapshotRepository(database)
    assert await snapshots.get(Period.DAY) is None
    computed = await snapshots.compute(NOW)
    for figures in computed:
        stored = await snapshots.get(figures.period)
        assert stored == figures
        assert stored is not None
        assert stored.computed_at == NOW
    later = await snapshots.compute(NOW + timedelta(hours=1))
    assert await snapshots.get(Period.HOUR) == later[0] != computed[0]


@pytest.mark.parametrize("payload", ["", "null", "[]", "{}", '{"period": 3}', "[" * 5000])
async def test_a_snapshot_that_is_none_is_as_good_as_none(database: Database, payload: str) -> None:
    await SnapshotRepository(database).compute(NOW)
    await run_sql(
        database, f"UPDATE snapshots SET payload = '{payload}' WHERE name = '{name_of(Period.DAY)}'"
    )
    assert await SnapshotRepository(database).get(Period.DAY) is None
    assert await SnapshotRepository(database).get(Period.WEEK) is not None


def test_a_ranking_with_too_many_values_keeps_the_frequent_ones_and_says_so() -> None:
    random = Random(SEED)
    ranking: Ranking[tuple[str | None, ...]] = Ranking(kept_max=100)
    numbers: Counter[Values] = Counter()
    for _ in range(20_000):
        # A few are frequent, and most come once, as everywhere.
        key = (str(int(random.paretovariate(0.7))),)
        numbers[key] += 1
        ranking.add(key, 1)
    assert not ranking.is_exact
    top = ranking.top()
    assert {key for key, _ in numbers.most_common(3)} <= {entry.names for entry in top}
    assert all(entry.number <= numbers[entry.names] for entry in top)

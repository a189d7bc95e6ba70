"""Counts, facets and histograms say what a count of the events would say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa

from store.database import Database
from store.event import Event
from store.event_counts import Bucket, Facet
from store.event_filter import EventFilter
from store.query import parse
from store.repository import EventRepository
from store.rollups import FacetCount, RollupCount
from store.tables import event_rollups, events
from tests.events import NOON, at, make_event
from tests.store.oracle import EPOCH, counted, minute, newest_first, numbers, random_events
from tests.store.test_event_filter import chosen_by

DAY = timedelta(days=1)
EARLY = datetime(1969, 12, 31, 23, 58, tzinfo=UTC)
COUNTED = [
    EventFilter(),
    EventFilter(category="downloads"),
    EventFilter(event_type="x.y", severity="error"),
    EventFilter(severity="info", query=parse("type:download.*")),
    EventFilter(query=parse("severity>=warning -category:system")),
    EventFilter(query=parse("-severity:*")),
    EventFilter(query=parse("type~fail or severity:info")),
    EventFilter(category="nosuch"),
]
NOT_COUNTED = [
    EventFilter(actor_id="ann"),
    EventFilter(text="down"),
    EventFilter(category="downloads", status="up"),
    EventFilter(query=parse("severity:error or actor:user")),
]


def history(seed: int) -> list[Event]:
    """Events of two hours, and some around 1970, at the edges of minutes."""
    early = [
        make_event(
            9000 + number,
            inserted_at=EARLY + timedelta(seconds=30 * number, microseconds=shift),
            category=["downloads", "system"][number % 2],
        )
        for number, shift in enumerate([0, 999_999, 0, 1, -1, 0, 500_000, 999_999, -1, -1, 0])
    ]
    return random_events(250, seed) + early


@pytest.fixture
async def batch(repository: EventRepository) -> list[Event]:
    events = history(41)
    await repository.append(events)
    return events


def moments(seed: int, count: int) -> list[datetime]:
    """Beginnings of minutes, the last and the first microsecond of one, and moments inside."""
    random = Random(seed)
    inside = [0, 0, 1, 30_000_000, 59_999_999, 59_999_998]
    return [
        start + timedelta(minutes=random.randrange(span), microseconds=random.choice(inside))
        for start, span in random.choices(
            [(NOON - timedelta(minutes=121), 123), (EARLY - timedelta(minutes=1), 8)], k=count
        )
    ]


@pytest.mark.parametrize("seed", [43])
async def test_a_count_agrees_wherever_its_span_begins_and_ends(
    repository: EventRepository, batch: list[Event], seed: int
) -> None:
    random = Random(seed)
    edges = [
        None,
        *moments(seed, 40),
        EPOCH,
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ]
    for _ in range(120):
        kind = random.choice(COUNTED)
        since, until = random.choice(edges), random.choice(edges)
        if random.random() < 0.3 and since is not None and EARLY - DAY < since < NOON + DAY:
            until = since + timedelta(seconds=random.choice([0, 1, 30, 60, 61, 119]))
        chosen = with_span(kind, since, until)
        expected = sum(chosen_by(chosen, event) for event in batch)
        assert await repository.count(chosen) == expected, f"seed {seed}: {chosen}"


def with_span(chosen: EventFilter, since: datetime | None, until: datetime | None) -> EventFilter:
    return EventFilter(
        category=chosen.category,
        event_type=chosen.event_type,
        severity=chosen.severity,
        query=chosen.query,
        since=since,
        until=until,
    )


async def test_a_count_takes_a_query_alone_too(repository: EventRepository, batch: list[Event]) -> None:
    assert await repository.count() == len(batch)
    for text in ("type:download.* status:up", "type:download.*", "severity>=warning"):
        chosen = EventFilter(query=parse(text))
        assert await repository.count(parse(text)) == sum(chosen_by(chosen, event) for event in batch)


async def test_counts_agree_after_a_part_was_pruned(
    database: Database, repository: EventRepository, batch: list[Event]
) -> None:
    gone = random_events(250, 41)[::3]
    async with database.write() as connection:
        await connection.execute(events.delete().where(events.c.id.in_([event.id for event in gone])))
        for (when, category, event_type, severity), count in counted(gone).items():
            cell = event_rollups.c
            await connection.execute(
                event_rollups.update()
                .where(
                    cell.minute == when,
                    cell.category == category,
                    cell.event_type == event_type,
                    cell.severity == (severity or ""),
                )
                .values(pruned=cell.pruned + count)
            )
    left = [event for event in batch if event.id not in {event.id for event in gone}]
    spans = [
        (None, None),
        (NOON - timedelta(minutes=70, seconds=15), None),
        (None, NOON - timedelta(minutes=3.3)),
    ]
    for kind in COUNTED:
        for since, until in spans:
            chosen = with_span(kind, since, until)
            assert await repository.count(chosen) == sum(chosen_by(chosen, event) for event in left), chosen
            for facet in Facet:
                assert await repository.facets(facet, chosen, 1000) == expected_facets(left, facet, chosen)
            if since is not None:
                found = await repository.histogram(EARLY - DAY, None, 5, chosen)
                assert as_counter(found) == expected_buckets(left, EARLY - DAY, None, 5, chosen), chosen
    # What was recorded stays told.
    assert sum(count for *_, count in await repository.histogram(EARLY - DAY)) == len(batch)
    assert sum(facet.count for facet in await repository.facet_counts(EARLY - DAY)) == len(batch)


def expected_facets(
    batch: Sequence[Event], facet: Facet, chosen: EventFilter
) -> list[tuple[str | None, int]]:
    totals = Counter(getattr(event, facet) for event in batch if chosen_by(chosen, event))
    return sorted(totals.items(), key=lambda item: (-item[1], item[0] or ""))


@pytest.mark.parametrize("facet", list(Facet))
async def test_facets_are_the_most_frequent_values_ties_by_name(
    repository: EventRepository, batch: list[Event], facet: Facet
) -> None:
    span = EventFilter(since=NOON - timedelta(minutes=60, seconds=1), until=NOON - timedelta(seconds=1))
    for chosen in (*COUNTED, *NOT_COUNTED, span):
        expected = expected_facets(batch, facet, chosen)
        for limit in (1, 2, 100):
            assert await repository.facets(facet, chosen, limit) == expected[:limit], chosen


@pytest.mark.parametrize("seed", [47])
async def test_facets_and_histograms_agree_wherever_the_span_of_their_filter_begins_and_ends(
    repository: EventRepository, batch: list[Event], seed: int
) -> None:
    random = Random(seed)
    edges = [None, *moments(seed, 30), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    for _ in range(60):
        since, until = random.choice(edges), random.choice(edges)
        if random.random() < 0.3 and since is not None and EARLY - DAY < since < NOON + DAY:
            until = since + timedelta(seconds=random.choice([0, 1, 30, 60, 61, 119]))
        chosen = with_span(random.choice([*COUNTED, *NOT_COUNTED]), since, until)
        facet = random.choice(list(Facet))
        why = f"seed {seed}: {facet} of {chosen}"
        assert await repository.facets(facet, chosen, 1000) == expected_facets(batch, facet, chosen), why
        shown = random.choice([EARLY - DAY, *moments(random.randrange(1000), 3)])
        end, step = random.choice([None, NOON - timedelta(minutes=20, seconds=5)]), random.choice([1, 7, 60])
        found = await repository.histogram(shown, end, step, chosen)
        assert as_counter(found) == expected_buckets(batch, shown, end, step, chosen), f"{why}, {shown} {end}"
        assert len(found) == len(as_counter(found))


async def test_the_whole_minutes_of_a_span_are_read_from_the_rollups(
    database: Database, repository: EventRepository
) -> None:
    batch = [make_event(10 * number, event_type=f"x.y{number % 3}") for number in range(60)]
    await repository.append(batch)
    since, until = at(90.5), at(500)
    # Whoever read the events would miss those of the minutes from the second to the eighth.
    async with database.write() as connection:
        whole = events.c.inserted_at.between(at(120), at(479.999999))
        await connection.execute(events.delete().where(whole))
    for chosen in (EventFilter(since=since, until=until), EventFilter(severity="info", since=since)):
        within = [event for event in batch if chosen_by(chosen, event)]
        assert await repository.count(chosen) == len(within)
        for facet in (Facet.CATEGORY, Facet.EVENT_TYPE, Facet.SEVERITY):
            assert await repository.facets(facet, chosen) == expected_facets(within, facet, chosen)
        found = await repository.histogram(NOON, None, 2, chosen)
        assert as_counter(found) == expected_buckets(within, NOON, None, 2, chosen)


async def test_no_value_comes_first_among_equals(repository: EventRepository) -> None:
    statuses = ["b", None, "a", "B", "ä", "z", "😀", "\uffff"]
    await repository.append([make_event(number, status=status) for number, status in enumerate(statuses)])
    expected = [None, "B", "a", "b", "z", "ä", "\uffff", "😀"]
    for limit in (1, 3, 7, 9):
        found = await repository.facets(Facet.STATUS, limit=limit)
        assert found == [(status, 1) for status in expected[:limit]]


def expected_buckets(
    batch: Sequence[Event], since: datetime, until: datetime | None, step: int, chosen: EventFilter
) -> Counter[tuple[datetime, str | None]]:
    totals: Counter[tuple[datetime, str | None]] = Counter()
    for event in batch:
        when = minute(event.inserted_at)
        within = minute(since) <= when and (until is None or when <= minute(until))
        if within and chosen_by(chosen, event):
            start = EPOCH + timedelta(minutes=when // step * step)
            totals[start, event.severity.value if event.severity else None] += 1
    return totals


def as_counter(found: Sequence[Bucket]) -> Counter[tuple[datetime, str | None]]:
    return Counter({(start, severity): count for start, severity, count in found})


@pytest.mark.thorough
@pytest.mark.parametrize("step", [1, 5, 7, 60])
async def test_a_histogram_counts_in_whole_steps_since_1970(
    repository: EventRepository, batch: list[Event], step: int
) -> None:
    spans = [
        (EARLY - DAY, None),
        (EARLY + timedelta(seconds=61), EARLY + timedelta(seconds=200)),
        (NOON - timedelta(minutes=61, seconds=0.5), NOON - timedelta(minutes=7, seconds=30)),
    ]
    for chosen in (*COUNTED, *NOT_COUNTED, EventFilter(since=NOON - timedelta(minutes=50, seconds=7))):
        for since, until in spans:
            expected = expected_buckets(batch, since, until, step, chosen)
            found = await repository.histogram(since, until, step, chosen)
            assert as_counter(found) == expected, chosen
            starts = [start for start, _, _ in found]
            assert starts == sorted(starts)
            assert len(found) == len(expected)


async def test_facet_counts_are_those_of_the_minutes(repository: EventRepository, batch: list[Event]) -> None:
    since, until = NOON - timedelta(minutes=90, seconds=-10), NOON - timedelta(minutes=30)
    for end in (None, until):
        for chosen in COUNTED:
            facets = await repository.facet_counts(since, end, chosen)
            expected = Counter(
                (event.category, event.event_type, event.severity)
                for event in batch
                if minute(since) <= minute(event.inserted_at)
                and (end is None or minute(event.inserted_at) <= minute(end))
                and chosen_by(chosen, event)
            )
            assert {facet[:3]: facet.count for facet in facets} == expected
            assert all(isinstance(facet, FacetCount) and facet.estimate == facet.count for facet in facets)


@pytest.mark.parametrize("step", [0, -1, -60])
async def test_a_step_below_a_minute_is_refused(repository: EventRepository, step: int) -> None:
    await repository.append([make_event(1)])
    for chosen in (EventFilter(), EventFilter(actor_id="ann")):
        with pytest.raises(ValueError, match="step_minutes must be 1 or more"):
            await repository.histogram(NOON, None, step, chosen)


async def test_moments_without_a_zone_are_refused(repository: EventRepository) -> None:
    naive = datetime(2026, 11, 21, 12)
    for chosen in (EventFilter(), EventFilter(actor_id="ann")):
        for since, until in ((naive, None), (NOON, naive)):
            with pytest.raises(ValueError, match="without a zone"):
                await repository.histogram(since, until, 1, chosen)
    for since, until in ((naive, None), (NOON, naive)):
        with pytest.raises(ValueError, match="without a zone"):
            await repository.facet_counts(since, until)
    with pytest.raises(ValueError, match="without a zone"):
        await repository.overview(10, naive)


async def test_known_types_outlive_their_events(database: Database, repository: EventRepository) -> None:
    await repository.append([make_event(1, event_type="b.b"), make_event(2, event_type="a.a"), make_event(3)])
    async with database.write() as connection:
        await connection.execute(events.delete())
    assert await repository.known_types() == ["a.a", "b.b", "job.executed"]


async def test_the_overview_holds_the_newest_events_the_rollups_and_the_last_position(
    repository: EventRepository, batch: list[Event]
) -> None:
    since = NOON - timedelta(minutes=60)
    overview = await repository.overview(10, since, parse("status:down"))
    down = [event for event in newest_first(batch) if event.status == "down"]
    assert numbers(overview.newest) == numbers(down[:10])
    assert {row[:4]: row.count for row in overview.rollups} == {
        kind: count for kind, count in counted(batch).items() if kind[0] >= minute(since)
    }
    assert all(isinstance(row, RollupCount) for row in overview.rollups)
    assert overview.last_position == len(batch)


async def test_the_overview_of_an_empty_store_is_empty(repository: EventRepository) -> None:
    overview = await repository.overview(10, NOON)
    assert (overview.newest, overview.rollups, overview.last_position) == ([], [], 0)
    assert await repository.count() == 0
    assert await repository.facets(Facet.CATEGORY) == []


async def test_every_rollup_names_its_kind(database: Database, repository: EventRepository) -> None:
    await repository.append([make_event(1, severity=None)])
    async with database.read() as connection:
        (row,) = (await connection.execute(sa.select(event_rollups))).all()
    assert tuple(row) == (minute(at(1)), "system", "job.executed", "", 1, 1.0, 0)


async def test_a_histogram_can_tell_what_there_was_before_sampling(repository: EventRepository) -> None:
    kept = [
        make_event(number, event_type="content.viewed", severity="info", metadata={"kept_share": 0.3})
        for number in range(4)
    ]
    await repository.append([*kept, make_event(9, severity="error"), make_event(70, severity="error")])
    told = await repository.histogram(at(0), at(60), estimated=True)
    assert told == [(NOON, "error", 1), (NOON, "info", 13), (at(60), "error", 1)]
    assert await repository.histogram(at(0), at(60)) == [
        (NOON, "error", 1),
        (NOON, "info", 4),
        (at(60), "error", 1),
    ]
    free = EventFilter(query=parse("actor:system"))
    # Of events that the rollups do not tell apart, there is only what is stored.
    assert await repository.histogram(at(0), at(60), 1, free, estimated=True) == [
        (NOON, "error", 1),
        (NOON, "info", 4),
        (at(60), "error", 1),
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("category", "event_type"),
        ("actor_type", "actor_id"),
        ("resource_type", "secondary_resource_type"),
        ("status",),
    ],
)
async def test_combinations_agree_with_a_count_of_the_events(
    repository: EventRepository, batch: list[Event], names: tuple[str, ...]
) -> None:
    spans = [(None, None), (NOON - timedelta(minutes=70, seconds=15), NOON - timedelta(minutes=3))]
    for chosen in (*COUNTED, *NOT_COUNTED):
        for since, until in spans:
            within = replace(chosen, since=since, until=until)
            expected = Counter(
                tuple(getattr(event, name) for name in names) for event in batch if chosen_by(within, event)
            )
            told = await repository.combinations(names, within)
            assert dict(told) == dict(expected), within
            assert [number for _values, number in told] == sorted(expected.values(), reverse=True)
    assert len(await repository.combinations(names, EventFilter(), 1)) == 1

"""A filter chooses the events that agree with everything in it, in every reading that takes one."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from store.database import Database
from store.event import ActorType, Event, Severity, search_text
from store.event_counts import Facet
from store.event_filter import EventFilter
from store.event_selection import Cursor
from store.query import parse
from store.query.predicate import compile_predicate
from store.repository import EventRepository
from tests.events import NOON
from tests.store.oracle import newest_first, numbers, random_events

COLUMNS = ("event_type", "actor_type", "actor_id", "resource_type", "resource_id", "severity", "status")
CHOICES: dict[str, list[Any]] = {
    "category": ["downloads", "Downloads", "nosuch", ""],
    "event_type": ["download.failed", "DOWNLOAD.FAILED", "x.y"],
    "actor_type": [ActorType.USER, "job", "nosuch"],
    "actor_id": ["ann", "Ann", "an"],
    "resource_type": ["download", "series"],
    "resource_id": ["a", "b", "A"],
    "severity": [Severity.ERROR, "info", "nosuch", ""],
    "status": ["down", "up", "u", ""],
    "text": ["DOWN", "strasse", "title\nstr", "", "%", "ann\ndownload"],
    "since": [NOON - timedelta(minutes=60), NOON - timedelta(minutes=30, seconds=29.5)],
    "until": [NOON - timedelta(minutes=10), NOON - timedelta(minutes=20, seconds=30)],
    "positions": [tuple(range(40, 220)), (7, 300, 10**6), ()],
    "query": list(
        map(
            parse,
            [
                "status:down",
                "-severity:*",
                "actor:user resource:download/a",
                "type:x.* or fail",
                "@n:1.0",
                "-@n>0",
                "@title:S*,s*",
            ],
        )
    ),
}


def chosen_by(chosen: EventFilter, event: Event) -> bool:
    """What `chosen` says, by its documentation."""
    return (
        (chosen.category is None or event.category == chosen.category.lower())
        and all(getattr(chosen, name) in (None, getattr(event, name)) for name in COLUMNS)
        and (chosen.text is None or chosen.text.casefold() in search_text(event))
        and (chosen.since is None or event.inserted_at >= chosen.since)
        and (chosen.until is None or event.inserted_at < chosen.until)
        and (chosen.positions is None or event.position in chosen.positions)
        and compile_predicate(chosen.query)(event)
    )


def random_filters(count: int, seed: int) -> list[EventFilter]:
    """Every choice alone, then `count` combinations of two to four fields."""
    random = Random(seed)
    alone = [EventFilter(**{name: value}) for name, values in CHOICES.items() for value in values]
    combined = [
        EventFilter(
            **{
                name: random.choice(CHOICES[name])
                for name in random.sample(list(CHOICES), random.randint(2, 4))
            }
        )
        for _ in range(count)
    ]
    return alone + combined


def test_every_field_of_a_filter_is_tried() -> None:
    assert {field.name for field in fields(EventFilter)} == CHOICES.keys()


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1])
async def test_each_reading_agrees_with_the_filter(repository: EventRepository, seed: int) -> None:
    batch = (await repository.append(random_events(300, seed))).events
    timeline = newest_first(batch)
    middle = timeline[150]
    place = Cursor.of(middle)
    found_any = 0
    for chosen in [EventFilter(), *random_filters(40, seed)]:
        matching = [event for event in timeline if chosen_by(chosen, event)]
        found_any += bool(matching)
        older = [event for event in matching if event.sort_key < middle.sort_key]
        newer = [event for event in matching if event.sort_key > middle.sort_key]
        why = f"seed {seed}: {chosen}"
        assert numbers(await repository.newest(7, chosen)) == numbers(matching[:7]), why
        assert numbers(await repository.before(place, 7, chosen)) == numbers(older[:7]), why
        assert numbers(await repository.following(place, 7, chosen)) == numbers(newer[-7:]), why
        assert await repository.count(chosen) == len(matching), why
        committed = [event for event in batch[100:] if chosen_by(chosen, event)]
        assert numbers(await repository.after(100, 7, chosen)) == numbers(committed[:7]), why
        about = [
            event
            for event in matching
            if ("download", "a")
            in (
                (event.resource_type, event.resource_id),
                (event.secondary_resource_type, event.secondary_resource_id),
            )
        ]
        assert numbers(await repository.resource_events("download", "a", 7, chosen=chosen)) == numbers(
            about[:7]
        ), why
    assert found_any > 40


async def test_a_filter_needs_moments_with_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        EventFilter(since=datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="zone"):
        EventFilter(until=datetime(2026, 1, 1))


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", ""])
async def test_what_no_event_can_hold_is_found_nowhere(
    database: Database, repository: EventRepository, text: str
) -> None:
    await repository.append(random_events(5, 1))
    for name in ("category", "event_type", "actor_id", "resource_id", "severity", "status", "text"):
        if (name, text) == ("text", ""):
            continue  # every text contains it
        wanted: dict[str, Any] = {name: text}
        chosen = EventFilter(**wanted)
        assert await repository.newest(9, chosen) == []
        assert await repository.count(chosen) == 0
        assert await repository.facets(Facet.SEVERITY, chosen) == []
        if name in ("category", "event_type", "severity"):
            assert await repository.histogram(NOON - timedelta(days=1), chosen=chosen) == []
            assert await repository.facet_counts(NOON - timedelta(days=1), chosen=chosen) == []

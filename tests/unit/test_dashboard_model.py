"""Figures as lists that lead on, the hours of a week, and lines of braille."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.model.dashboard import Ranked, by_weekday, catalogue, chosen_counters, operations
from monitor.model.filter import Facet
from monitor.model.subjects import ActorName, ResourceName
from monitor.widgets.braille import line_chart
from store.event import Event
from store.featured_item import FeaturedItem
from store.figures.figures import Entry, Figures, Lists
from store.figures.period import Period
from store.query.predicate import compile_predicate
from store.query.syntax import Field, Node
from tests.events import NOON, make_event

FIGURES = Figures(
    period=Period.HOUR,
    computed_at=NOON,
    since=0,
    events=(0,) * 30,
    errors=(0,) * 30,
    hours={},
    categories=(Entry(("downloads",), 9, 2),),
    lists=Lists(
        failing=(Entry(("download", "a"), 5, 2),),
        busiest=(Entry(("download", "a"), 5, 2), Entry(("download", None), 3)),
        actors=(Entry(("user", "ana"), 4), Entry(("user", None), 3), Entry(("system", None), 1)),
        providers=(Entry(("tidepool",), 6, 1),),
        searches=(Entry(("The Heron",), 3),),
        fruitless=(Entry(("harbor",), 1),),
        clicked=(Entry(("home",), 2), Entry((None,), 1)),
        clicks=3,
        shown=60,
        top={"views": (Entry(("movie", "dune"), 7),), "laughs": (Entry(("movie", "ran"), 9),)},
    ),
)


def search(number: int, query: object, event_type: str = "search.performed") -> Event:
    return make_event(number, event_type=event_type, metadata={"query": query})


@pytest.mark.parametrize("period", Period)
def test_a_period_ends_with_the_bar_of_now_and_has_whole_bars(period: Period) -> None:
    for minute in (29_000_000, 29_000_001, 29_001_439):
        since, until = period.span(minute)
        assert since <= minute < until
        assert (until - since) == period.bar * period.bars
        assert since % period.bar == 0
        assert until - minute <= period.bar


def test_periods_get_longer_and_shorter_up_to_an_end() -> None:
    assert Period.HOUR.step(1) is Period.DAY
    assert Period.HOUR.step(-1) is Period.HOUR
    assert Period.WEEK.step(5) is Period.MONTH


def test_operations_are_lists_that_lead_to_pages_and_events() -> None:
    shown = {one.title: one.entries for one in operations(FIGURES)}
    assert shown["Categories"] == [Ranked("downloads", 9, Facet(Field.CATEGORY, "downloads"), 2)]
    download = ResourceName("download", "a")
    assert shown["Errors by resource"] == [Ranked("download/a", 2, download)]
    assert shown["Busiest resources"] == [Ranked("download/a", 5, download)]
    assert shown["Busiest actors"] == [
        Ranked("user:ana", 4, ActorName("user:ana")),
        Ranked("user", 3, ActorName("user")),
        Ranked("system", 1, ActorName("system")),
    ]
    [provider] = shown["Providers"] or []
    assert (provider.name, provider.number, provider.errors) == ("tidepool", 6, 1)
    assert isinstance(provider.target, Node)
    is_chosen = compile_predicate(provider.target)
    assert is_chosen(make_event(1, event_type="download.failed", metadata={"indexer": "tidepool"}))
    assert not is_chosen(make_event(1, event_type="download.failed", metadata={"indexer": "lantern"}))
    assert not is_chosen(make_event(1, event_type="job.failed", metadata={"indexer": "tidepool"}))


def test_a_search_leads_to_all_that_was_counted_however_it_was_written() -> None:
    [entry] = next(one.entries for one in catalogue(FIGURES, [], NOON) if one.title == "Searches") or []
    assert isinstance(entry.target, Node)
    is_chosen = compile_predicate(entry.target)
    assert all(
        map(
            is_chosen,
            [search(1, "the heron"), search(2, "THE HERON"), search(3, "The Heron", "search.query")],
        )
    )
    assert not is_chosen(search(4, "heron"))
    assert not is_chosen(search(5, "the heron", "job.executed"))


def test_the_catalogue_has_counters_clicks_and_what_is_featured() -> None:
    hero = FeaturedItem("hero", "Dune", "movie", "dune", NOON - timedelta(days=2, hours=3))
    empty = FeaturedItem("side", None, None, None, NOON + timedelta(hours=1))
    shown = {one.title: one for one in catalogue(FIGURES, [hero, empty], NOON)}
    assert list(shown) == [
        *(
            "Most views",
            "Most laughs",
            "Most downloads",
            "Searches",
            "Recommendations clicked",
            "Featured now, since",
        )
    ]
    clicked = shown["Recommendations clicked"]
    assert [entry.name for entry in clicked.entries or ()] == ["home", "(no place)"]
    assert clicked.told == "3 of 60 shown, 5.0 %"
    first, second = list(shown["Featured now, since"].entries or ())
    assert (first.name, first.told, first.target) == ("hero: Dune", "2 d", ResourceName("movie", "dune"))
    assert (second.name, second.told) == ("side: ?", "0 s")


def test_what_is_not_known_yet_is_no_empty_list() -> None:
    assert all(one.entries is None for one in operations(None))
    assert all(one.entries is None for one in catalogue(None, None, NOON))
    some = Figures(NOON and Period.DAY, NOON, 0, (0,) * 48, (0,) * 48, {}, FIGURES.categories)
    assert [one.title for one in operations(some) if one.entries is not None] == ["Categories"]


@pytest.mark.parametrize(
    ("top", "shown"),
    [
        ({}, ["views", "downloads", "likes"]),
        ({"plays": 4}, ["plays", "views", "downloads"]),
        ({"plays": 4, "likes": 1, "laughs": 9, "views": 1}, ["views", "likes", "laughs"]),
        ({"a": 1, "b": 1, "c": 2}, ["c", "a", "b"]),
    ],
)
def test_the_counters_that_are_shown(top: dict[str, int], shown: list[str]) -> None:
    entries = {name: (Entry(("movie", "x"), number),) for name, number in top.items()}
    assert chosen_counters(entries) == shown


def test_hours_are_those_of_the_zone() -> None:
    monday = datetime(2026, 11, 16, 23, tzinfo=UTC)
    hours = {int(monday.timestamp()) // 3600: 4, int(monday.timestamp()) // 3600 - 7 * 24: 3}
    week = by_weekday(hours, UTC)
    assert week[0][23] == 7
    assert sum(map(sum, week)) == 7
    assert by_weekday(hours, ZoneInfo("Europe/Berlin"))[1][0] == 7
    assert sum(map(sum, by_weekday(hours, None))) == 7


@pytest.mark.parametrize(
    ("counts", "width", "height", "lines"),
    [
        ([0, 0, 0], 3, 1, ["   "]),
        ([], 2, 2, ["  ", "  "]),
        ([4, 4], 2, 1, ["⠉⠉"]),
        ([1, 4], 1, 1, ["⠼"]),
        ([0, 4], 1, 2, ["⠈", " "]),
        ([4, 0], 1, 1, ["⠁"]),
    ],
)
def test_a_line_of_braille(counts: list[int], width: int, height: int, lines: list[str]) -> None:
    assert line_chart(counts, width, height) == lines

"""The figures of a period as lists to choose from: each entry leads to a page or to events. Plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from monitor.masking import is_hidden, shown_value
from monitor.model.filter import Facet
from monitor.model.subjects import ActorName, ResourceName
from monitor.zone import age
from store.featured_item import FeaturedItem
from store.figures.figures import Entries, Entry, Figures
from store.figures.kinds import CLICKED, SEARCHES
from store.query.syntax import Compare, Field, Node, Op, Or, Path, all_of
from store.taxonomy import active

Target = ResourceName | ActorName | Facet | Node
"""What an entry leads to: a page, or a filter of the timeline."""
COUNTERS_SHOWN = 3
PREFERRED = ("views", "downloads", "likes")
"""Counters that are shown before others, where they went up at all."""
HOURS, WEEKDAYS = 24, 7


@dataclass(frozen=True, slots=True)
class Ranked:
    """An entry of a list. `name` is raw event text. `errors` is how many of the `number` are, where that is known.

    `told` stands in the place of the number where that says nothing by itself.
    """

    name: str
    number: int
    target: Target
    errors: int | None = None
    told: str = ""


@dataclass(frozen=True, slots=True)
class RankedEntries:
    """A list with its title; `entries` is None while they are not known, `told` says more in a few words."""

    title: str
    entries: Sequence[Ranked] | None
    told: str = ""


def operations(figures: Figures | None) -> list[RankedEntries]:
    """What those want to know who keep it running: where the errors are, and who makes the load."""
    lists = None if figures is None else figures.lists
    return [
        RankedEntries(
            "Categories",
            None if figures is None else [_category(entry) for entry in figures.categories],
        ),
        RankedEntries(
            "Errors by resource", None if lists is None else _resources(lists.failing, by_errors=True)
        ),
        RankedEntries("Busiest resources", None if lists is None else _resources(lists.busiest)),
        RankedEntries("Busiest actors", None if lists is None else _actors(lists.actors)),
        RankedEntries(
            "Providers", None if lists is None else [_provider(entry) for entry in lists.providers]
        ),
        RankedEntries(
            "Searches that found nothing",
            None if lists is None else [_searched(entry) for entry in lists.fruitless],
        ),
    ]


def catalogue(
    figures: Figures | None, featured: Sequence[FeaturedItem] | None, now: datetime
) -> list[RankedEntries]:
    """What those want to know who run a catalogue: what is looked at, liked, searched for, clicked and featured."""
    lists = None if figures is None else figures.lists
    names = chosen_counters({} if lists is None else lists.top)
    tops = [
        RankedEntries(f"Most {name}", None if lists is None else _resources(lists.top.get(name, ())))
        for name in names
    ]
    clicks = None if lists is None else [_place(entry) for entry in lists.clicked]
    return [
        *tops,
        RankedEntries("Searches", None if lists is None else [_searched(entry) for entry in lists.searches]),
        RankedEntries(
            "Recommendations clicked", clicks, "" if lists is None else _rate(lists.clicks, lists.shown)
        ),
        RankedEntries(
            "Featured now, since", None if featured is None else [_featured(item, now) for item in featured]
        ),
    ]


def chosen_counters(top: Mapping[str, Entries]) -> list[str]:
    """The counters that are shown: preferred ones that went up, then those that did most, then preferred ones."""
    sums = {name: sum(entry.number for entry in entries) for name, entries in top.items() if entries}
    known = [name for name in PREFERRED if name in sums]
    others = sorted((name for name in sums if name not in PREFERRED), key=lambda name: (-sums[name], name))
    return [*known, *others, *(name for name in PREFERRED if name not in sums)][:COUNTERS_SHOWN]


def by_weekday(hours: Mapping[int, int], zone: tzinfo | None) -> list[list[int]]:
    """`hours` since 1970 by weekday, Monday first, and hour of the day in `zone`; None is the local one."""
    week = [[0] * HOURS for _ in range(WEEKDAYS)]
    for hour, number in hours.items():
        moment = datetime.fromtimestamp(3600 * hour, UTC).astimezone(zone)
        week[moment.weekday()][moment.hour] += number
    return week


def _category(entry: Entry) -> Ranked:
    name = entry.names[0] or ""
    return Ranked(name, entry.number, Facet(Field.CATEGORY, name), entry.errors)


def _resources(entries: Entries, *, by_errors: bool = False) -> list[Ranked]:
    found: list[Ranked] = []
    for entry in entries:
        kind, identifier = entry.names
        if kind is not None and identifier is not None:
            name = ResourceName(kind, identifier)
            found.append(Ranked(name.text, entry.errors if by_errors else entry.number, name))
    return found


def _actors(entries: Entries) -> list[Ranked]:
    names = [
        (ActorName(f"{kind}:{identifier}" if identifier is not None else f"{kind}"), entry.number)
        for entry in entries
        for kind, identifier in [entry.names]
        if kind is not None
    ]
    return [Ranked(name.text, number, name) for name, number in names]


def _provider(entry: Entry) -> Ranked:
    name = entry.names[0] or ""
    places = active().providers
    named = [
        all_of(Compare(Field.TYPE, Op.EQ, event_type), Compare(Path(tuple(path.split("."))), Op.EQ, name))
        for event_type, path in places.items()
    ]
    for keys in (tuple(path.split(".")) for path in places.values()):
        if is_hidden(keys):
            named, name = [Compare(Field.TYPE, Op.EQ, each) for each in places], shown_value(keys, name)
            break
    return Ranked(name, entry.number, named[0] if len(named) == 1 else Or(tuple(named)), entry.errors)


def _searched(entry: Entry) -> Ranked:
    text = entry.names[0] or ""
    named = Or(tuple(Compare(Field.TYPE, Op.EQ, name) for name in sorted(SEARCHES)))
    if is_hidden(("query",)):
        # A filter would tell it.
        return Ranked(shown_value(("query",), text), entry.number, named)
    # However it was written: what contains it holds all that was counted.
    return Ranked(text, entry.number, all_of(named, Compare(Path(("query",)), Op.CONTAINS, text)))


def _place(entry: Entry) -> Ranked:
    clicked, place = Compare(Field.TYPE, Op.EQ, CLICKED), entry.names[0]
    if place is None:
        return Ranked("(no place)", entry.number, clicked)
    return Ranked(place, entry.number, all_of(clicked, Compare(Path(("place",)), Op.EQ, place)))


def _rate(clicks: int, shown: int) -> str:
    return f"{clicks:,} of {shown:,} shown, {100 * clicks / shown:.1f} %" if shown else ""


def _featured(item: FeaturedItem, now: datetime) -> Ranked:
    target: Target = Compare(Field.RESOURCE, Op.EQ, f"featured_item/{item.place}")
    if item.resource_type is not None and item.resource_id is not None:
        target = ResourceName(item.resource_type, item.resource_id)
    name = f"{item.place}: {item.title or item.resource_id or '?'}"
    return Ranked(name, 0, target, told=age(item.since, now))

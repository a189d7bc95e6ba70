"""`evtop resource` and `evtop actor`: all about one of them, as their pages in the console tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    Demo,
    Output,
    TableOrJson,
    chosen_settings,
    fail,
    run_to_end,
    say,
    write,
    write_json,
)
from monitor.cli.selection import Zone, chosen_zone
from monitor.cli.zones import ZoneName

if TYPE_CHECKING:
    from monitor.model.actor import ActorFacts
    from monitor.model.resource import ResourceFacts
    from monitor.model.subjects import PageSubject
    from monitor.settings import Settings
    from store.event import Event

LOOKED_AT = 5_000
"""Events that facts are summed up from, the newest; their number and the first are of all there are."""

Name = Annotated[str, typer.Argument(metavar="TYPE/ID", help="A resource, as in download/9f3a.")]
Who = Annotated[str, typer.Argument(metavar="ACTOR", help="An actor, as in user:42, job:rss-sync or system.")]
Known = tuple[int, datetime | None, list["Event"], dict[str, int]]
"""How many events there are, when the first was, the newest of them, and what they counted."""


def resource_named(name: str) -> tuple[str, str]:
    """Type and id of a resource; a name that is none ends the program."""
    kind, slash, identifier = name.partition("/")
    if not (kind and slash and identifier):
        fail(f"{name!r} is no resource; write it like download/9f3a")
    return kind, identifier


def resource(
    name: Name, output: TableOrJson = Output.TEXT, zone: ZoneName = None, demo: Demo = False
) -> None:
    """Print all about a resource, in both its roles: status, how it changed, who touched it, what stands beside it."""
    from monitor.model import told
    from monitor.model.resource import resource_facts
    from monitor.model.subjects import ResourceName
    from store.taxonomy import active

    subject, written = ResourceName(*resource_named(name)), chosen_zone(zone)
    count, first, events, counters = _read(demo, subject)
    facts = resource_facts(events, subject, active().ends, told.active())
    with suppress(BrokenPipeError):
        if output is Output.JSON:
            known = {"resource": name, "events": count, "first": first, "counters": counters}
            found = asdict(facts)
            told_of = found.pop("told")
            write_json({**known, "facts": told_of, **found})
        else:
            _write(name, count, first, _resource_lines(facts, counters, written), written)
        _say_how_many(count)


def actor(who: Who, output: TableOrJson = Output.TEXT, zone: ZoneName = None, demo: Demo = False) -> None:
    """Print all about an actor: what it did and with what, what it viewed, downloaded and likes, how it came in."""
    from monitor.model.actor import actor_facts
    from monitor.model.subjects import ActorName

    subject, written = ActorName(who), chosen_zone(zone)
    count, first, events, _ = _read(demo, subject)
    facts = actor_facts(events)
    with suppress(BrokenPipeError):
        if output is Output.JSON:
            write_json({"actor": who, "events": count, "first": first, **asdict(facts)})
        else:
            _write(who, count, first, _actor_lines(facts), written)
        _say_how_many(count)


def _read(demo: bool, subject: PageSubject) -> Known:
    known = run_to_end(_known(chosen_settings(demo), subject))
    if not known[0]:
        fail(f"no event is about {subject.text}")
    return known


async def _known(settings: Settings, subject: PageSubject) -> Known:
    from monitor.backend import Backend, open_store
    from monitor.model.subjects import ResourceName
    from store.event_filter import EventFilter

    async with await open_store(settings, announce=False, create=False) as store:
        reader = Backend(store, None)
        if isinstance(subject, ResourceName):
            count, first = await reader.resource_span(*subject)
            newest = await store.repository.resource_events(*subject, LOOKED_AT)
            return count, first, newest, dict(await reader.counters(*subject))
        chosen = EventFilter(query=subject.query)
        count, first = await reader.span(chosen)
        return count, first, await store.repository.newest(LOOKED_AT, chosen), {}


def _say_how_many(count: int) -> None:
    if count > LOOKED_AT:
        say(f"only the newest {LOOKED_AT:,} of {count:,} events were summed up")


def _write(
    name: str, count: int, first: datetime | None, lines: Sequence[tuple[str, str]], zone: Zone
) -> None:
    from monitor.zone import iso

    told = [
        ("events", f"{count:,}"),
        ("first", iso(first, zone.written, "seconds") if first else "-"),
        *lines,
    ]
    write(name)
    for label, text in told:
        if text:
            write(f"  {label:<11} {text}")


def _resource_lines(facts: ResourceFacts, counters: Mapping[str, int], zone: Zone) -> list[tuple[str, str]]:
    from monitor.model.lifecycle import took
    from monitor.model.told import told_text
    from monitor.zone import age, iso

    passage, work = facts.passage, ""
    if passage is not None:
        done = (
            f"{passage.began_with} to {passage.ended_with}"
            if passage.ended
            else f"since {passage.began_with}"
        )
        work = f"{took(passage.seconds(datetime.now(UTC)))}, {done}"
    status, now = facts.status, datetime.now(UTC)
    since = "" if status is None else f", since {iso(status.since, zone.written, 'seconds')}"
    changes = [f"{span.status} {iso(span.since, zone.written, 'seconds')}" for span in facts.statuses[-12:]]
    return [
        ("title", facts.title or ""),
        ("facts", ", ".join(f"{place} {told_text(value)}" for place, value in facts.told.items())),
        (
            "status",
            "none reported" if status is None else f"{status.status} for {age(status.since, now)}{since}",
        ),
        *_went_wrong(facts.errors, facts.warnings),
        ("in 2nd role", f"{facts.as_secondary:,}" if facts.as_secondary else ""),
        ("history", ", ".join(reversed(changes))),
        ("took", work),
        ("counters", _named(tuple(counters.items()))),
        ("actors", _named(facts.actors)),
        ("with", _named(facts.related)),
    ]


def _actor_lines(facts: ActorFacts) -> list[tuple[str, str]]:
    logins = facts.logins
    lists = [(name, f"{number:,}: {', '.join(latest)}") for name, number, latest in facts.lists]
    return [
        *_went_wrong(facts.errors, facts.warnings),
        ("did", _named(facts.categories)),
        ("with", _named(facts.resources)),
        *lists,
        (
            "logins",
            ""
            if logins is None
            else f"{logins.number:,}, {logins.refused:,} refused; "
            f"addresses: {logins.addresses:,}, agents: {logins.agents:,}",
        ),
    ]


def _went_wrong(errors: int, warnings: int) -> list[tuple[str, str]]:
    return [("errors", f"{errors:,}"), ("warnings", f"{warnings:,}")]


def _named(numbers: tuple[tuple[str, int], ...]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in numbers)

"""What is known of one resource: its span, its present status, how the status changed, who touched it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitor.health.alert_events import RECORD_TYPES
from monitor.model.lifecycle import Passage, passages
from monitor.model.subjects import ResourceName
from monitor.model.told import ToldPlaces
from store.event import Event


@dataclass(frozen=True, slots=True)
class StatusSpan:
    """A status that the resource had from `since` on."""

    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """The top of a resource page. `statuses` are its changes, oldest first; `actors` the busiest first.

    `related` are the resources that events have beside it, the most frequent first, with how many. `title` is what its
    events call it, `told` what else their metadata says of it, `passage` the work on it that began last.
    """

    status: StatusSpan | None
    statuses: tuple[StatusSpan, ...]
    actors: tuple[tuple[str, int], ...]
    errors: int
    warnings: int
    as_secondary: int
    related: tuple[tuple[str, int], ...] = ()
    title: str | None = None
    told: Mapping[str, Any] = field(default_factory=dict[str, Any])
    passage: Passage | None = None


def resource_facts(
    events: Iterable[Event],
    name: ResourceName,
    ends: Mapping[str, Sequence[str]] | None = None,
    places: ToldPlaces | None = None,
) -> ResourceFacts:
    """Sum up events of a resource, given in any order. Status and metadata are those of events in its primary role.

    `ends` has what events of a type end, `places` is where their metadata tells of it.
    """
    events = sorted(events, key=lambda event: event.sort_key)
    # What is recorded of an alert has its title, which says how things were when it fired.
    telling = [
        event
        for event in reversed(events)
        if event.resource == name.text and event.event_type not in RECORD_TYPES
    ]
    places = places or ToldPlaces()
    statuses: list[StatusSpan] = []
    actors: Counter[str] = Counter()
    severities: Counter[str | None] = Counter()
    related: Counter[str] = Counter()
    as_secondary = 0
    for event in events:
        actors[event.actor] += 1
        severities[event.severity] += 1
        primary, secondary = event.resource, event.secondary_resource
        if (other := secondary if primary == name.text else primary) is not None:
            related[other] += 1
        if primary != name.text:
            as_secondary += 1
        elif event.status and (not statuses or statuses[-1].status != event.status):
            statuses.append(StatusSpan(event.status, event.inserted_at))
    return ResourceFacts(
        statuses[-1] if statuses else None,
        tuple(statuses),
        tuple(actors.most_common(5)),
        severities["error"],
        severities["warning"],
        as_secondary,
        tuple(related.most_common(5)),
        places.title(telling),
        places.told(telling),
        found[-1] if (found := passages(events, ends or {}, name)) else None,
    )


def status_strip(statuses: Sequence[StatusSpan], now: datetime, cells: int) -> list[str | None]:
    """The last status within each of `cells` equal slices from the first change to `now`; None before that."""
    if not statuses or cells <= 0:
        return []
    since = statuses[0].since
    span = max((now - since).total_seconds(), 1.0)
    strip: list[str | None] = []
    place = 0
    for cell in range(1, cells + 1):
        until = since + timedelta(seconds=span * cell / cells)
        while place + 1 < len(statuses) and statuses[place + 1].since < until:
            place += 1
        strip.append(statuses[place].status)
    return strip

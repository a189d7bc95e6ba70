"""What is known of one resource: its span, its present status, how the status changed, who touched it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.model.subjects import ResourceName
from store.event import Event


@dataclass(frozen=True, slots=True)
class StatusSpan:
    """A status that the resource had from `since` on."""

    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """The top of a resource page. `statuses` are its changes, oldest first; `actors` the busiest first.

    `related` are the resources that events have beside it, the most frequent first, with how many.
    """

    status: StatusSpan | None
    statuses: tuple[StatusSpan, ...]
    actors: tuple[tuple[str, int], ...]
    errors: int
    warnings: int
    as_secondary: int
    related: tuple[tuple[str, int], ...] = ()


def resource_facts(events: Iterable[Event], name: ResourceName) -> ResourceFacts:
    """Sum up events of a resource, given in any order. The status is what events in its primary role say."""
    statuses: list[StatusSpan] = []
    actors: Counter[str] = Counter()
    severities: Counter[str | None] = Counter()
    related: Counter[str] = Counter()
    as_secondary = 0
    for event in sorted(events, key=lambda event: event.sort_key):
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
    )

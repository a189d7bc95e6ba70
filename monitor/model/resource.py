"""What is known of one resource: its span, its present status, how the status changed, who touched it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from store.event import Event


@dataclass(frozen=True, slots=True)
class StatusSpan:
    """A status that the resource had from `since` on."""

    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """The top of a resource page. `statuses` are its changes, oldest first; `actors` the busiest first."""

    status: StatusSpan | None
    statuses: tuple[StatusSpan, ...]
    actors: tuple[tuple[str, int], ...]
    errors: int
    warnings: int
    as_secondary: int


def is_about(event: Event, resource_type: str, resource_id: str) -> bool:
    """Whether the event concerns a resource, in either role."""
    return (event.resource_type == resource_type and event.resource_id == resource_id) or (
        event.secondary_resource_type == resource_type and event.secondary_resource_id == resource_id
    )


def resource_facts(events: Iterable[Event], resource_type: str, resource_id: str) -> ResourceFacts:
    """Sum up events of a resource, given in any order. The status is what events in its primary role say."""
    statuses: list[StatusSpan] = []
    actors: Counter[str] = Counter()
    severities: Counter[str | None] = Counter()
    as_secondary = 0
    for event in sorted(events, key=lambda event: event.sort_key):
        actors[event.actor] += 1
        severities[event.severity] += 1
        if not (event.resource_type == resource_type and event.resource_id == resource_id):
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
    )

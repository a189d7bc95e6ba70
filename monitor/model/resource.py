"""What is known of one resource: its span, its present status, how the status changed, who touched it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.masking import shown_metadata
from monitor.model.lifecycle import Passage, passages
from monitor.model.subjects import ResourceName
from store.event import Event

TITLES = ("title", "name")
"""Where events say what people call a resource, the first that there is."""


@dataclass(frozen=True, slots=True)
class StatusSpan:
    """A status that the resource had from `since` on."""

    status: str
    since: datetime


@dataclass(frozen=True, slots=True)
class ResourceFacts:
    """The top of a resource page. `statuses` are its changes, oldest first; `actors` the busiest first.

    `related` are the resources that events have beside it, the most frequent first, with how many. `title` is what its
    events call it, `passage` the work on it that began last, with what it was done.
    """

    status: StatusSpan | None
    statuses: tuple[StatusSpan, ...]
    actors: tuple[tuple[str, int], ...]
    errors: int
    warnings: int
    as_secondary: int
    related: tuple[tuple[str, int], ...] = ()
    title: str | None = None
    passage: Passage | None = None


def resource_facts(
    events: Iterable[Event], name: ResourceName, ends: Mapping[str, Sequence[str]] | None = None
) -> ResourceFacts:
    """Sum up events of a resource, given in any order. The status is what events in its primary role say.

    `ends` has what events of a type end.
    """
    events = list(events)
    statuses: list[StatusSpan] = []
    actors: Counter[str] = Counter()
    severities: Counter[str | None] = Counter()
    related: Counter[str] = Counter()
    as_secondary = 0
    title: str | None = None
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
        if primary == name.text:
            title = _title(event) or title
    return ResourceFacts(
        statuses[-1] if statuses else None,
        tuple(statuses),
        tuple(actors.most_common(5)),
        severities["error"],
        severities["warning"],
        as_secondary,
        tuple(related.most_common(5)),
        title,
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


def _title(event: Event) -> str | None:
    for key in TITLES:
        value = shown_metadata(event).get(key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None

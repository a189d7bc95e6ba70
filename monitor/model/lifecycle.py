"""How long work on a resource takes: from the event that begins it to the one that ends it. Plain Python.

Which events end which is declared in the taxonomy (`ends`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from monitor.model.subjects import ResourceName
from store.event import Event

USUAL_FROM = 5
"""How many others there must be before anything is called usual."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Work from `began` to `ended`, None while it goes on; with the types of both events."""

    began: datetime
    began_with: str
    ended: datetime | None = None
    ended_with: str | None = None

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken by `now`; never below 0."""
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


@dataclass(frozen=True, slots=True)
class Usual:
    """How long `number` others took that went from one type to the other: the median in seconds."""

    median: float
    number: int


def passages(events: Iterable[Event], ends: Mapping[str, Sequence[str]], name: ResourceName) -> list[Passage]:
    """What was done with the resource `name` by its events, in any order; `ends` has what an event of a type ends.

    Work that began again before it ended goes on from its first beginning. The one that began last comes last.
    """
    begins = {begun for ended in ends.values() for begun in ended}
    found: list[Passage] = []
    begun: dict[str, Event] = {}
    for event in sorted(events, key=lambda event: event.sort_key):
        if event.resource != name.text:
            continue
        ended = [(kind, begun.pop(kind)) for kind in ends.get(event.event_type, ()) if kind in begun]
        found += [
            Passage(first.inserted_at, kind, event.inserted_at, event.event_type) for kind, first in ended
        ]
        if event.event_type in begins:
            begun.setdefault(event.event_type, event)
    found += [Passage(event.inserted_at, kind) for kind, event in begun.items()]
    return sorted(found, key=lambda passage: passage.began)


def usual(
    events: Iterable[Event], ends: Mapping[str, Sequence[str]], passage: Passage, but: ResourceName
) -> Usual | None:
    """How long others took that began as `passage` did, and ended as it did if it has; None for too few of them."""
    by_resource: dict[str, list[Event]] = {}
    for event in events:
        if event.resource is not None and event.resource != but.text:
            by_resource.setdefault(event.resource, []).append(event)
    took: list[float] = []
    for written, own in by_resource.items():
        kind, _, identifier = written.partition("/")
        for other in passages(own, ends, ResourceName(kind, identifier)):
            is_alike = other.began_with == passage.began_with and other.ended is not None
            if is_alike and passage.ended_with in (None, other.ended_with):
                took.append(other.seconds(other.began))
    return Usual(median(took), len(took)) if len(took) >= USUAL_FROM else None


def took(seconds: float) -> str:
    """A duration in its two largest units: `840 ms`, `4.2 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds < 1:
        return f"{round(1000 * seconds)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    sizes = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s"))
    size, unit, rest, smaller = next(units for units in sizes if whole >= units[0])
    left = whole % size // rest
    return f"{whole // size} {unit}" + (f" {left} {smaller}" if left else "")

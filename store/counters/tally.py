"""What events count, by the taxonomy: views, likes, a sum of some value, each for the resource of the event."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from store.event import Event
from store.metadata_place import value_at
from store.sampling import whole_weight
from store.taxonomy import Taxonomy

VALUE_MAX = 10**12
"""A value of an event beyond this, either way, counts nothing: sums of it would not fit a column."""


class CounterKey(NamedTuple):
    """One counter of one resource."""

    resource_type: str
    resource_id: str
    counter: str


def tally(events: Iterable[Event], taxonomy: Taxonomy) -> Counter[CounterKey]:
    """What `events` add to counters, those left out that come to nothing.

    Where sampling left events out, one counts for those it stands for.
    """
    counting = taxonomy.counting
    totals: Counter[CounterKey] = Counter()
    for event in events:
        declared = counting.get(event.event_type)
        if declared is None or event.resource_type is None or event.resource_id is None:
            continue
        for counter, by in declared:
            key = CounterKey(event.resource_type, event.resource_id, counter)
            totals[key] += added(by, event.metadata) * whole_weight(event)
    return Counter({key: total for key, total in totals.items() if total})


def added(by: int | str, metadata: Mapping[str, Any]) -> int:
    """What one event adds: `by`, or as a text the value at that path of its metadata, rounded to a whole number.

    A value that is missing, no number, or beyond `VALUE_MAX` adds nothing.
    """
    if isinstance(by, int):
        return by
    value = value_at(metadata, by.split("."))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return 0
    return round(value) if -VALUE_MAX <= value <= VALUE_MAX else 0

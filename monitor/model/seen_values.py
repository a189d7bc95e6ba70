"""The values that events had lately, for whoever types a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from monitor.model.counts import OTHERS, Kind
from monitor.model.gaps import Gap
from store.event import Event
from store.query.completion import Seen
from store.query.syntax import Field

ROWS_MAX = 1000
"""Rows looked at, the newest, as a key waits for it: about 3 ms."""


def seen_values(kinds: Iterable[tuple[int, Kind, float]], rows: Sequence[Event | Gap]) -> Seen:
    """What the newest `rows` have, and categories and types as they were counted by minute where that is more."""
    seen: dict[Field, Counter[str]] = {
        field: Counter()
        for field in (Field.CATEGORY, Field.TYPE, Field.STATUS, Field.ACTOR, Field.RESOURCE_TYPE)
    }
    for row in rows[-ROWS_MAX:]:
        if not isinstance(row, Event):
            continue
        seen[Field.CATEGORY][row.category] += 1
        seen[Field.TYPE][row.event_type] += 1
        seen[Field.ACTOR][row.actor] += 1
        if row.status is not None:
            seen[Field.STATUS][row.status] += 1
        for kind in {row.resource_type, row.secondary_resource_type} - {None}:
            seen[Field.RESOURCE_TYPE][str(kind)] += 1
    counted: dict[Field, Counter[str]] = {Field.CATEGORY: Counter(), Field.TYPE: Counter()}
    for _, kind, number in kinds:
        if OTHERS in kind:
            continue
        counted[Field.CATEGORY][kind.category] += round(number)
        counted[Field.TYPE][kind.event_type] += round(number)
    return {field: values | counted.get(field, Counter()) for field, values in seen.items()}

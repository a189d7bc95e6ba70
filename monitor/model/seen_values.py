"""The values that events had lately, for whoever types a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from monitor.masking import shown_metadata
from monitor.model.counts import OTHERS, Kind
from monitor.model.gaps import Gap
from store.event import Event
from store.query.completion import ANY, Seen
from store.query.metadata import leaves, value_at, written
from store.query.syntax import Field, Path

ROWS_MAX = 1000
"""Rows looked at, the newest, as a key waits for it: about 3 ms."""

METADATA_ROWS_MAX = 200
"""Rows whose metadata is looked at, the newest."""
_PATHS_MAX, _VALUES_MAX, _LEAVES_MAX, _LEVELS_MAX, _TEXT_MAX = 500, 50, 100, 6, 60


def seen_values(kinds: Iterable[tuple[int, Kind, float]], rows: Sequence[Event | Gap]) -> Seen:
    """What the newest `rows` have, and categories and types as they were counted by minute where that is more.

    Of the metadata, what the newest of them have: how often each place in it holds which value, `ANY` for a list, an
    empty object, a text too long to be offered and what is not to be shown.
    """
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
    return {
        **{field: values | counted.get(field, Counter()) for field, values in seen.items()},
        **_in_metadata(rows[-METADATA_ROWS_MAX:]),
    }


def _in_metadata(rows: Sequence[Event | Gap]) -> dict[Path, Counter[str]]:
    seen: dict[Path, Counter[str]] = {}
    # From the newest on, so that what is seen now is not crowded out by what was seen before.
    for row in reversed(rows):
        if not isinstance(row, Event):
            continue
        shown = shown_metadata(row)
        for _, (keys, value) in zip(range(_LEAVES_MAX), leaves(shown, _LEVELS_MAX), strict=False):
            place = Path(keys)
            if place not in seen and len(seen) >= _PATHS_MAX:
                continue
            values = seen.setdefault(place, Counter())
            # What is not to be shown would find nothing by what is shown in its place.
            hidden = shown is not row.metadata and value_at(row.metadata, keys) != value
            text = None if hidden else written(value)
            if text is None or len(text) > _TEXT_MAX or (text not in values and len(values) >= _VALUES_MAX):
                text = ANY
            values[text] += 1
    return seen

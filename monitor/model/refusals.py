"""What was refused, summed up for people, with how to go on when lines are no events at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from pydantic_core import from_json

from monitor.model.arrivals import Refusal
from store.query.quoting import write_path

_SHOWN_PLACES = 20


def reasons(refusals: Iterable[Refusal]) -> list[tuple[str, int]]:
    """Why the refused were refused, and how many of them, the most frequent first."""
    return Counter(refusal.reason for refusal in refusals).most_common()


def suggested_mapping(refusals: Iterable[Refusal]) -> tuple[tuple[str, ...], str] | None:
    """The places in the first refused line that is an object, as a mapping names them, and a mapping to begin with.

    None when none is one. What the fields mean is for whoever knows the lines to say: the mapping names a place that
    is there, so that it can be tried, and no more.
    """
    for refusal in refusals:
        try:
            line = from_json(refusal.excerpt, allow_partial=len(refusal.excerpt) < refusal.size)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and line:
            places = tuple(
                place
                for place, _ in zip(_places(cast("dict[str, Any]", line)), range(_SHOWN_PLACES), strict=False)
            )
            return places, f"event_type = '{places[0]}'"
    return None


def _places(fields: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[str]:
    for key, value in fields.items():
        keys = (*above, key)
        if isinstance(value, dict) and value and len(keys) < 4:
            yield from _places(cast("dict[str, Any]", value), keys)
        else:
            yield write_path(keys)[1:]

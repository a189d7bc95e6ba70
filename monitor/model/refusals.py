"""What was refused, summed up for people, with how to go on when lines are no events at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any, cast

from pydantic_core import from_json

from monitor.model.arrivals import Refusal
from store.query.metadata import leaves
from store.query.quoting import write_path

_SHOWN_PLACES, _LEVELS = 20, 4


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
                write_path(keys)[1:]
                for keys, _ in islice(leaves(cast("dict[str, Any]", line), _LEVELS), _SHOWN_PLACES)
            )
            return places, f"event_type = '{places[0]}'"
    return None

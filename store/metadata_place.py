"""What stands at a place in the metadata of an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

MISSING = object()
"""Stands for no value at all, which null is not."""


def value_at(metadata: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """What stands there; `MISSING` where nothing does."""
    value: Any = metadata
    for key in keys:
        if not isinstance(value, dict):
            return MISSING
        value = cast("dict[str, Any]", value).get(key, MISSING)
    return value

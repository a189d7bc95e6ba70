"""What `record()` was given, as JSON: taken down at once, so that later changes to it change nothing."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PosixPath, PurePath
from typing import Any
from uuid import UUID

from pydantic_core import to_json, to_jsonable_python

from store.event import METADATA_MAX_DEPTH, ActorType, Severity

EVENT_MAX_BYTES = 256 * 1024
"""What an encoded event may have; a larger one is dropped and counted."""
NOT_JSON = "not JSON"
TOO_LARGE = "too large"

_ITEM_BYTES = 6
"""What an item counts for before it is known what it takes: of objects that hold each other, there may be no end."""
_DEPTH_MAX = METADATA_MAX_DEPTH + 4
"""What is nested deeper is cut there: it is refused for its depth all the same."""
_INT_MAX = 2**64
"""No database takes this, and a number of a million digits would take its time."""
_LEAVES = (datetime, date, time, timedelta, UUID, Decimal, PurePath)
_TEXTS = (datetime, date, time, timedelta, UUID, Decimal, PosixPath, Path, ActorType, Severity)
_SCALARS: frozenset[object] = frozenset({str, int, float, bool, type(None), *_TEXTS})
_CONTAINERS: frozenset[object] = frozenset({dict, list, tuple})


class UnfitEventError(ValueError):
    """An event that cannot be taken down. The message says why, and quotes nothing of it."""


def encoded(event: dict[str, Any]) -> bytes:
    """`event` as JSON in UTF-8. Moments, UUIDs, enums, decimals and paths become text.

    What JSON has no way for is named by its type; what could only be read once, a generator say, is left alone.

    Raises:
        UnfitEventError: it is too large, or cannot be expressed.
    """
    payload = _encoded_fast(event) or _encoded_with_care(event)
    if len(payload) > EVENT_MAX_BYTES:
        raise UnfitEventError(TOO_LARGE)
    return payload


def _encoded_fast(event: dict[str, Any]) -> bytes | None:
    """`event` as JSON; None when that takes more care."""
    try:
        return to_json(event) if _is_plain(event) else None
    except (UnfitEventError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException:
        # A panic of pydantic's is no Exception, and must not reach the host either.
        return None


def _is_plain(event: dict[str, Any]) -> bool:
    """Whether `event` is made of nothing but what the fast encoder expresses without running anyone's code.

    The fast encoder would use up generators, overflow a small stack, and panic when a dict changes meanwhile.
    """
    room = EVENT_MAX_BYTES
    containers: list[Any] = [event]
    for _ in range(_DEPTH_MAX):
        inner: list[Any] = []
        for container in containers:
            # Before it is looked into, for the same one may be here a thousand times.
            room -= len(container)
            if room < 0:
                raise UnfitEventError(TOO_LARGE)
            values: Iterable[object] = container
            if type(values) is dict:
                for key in container:
                    if type(key) is not str:
                        return False
                    room -= len(key)
                values = container.values()
            for value in values:
                # The commonest first: this is most of what recording an event costs.
                if type(value) is str:
                    room -= len(value)
                elif type(value) in _CONTAINERS:
                    inner.append(value)
                elif type(value) not in _SCALARS or (type(value) is int and not -_INT_MAX < value < _INT_MAX):
                    return False
        if room < 0:
            raise UnfitEventError(TOO_LARGE)
        if not inner:
            return True
        containers = inner
    return False


def _encoded_with_care(event: dict[str, Any]) -> bytes:
    try:
        # Escaped, because a lone surrogate cannot be encoded in another way.
        return json.dumps(_Copy().of(event, ()), separators=(",", ":")).encode()
    except UnfitEventError:
        raise
    except Exception:
        raise UnfitEventError(NOT_JSON) from None


class _Copy:
    """A copy of anything, in nothing but the types of JSON."""

    def __init__(self) -> None:
        self._room = EVENT_MAX_BYTES

    def of(self, value: object, within: tuple[int, ...]) -> object:
        """`value`, which is found in the containers of these addresses."""
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Enum):
            return self.of(value.value, within)
        if isinstance(value, str):
            self._take(len(value))
            return str.__str__(value)
        if isinstance(value, int):
            return int(value) if -_INT_MAX < value < _INT_MAX else _named(value)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, _LEAVES):
            return to_jsonable_python(value)
        if isinstance(value, bytes):
            self._take(len(value))
            return value.decode(errors="backslashreplace")
        if id(value) in within or len(within) > _DEPTH_MAX:
            return _named(value)
        within = (*within, id(value))
        if isinstance(value, Mapping):
            return self._mapping(value, within)  # pyright: ignore[reportUnknownArgumentType]
        if isinstance(value, (list, tuple, Set, deque)):
            return self._items(value, within)  # pyright: ignore[reportUnknownArgumentType]
        return _named(value)

    def _mapping(self, mapping: Mapping[Any, Any], within: tuple[int, ...]) -> dict[str, object]:
        # Another thread may change it meanwhile: a copy of a dict is made in one step.
        pairs: Iterable[tuple[Any, Any]]
        if isinstance(mapping, dict):
            if dict[Any, Any].__len__(mapping) * _ITEM_BYTES > self._room:
                raise UnfitEventError(TOO_LARGE)
            pairs = list(dict[Any, Any].items(mapping))
        else:
            pairs = mapping.items()
        copied: dict[str, object] = {}
        for key, value in pairs:
            self._take(_ITEM_BYTES)
            copied[self._key(key)] = self.of(value, within)
        return copied

    def _items(self, items: Iterable[Any], within: tuple[int, ...]) -> list[object]:
        copied: list[object] = []
        for item in items:
            self._take(_ITEM_BYTES)
            copied.append(self.of(item, within))
        return copied

    def _key(self, key: object) -> str:
        plain = self.of(key, ())
        return plain if isinstance(plain, str) else json.dumps(plain)

    def _take(self, size: int) -> None:
        self._room -= size
        if self._room < 0:
            raise UnfitEventError(TOO_LARGE)


def _named(value: object) -> str:
    return f"<{type(value).__name__}>"

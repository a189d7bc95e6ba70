"""What an application's own values become in an event: text, numbers, lists and objects that every database takes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

from pydantic_core import to_json

TEXT_MAX = 1_000
"""Characters of a text in metadata; a longer one ends in an ellipsis."""
METADATA_BUDGET = 60 * 1024
"""Bytes of metadata as JSON: under what an event may have, so that a large value costs itself and not the event."""
UNREADABLE = "unreadable"
"""Where the metadata names what could not be read or stored."""
REDACTED = "(redacted)"
_VALUES_MAX = 1_000
_DEPTH_MAX = 8
_NAME_MAX = 128
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_UNSTORABLE_CHARACTERS = re.compile("[\x00\ud800-\udfff]")
_WORD_ENDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_SECRET_WORDS = frozenset(
    {"password", "passwd", "passphrase", "passkey", "secret", "secrets", "token", "apikey"}
    | {"credential", "credentials", "cookie", "authorization"}
)
_SECRET_PAIRS = frozenset({"api key", "private key", "access key", "secret key"})


class UnstorableError(ValueError):
    """A value that no event can hold."""


def storable_text(text: str, limit: int = TEXT_MAX) -> str:
    """`text` in at most `limit` characters, with U+FFFD for what a database refuses: U+0000, lone surrogates."""
    # Cut first, so that a text of many megabytes costs no more than a short one.
    plain = str(text[: limit + 1])
    if len(plain) > limit:
        plain = plain[: limit - 1] + "…"
    if plain.isascii() and "\x00" not in plain:
        return plain
    return _UNSTORABLE_CHARACTERS.sub("\ufffd", plain)


def one_line(text: str, limit: int = TEXT_MAX) -> str:
    """`text` as one line: each run of white space is one space."""
    return storable_text(" ".join(text[: 4 * limit].split()), limit)


def identifier(value: object, limit: int = 255) -> str:
    """The text of an id: of a text, a number, a UUID, an enum or a path. Never cut, for a cut id is another id.

    Raises:
        UnstorableError: none of these, empty, or over `limit` characters.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool) or not isinstance(value, (str, int, UUID, PurePath)):
        raise UnstorableError
    if isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX:
        raise UnstorableError
    text = str(value)
    if not 0 < len(text) <= limit:
        raise UnstorableError
    return storable_text(text, limit)


@lru_cache(maxsize=1024)
def names_a_secret(name: str) -> bool:
    """Whether a value under this name is to be kept out of events: `api_key`, `smtp.password`, `authToken`."""
    words = [word.lower() for word in _WORD_ENDS.split(name[:_NAME_MAX]) if word]
    return not _SECRET_WORDS.isdisjoint(words) or any(
        f"{first} {second}" in _SECRET_PAIRS for first, second in pairwise(words)
    )


def storable_metadata(facts: Mapping[str, object]) -> dict[str, Any]:
    """`facts` as the metadata of an event. Never raises.

    Left out is what is None. Moments become ISO 8601 text, a `timedelta` seconds, enums their value, UUIDs,
    decimals and paths text, sets lists. A value under a name that stands for a secret becomes `(redacted)`.
    What cannot be stored is left out, and its name kept in the list `unreadable`.
    """
    metadata: dict[str, Any] = {}
    unreadable: list[str] = []
    try:
        items = list(facts.items())
    except Exception:
        return {UNREADABLE: ["metadata"]}
    for name, value in items:
        if value is None:
            continue
        key = "?"
        try:
            key = _key(name)
            metadata[key] = _storable(key, value, 0, [_VALUES_MAX])
        except Exception:
            unreadable.append(key)
    unreadable.extend(_drop_largest(metadata))
    if unreadable:
        note_unreadable(metadata, unreadable)
    return metadata


def note_unreadable(metadata: dict[str, Any], names: list[str]) -> None:
    """Add `names` to what `metadata` says could not be read, 20 in all."""
    metadata[UNREADABLE] = [*metadata.get(UNREADABLE, ()), *names][:20]


def _drop_largest(metadata: dict[str, Any]) -> list[str]:
    """Take out the largest values until the rest fits, and name them."""
    dropped: list[str] = []
    if len(to_json(metadata)) <= METADATA_BUDGET:
        return dropped
    sizes = {key: len(to_json({key: value})) for key, value in metadata.items()}
    total = sum(sizes.values())
    for key in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if total <= METADATA_BUDGET:
            break
        total -= sizes[key]
        del metadata[key]
        dropped.append(key)
    return dropped


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise UnstorableError
    return storable_text(name, _NAME_MAX)


def _storable(key: str, value: object, depth: int, budget: list[int]) -> Any:
    """`value` as JSON has it. `budget` holds how many more values there may be, whatever the nesting."""
    budget[0] -= 1
    if budget[0] < 0 or depth > _DEPTH_MAX:
        raise UnstorableError
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise UnstorableError
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnstorableError
        return float(value)
    if names_a_secret(key):
        return REDACTED
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, Mapping):
        members = cast("Mapping[object, object]", value)
        return {
            _key(name): _storable(str(name), member, depth + 1, budget) for name, member in members.items()
        }
    if isinstance(value, (set, frozenset)):
        value = sorted(cast("set[object]", value), key=str)
    if isinstance(value, (list, tuple)):
        elements = cast("list[object]", value)
        return [_storable("", element, depth + 1, budget) for element in elements]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal, PurePath)):
        return storable_text(str(value))
    raise UnstorableError


def milliseconds(duration: object) -> int:
    """A duration, given as `timedelta` or in seconds, in whole milliseconds.

    Raises:
        UnstorableError: not a duration, negative, or beyond 64 bits.
    """
    if isinstance(duration, bool) or not isinstance(duration, (timedelta, int, float)):
        raise UnstorableError
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    if not 0 <= seconds <= _INT_MAX / 1000:
        raise UnstorableError
    return round(seconds * 1000)

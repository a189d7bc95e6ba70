"""What may stand in the table of a rule: the keys of every kind, what reads their values, and what is made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any, cast

from monitor.health.absence import Absence
from monitor.health.anomaly import Anomaly, Direction
from monitor.health.buckets import WINDOW_MAX
from monitor.health.grouping import GROUP_FIELDS, GROUP_KEYS_MAX, Key
from monitor.health.ratio import Ratio
from monitor.health.rule import Kind
from monitor.health.slow import Slow
from monitor.health.state import STATES, StateRule
from monitor.health.threshold import Threshold
from store.event import Severity
from store.query.moments import parse_span
from store.query.parser import parse
from store.query.quoting import read_keys
from store.query.syntax import FIELD_NAMES, And, Field, Node, Not, Or, Path, QueryError, Since, Until
from store.taxonomy import nearest

TITLE_MAX = 200
RUNBOOK_MAX = 500
COUNT_MAX = 100_000
"""The largest threshold: so many events are kept one by one."""
GROUPS_LIMIT_MAX = 100_000
SPAN_EXPECTED = f'a length of time, as in "30s", "5m", "2h" or "1d", up to "{WINDOW_MAX.days}d"'
_URL = re.compile(r"https?://[!-~]+")
Reader = Callable[[object], object]
"""Reads a value. A ValueError says what it must be, a `MistakeError` what is wrong."""


class MistakeError(Exception):
    """What is wrong with a value, when that it must be something else does not say it."""


@dataclass(frozen=True, slots=True)
class OfKind:
    """The keys of one kind of rule: (parameter of what makes it, reader) by key."""

    make: Callable[..., Kind]
    keys: Mapping[str, tuple[str, Reader]]
    required: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the rule has when nothing is said."""


def _query(value: object) -> Node:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a filter, as in the console")
    try:
        node = parse(value, zone=UTC)
    except QueryError as error:
        raise MistakeError(f"column {error.column + 1}: {error}") from None
    if _has_time(node):
        raise MistakeError("last:, since: and until: would stay where they are; the rule's own times move on")
    return node


def _has_time(node: Node) -> bool:
    match node:
        case Since() | Until():
            return True
        case Not(operand):
            return _has_time(operand)
        case And(operands) | Or(operands):
            return any(map(_has_time, operands))
        case _:
            return False


def _span(value: object) -> timedelta:
    if isinstance(value, str):
        try:
            span = parse_span(value)
        except ValueError:
            span = None
        if span is not None and span <= WINDOW_MAX:
            return span
    raise ValueError(SPAN_EXPECTED)


def _hold(value: object) -> timedelta:
    return timedelta() if value in {"0s", "0m", "0h", "0d"} else _span(value)


def _whole(most: int) -> Reader:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ValueError(f"a whole number from 1 to {most:,}")
        return value

    return read


def _number(value: object) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < float("inf"):
        raise ValueError("a number above 0")
    return value


def _share(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1:
        return value
    raise ValueError("a number between 0 and 1, as in 0.95")


def _ratio(value: object) -> float:
    if isinstance(value, str) and (percent := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%", value)):
        value = float(percent[1]) / 100
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= 1:
        return value
    raise ValueError('a number above 0 and at most 1, as in 0.2 or "20 %"')


def _severity(value: object) -> Severity:
    if not isinstance(value, str) or value not in set(Severity):
        raise ValueError('"info", "warning" or "error"')
    return Severity(value)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > TITLE_MAX or not value.isprintable():
        raise ValueError(f"a printable text of at most {TITLE_MAX} characters")
    return value


def _url(value: object) -> str:
    if not isinstance(value, str) or len(value) > RUNBOOK_MAX or not _URL.fullmatch(value):
        raise ValueError(f"a URL that begins with http:// or https://, of at most {RUNBOOK_MAX} characters")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _group_by(value: object) -> tuple[Key, ...]:
    names = cast("list[object]", value) if isinstance(value, list) else [value]
    if not 1 <= len(names) <= GROUP_KEYS_MAX or not all(isinstance(name, str) for name in names):
        raise ValueError(f'a list of 1 to {GROUP_KEYS_MAX} fields, as in ["resource"] or ["@error.code"]')
    keys = tuple(tuple(map(_field, name.split("|"))) for name in cast("list[str]", names))
    if len(set(keys)) < len(keys):
        raise MistakeError("a field stands there twice")
    return keys


def _field(name: str) -> Field | Path:
    name = name.strip()
    if name.startswith("@"):
        return _path(name)
    found = FIELD_NAMES.get(name.lower())
    if found is None or found not in GROUP_FIELDS:
        meant = nearest(name, tuple(map(str, GROUP_FIELDS)))
        raise MistakeError(
            f"no field {name!r} to group by; "
            + (f"did you mean {meant}?" if meant else f"there are {', '.join(GROUP_FIELDS)} and @places")
        )
    return found


def _path(value: object) -> Path:
    if isinstance(value, str) and value.startswith("@"):
        try:
            keys = read_keys(value[1:], 1)
        except QueryError as error:
            raise MistakeError(str(error)) from None
        if keys and ".".join(keys) == value[1:].replace('"', ""):
            return Path(keys)
    raise ValueError("a place in the metadata, as in @duration_ms or @timing.total")


def _states(value: object) -> tuple[object, ...]:
    names = cast("list[object]", value) if isinstance(value, list) else [value]
    known = {str(state): state for state in STATES}
    if not names or not all(isinstance(name, str) and name in known for name in names):
        raise ValueError('"down", "degraded" or a list of both')
    return tuple(known[cast("str", name)] for name in names)


def _direction(value: object) -> Direction:
    if not isinstance(value, str) or value not in set(Direction):
        raise ValueError('"high", "low" or "both"')
    return Direction(value)


COMMON: Mapping[str, tuple[str, Reader]] = {
    "kind": ("kind", _text),
    "query": ("query", _query),
    "for": ("hold", _hold),
    "severity": ("severity", _severity),
    "group_by": ("group_by", _group_by),
    "title": ("title", _text),
    "runbook": ("runbook", _url),
    "inhibits": ("inhibits", _query),
    "everywhere": ("everywhere", _flag),
    "groups": ("limit", _whole(GROUPS_LIMIT_MAX)),
}
"""The keys of a rule of any kind, each with the parameter of `Rule` that it is for."""
_WINDOW = {"window": ("window", _span)}
_MINIMUM = {"minimum": ("minimum", _whole(1_000_000_000))}
KINDS: Mapping[str, OfKind] = {
    "threshold": OfKind(Threshold, {"count": ("count", _whole(COUNT_MAX)), **_WINDOW}, ("count", "window")),
    "ratio": OfKind(
        Ratio,
        {"of": ("of", _query), "ratio": ("ratio", _ratio), **_WINDOW, **_MINIMUM},
        ("of", "ratio", "window"),
    ),
    "absence": OfKind(
        Absence,
        {"allowed": ("allowed", _span), "gaps": ("gaps", _number)},
    ),
    "state": OfKind(
        StateRule,
        {"state": ("states", _states), "until": ("ended_by", _query)},
        defaults={"group_by": ((Field.RESOURCE,),)},
    ),
    "anomaly": OfKind(
        Anomaly,
        {**_WINDOW, "direction": ("direction", _direction), "factor": ("factor", _number), **_MINIMUM},
        ("window",),
    ),
    "slow": OfKind(
        Slow,
        {
            "duration": ("duration", _path),
            "above": ("above", _number),
            "quantile": ("quantile", _share),
            **_WINDOW,
            **_MINIMUM,
        },
        ("duration", "above", "window"),
    ),
}
"""The kinds of rules by name."""

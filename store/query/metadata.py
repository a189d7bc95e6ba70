"""What a place in the metadata (`@a.b`) holds, compared with what was asked for.

A string compares as text, and so does not fold; a number as a number when a number is asked for; true, false and
null by name. Objects and lists have no value to compare: they only exist. Ordered comparisons hold for numbers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any, cast

from pydantic_core import to_json

from store.event import INT_MAX, INT_MIN
from store.metadata_place import MISSING, value_at
from store.query.patterns import Test, glob
from store.query.regex import searcher
from store.query.syntax import Compare, Op, Path, QueryError

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?", re.ASCII)
_NAMES: dict[bool | None, str] = {True: "true", False: "false", None: "null"}
_ORDER: dict[Op, Callable[[Decimal, Decimal], bool]] = {Op.LT: lt, Op.LE: le, Op.GT: gt, Op.GE: ge}


def number(text: str) -> Decimal | None:
    """The number that `text` is, written as JSON does, to the last digit; None when it is none."""
    return Decimal(text) if _NUMBER.fullmatch(text) else None


def leaves(
    metadata: Mapping[str, Any], levels: int, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The keys to each value, and it; an object that is empty, or `levels` deep, is a value."""
    for key, value in metadata.items():
        keys = (*above, key)
        if isinstance(value, dict) and value and len(keys) < levels:
            yield from leaves(cast("dict[str, Any]", value), levels, keys)
        else:
            yield keys, value


def exists(path: Path) -> Callable[[dict[str, Any]], bool]:
    """The test whether metadata has a value at `path`, whatever it is."""
    keys = path.keys
    return lambda metadata: value_at(metadata, keys) is not MISSING


def value_test(compare: Compare, path: Path) -> Callable[[dict[str, Any]], bool]:
    """The test of what metadata holds at `path`. It never raises.

    Raises:
        QueryError: an ordered comparison with what is no number.
    """
    keys = path.keys
    test = _ordered(compare) if compare.op in _ORDER else _unordered(compare)
    return lambda metadata: test(value_at(metadata, keys))


def written(value: Any) -> str | None:
    """What to compare with in a query for exactly `value`, as JSON has it; None for an object and a list."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return _NAMES[value]
    return to_json(value).decode() if isinstance(value, (int, float)) else None


def written_as(value: str) -> Iterator[str]:
    """Every way in which JSON writes a value that equals `value`, as `store.event.search_text` has it."""
    yield value
    wanted = number(value)
    if wanted is None:
        return
    if wanted == wanted.to_integral_value() and INT_MIN <= wanted <= INT_MAX:
        yield str(int(wanted))
    nearest = float(value)
    if _decimal(nearest) == wanted:
        yield to_json(nearest).decode()
        if not wanted:
            yield from ("0.0", "-0.0")


def _unordered(compare: Compare) -> Test:
    value = compare.value
    match compare.op:
        case Op.GLOB:
            return _on_text(glob(value))
        case Op.CONTAINS:
            needle = value.casefold()
            return _on_text(lambda candidate: needle in candidate.casefold())
        case Op.REGEX:
            return _on_text(searcher(value))
        case _:
            return _equal(value)


def _equal(value: str) -> Test:
    wanted = number(value)

    def equal(candidate: Any) -> bool:
        if isinstance(candidate, str):
            return candidate == value
        # Before numbers: True is an int to Python, and is not 1 to JSON.
        if candidate is None or candidate is True or candidate is False:
            return _NAMES[candidate] == value
        return wanted is not None and isinstance(candidate, (int, float)) and _decimal(candidate) == wanted

    return equal


def _ordered(compare: Compare) -> Test:
    bound, holds = number(compare.value), _ORDER[compare.op]
    if bound is None:
        raise QueryError(f"{compare.field} {compare.op} {compare.value!r} has no order")

    def ordered(candidate: Any) -> bool:
        is_number = isinstance(candidate, (int, float)) and not isinstance(candidate, bool)
        return is_number and holds(_decimal(candidate), bound)

    return ordered


def _on_text(test: Test) -> Test:
    return lambda candidate: isinstance(candidate, str) and test(candidate)


def _decimal(value: float) -> Decimal:
    # What is written, not what the nearest binary fraction is: 0.1 is 0.1.
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))

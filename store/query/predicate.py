"""A query tree as a Python callable, for live events. `sql.py` gives the same answer for stored ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

from store.event import Event, search_text, split_reference
from store.query import metadata
from store.query.patterns import Test, glob
from store.query.regex import searcher
from store.query.syntax import (
    PAIRS,
    SINGLES,
    WRITTEN,
    And,
    Compare,
    Exists,
    Field,
    Node,
    Not,
    Op,
    Or,
    Path,
    Regex,
    Since,
    Text,
    Until,
    canonical_uuid,
    pair_separators,
    severities,
)

Predicate = Callable[[Event], bool]


def compile_predicate(node: Node) -> Predicate:
    """The function that says whether an event matches `node`.

    It never raises and keeps no more than the last event it saw. The searchable text of an event is put
    together at most once, and only when no cheaper comparison has settled the answer.

    Raises:
        QueryError: an ordered comparison of what has no order.
    """
    return _compile(node, _LastText())


class _LastText:
    """The searchable text of the event last asked about, for the several words of a query to share."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: tuple[Event | None, str] = (None, "")

    def __call__(self, event: Event) -> str:
        # One tuple, read and replaced whole, so that two threads cannot see each other's text.
        last, text = self._last
        if last is event:
            return text
        text = search_text(event)
        self._last = (event, text)
        return text


def _compile(node: Node, text_of: _LastText) -> Predicate:
    match node:
        case Text(value):
            needle = value.casefold()
            return lambda event: needle in text_of(event)
        case Regex(pattern):
            matches = searcher(pattern)
            return lambda event: matches(text_of(event))
        case Since(moment):
            return lambda event: event.inserted_at >= moment
        case Until(moment):
            return lambda event: event.inserted_at < moment
        case Not(operand):
            inner = _compile(operand, text_of)
            return lambda event: not inner(event)
        case And(operands):
            return _all([_compile(operand, text_of) for operand in _cheapest_first(operands)])
        case Or(operands):
            return _any([_compile(operand, text_of) for operand in _cheapest_first(operands)])
        case Exists(Path() as path):
            return _of_metadata(metadata.exists(path))
        case Exists(field):
            return _exists(field)
        case Compare(Path() as path):
            return _of_metadata(metadata.value_test(node, path))
        case Compare(field, Op.REGEX, pattern):
            test = _on_text(searcher(pattern))
            return _any([_on(attrgetter(name), test) for name in WRITTEN.get(field) or SINGLES[field]])
        case Compare(field, _, _):
            return _compare_pair(node) if field in PAIRS else _compare_single(node)


def _on_text(test: Callable[[str], bool]) -> Test:
    return lambda candidate: candidate is not None and test(str(candidate))


def _of_metadata(test: Callable[[dict[str, Any]], bool]) -> Predicate:
    return lambda event: test(event.metadata)


def _cheapest_first(operands: Sequence[Node]) -> list[Node]:
    return sorted(operands, key=_reads_text)


def _reads_text(node: Node) -> bool:
    match node:
        case Text() | Regex():
            return True
        case Not(operand):
            return _reads_text(operand)
        case And(operands) | Or(operands):
            return any(_reads_text(operand) for operand in operands)
        case _:
            return False


def _all(tests: list[Predicate]) -> Predicate:
    if len(tests) == 2:
        first, second = tests
        return lambda event: first(event) and second(event)

    def every(event: Event) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would double the cost
            if not test(event):
                return False
        return True

    return every


def _any(tests: list[Predicate]) -> Predicate:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda event: first(event) or second(event)

    def some(event: Event) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would double the cost
            if test(event):
                return True
        return False

    return some


def _exists(field: Field | Path) -> Predicate:
    names = SINGLES[field] if field in SINGLES else tuple(name for pair in PAIRS[field] for name in pair)
    return _any([_has(attrgetter(name)) for name in names])


def _has(get: Callable[[Event], Any]) -> Predicate:
    return lambda event: get(event) is not None


def _compare_single(compare: Compare) -> Predicate:
    if compare.field is Field.ID:
        return _compare_id(compare)
    names = SINGLES[compare.field]
    if compare.op is Op.EQ and len(names) == 1:
        # The commonest comparison, without a second call.
        get, value = attrgetter(names[0]), compare.value
        return lambda event: get(event) == value
    test = _value_test(compare)
    return _any([_on(attrgetter(name), test) for name in names])


def _on(get: Callable[[Event], Any], test: Test) -> Predicate:
    return lambda event: test(get(event))


def _compare_id(compare: Compare) -> Predicate:
    if compare.op is not Op.EQ:
        test = _value_test(compare)
        return lambda event: test(str(event.id))
    wanted = canonical_uuid(compare.value)
    return lambda event: event.id == wanted


def _value_test(compare: Compare) -> Test:
    """The test of one attribute's value. None, a missing field, passes none of them."""
    value = compare.value
    match compare.op:
        case Op.EQ:
            return lambda candidate: candidate == value
        case Op.GLOB:
            return glob(value)
        case Op.CONTAINS:
            needle = value.casefold()
            return lambda candidate: candidate is not None and needle in candidate.casefold()
        case Op.LT | Op.LE | Op.GT | Op.GE:
            allowed = severities(compare)
            return lambda candidate: candidate in allowed
        case Op.REGEX:
            return _on_text(searcher(value))


def _compare_pair(compare: Compare) -> Predicate:
    if compare.op is Op.CONTAINS:
        needle = compare.value.casefold()
        separators = pair_separators(needle)
        return _any([_pair_contains(pair, needle, separators) for pair in PAIRS[compare.field]])
    if compare.op not in (Op.EQ, Op.GLOB):
        severities(compare)
    kind, identifier = split_reference(compare.value)
    kind_test = _value_test(Compare(compare.field, compare.op, kind))
    id_test = None if identifier is None else _value_test(Compare(compare.field, compare.op, identifier))
    return _any([_pair_test(pair, kind_test, id_test) for pair in PAIRS[compare.field]])


def _pair_test(pair: tuple[str, str], kind_test: Test, id_test: Test | None) -> Predicate:
    kind_of, id_of = map(attrgetter, pair)
    if id_test is None:
        return lambda event: kind_test(kind_of(event))
    return lambda event: kind_test(kind_of(event)) and id_test(id_of(event))


def _pair_contains(pair: tuple[str, str], needle: str, separators: tuple[str, ...]) -> Predicate:
    kind_of, id_of = map(attrgetter, pair)

    def contains(event: Event) -> bool:
        kind, identifier = kind_of(event), id_of(event)
        if kind is None or identifier is None:
            only = identifier if kind is None else kind
            return only is not None and needle in only.casefold()
        return any(needle in f"{kind}{separator}{identifier}".casefold() for separator in separators)

    return contains

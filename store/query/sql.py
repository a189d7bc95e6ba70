"""A query tree as a parameterised SQL condition, for stored events.

`predicate.py` gives the same answer. What a database cannot decide as Python does, the condition narrows down to
rows that may match (`narrowing.py`), and whoever reads them asks the predicate: see `is_exact`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any, Protocol, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement

from store.event import split_reference
from store.query.folding import Pattern, folded_search
from store.query.narrowing import Pieces, pieces_of, text_pieces
from store.query.needles import Needles
from store.query.regex import required_text
from store.query.syntax import (
    PAIRS,
    SINGLES,
    UNSTORABLE,
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
from store.tables import events

_Condition = ColumnElement[bool]
_Column = ColumnElement[Any]
_Combine = Callable[..., _Condition]

_FOLDED_COLUMNS = frozenset({"event_type", "severity", "actor_type", "id"})
"""Columns of lower-case ASCII, which folding leaves as they are."""

_REGEX_SPECIAL = re.compile(r"[\\.^$|?*+()\[\]{}]")
_LONGEST_CHAIN = 200
"""Conditions in one AND or OR. SQLite nests a chain and goes 1,000 deep; one comparison is at most four conditions."""


def where(node: Node, dialect_name: str = "sqlite") -> ColumnElement[bool]:
    """The condition on `store.tables.events` that holds for the events that match `node`.

    It is never true for another event, unless `is_exact` says that the predicate has to be asked as well; for one
    that lacks a field it may be NULL, which a `WHERE` takes as false. Exact values are compared with plain
    equality, which an index on the column serves.

    Args:
        node: The query.
        dialect_name: `name` of the SQLAlchemy dialect: sqlite, postgresql, mariadb or mysql. The last two
            need text columns with a binary collation that does not pad (`utf8mb4_nopad_bin`).

    Raises:
        QueryError: an ordered comparison of what has no order.
        ValueError: another dialect.
    """
    dialect = _DIALECTS.get(dialect_name)
    if dialect is None:
        raise ValueError(f"queries are not translated for {dialect_name}")
    return _condition(node, dialect, widened=True)


def has_needles(needles: Needles, dialect_name: str) -> ColumnElement[bool]:
    """The condition on `store.tables.events` that holds where the searchable text has one of the alternatives."""
    return _hinted(list(needles), _DIALECTS[dialect_name])


def is_exact(node: Node) -> bool:
    """Whether the condition of `where` chooses the events of `node` and no others."""
    match node:
        case Not(operand):
            return is_exact(operand)
        case And(operands) | Or(operands):
            return all(map(is_exact, operands))
        case Compare(op=Op.REGEX) | Regex():
            return False
        case Compare(field) | Exists(field):
            return not isinstance(field, Path)
        case Text() | Since() | Until():
            return True


class _Dialect(Protocol):
    """What databases do differently. Needles and patterns are never empty, columns may be NULL."""

    def contains(self, column: _Column, needle: str, /) -> _Condition:
        """`needle` is a substring, to the letter."""
        ...

    def contains_folded(self, column: _Column, needle: str) -> _Condition:
        """`needle`, which is folded, is a substring of the column once that is folded too."""
        ...

    def glob(self, column: _Column, pattern: str) -> _Condition:
        """The whole of the column fits `pattern`, in which only `*` is special."""
        ...

    def uuid_text(self, column: _Column) -> _Column:
        """The UUID as lower-case text with hyphens."""
        ...


class _Sqlite:
    def contains(self, column: _Column, needle: str) -> _Condition:
        return sa.func.instr(column, needle) > 0

    def contains_folded(self, column: _Column, needle: str) -> _Condition:
        search = folded_search(needle)
        text = _replace_all(column, search.replaced)
        found = [_matches_glob(text, f"*{_glob_of(pattern)}*") for pattern in search.patterns]
        # Of several arguments, SQLite's max() is the greatest: an OR that adds one level however long it is.
        return found[0] if len(found) == 1 else sa.func.max(*found) == 1

    def glob(self, column: _Column, pattern: str) -> _Condition:
        # SQLite turns the text before the first wildcard into a range of the column's index by itself.
        return _matches_glob(column, re.sub(r"[?\[]", r"[\g<0>]", pattern))

    def uuid_text(self, column: _Column) -> _Column:
        return _hyphenated(column)


class _Server:
    """PostgreSQL and MariaDB, which share LIKE and the regular expressions that are needed here."""

    def __init__(
        self, substring: Callable[[_Column, str], _Condition], regex: str, *, native_uuid: bool
    ) -> None:
        self.contains = substring
        self._regex = regex
        self._native_uuid = native_uuid

    def contains_folded(self, column: _Column, needle: str) -> _Condition:
        search = folded_search(needle)
        regex = "|".join(map(_regex_of, search.patterns))
        return cast("_Condition", _replace_all(column, search.replaced).bool_op(self._regex)(regex))

    def glob(self, column: _Column, pattern: str) -> _Condition:
        escaped = re.sub("[!%_]", r"!\g<0>", pattern).replace("*", "%")
        return column.like(escaped, escape="!")

    def uuid_text(self, column: _Column) -> _Column:
        return sa.cast(column, sa.String) if self._native_uuid else _hyphenated(column)


def _strpos(column: _Column, needle: str) -> _Condition:
    return sa.func.strpos(column, needle) > 0


def _locate(column: _Column, needle: str) -> _Condition:
    return sa.func.locate(needle, column) > 0


_DIALECTS: dict[str, _Dialect] = {
    "sqlite": _Sqlite(),
    "postgresql": _Server(_strpos, "~", native_uuid=True),
    "mariadb": _Server(_locate, "REGEXP", native_uuid=False),
    "mysql": _Server(_locate, "REGEXP", native_uuid=False),
}


def _matches_glob(column: _Column, pattern: str) -> _Condition:
    return cast("_Condition", column.bool_op("GLOB")(pattern))


def _glob_of(pattern: Pattern) -> str:
    return "".join(f"[{place}]" if len(place) > 1 or place in "*?[" else place for place in pattern)


def _regex_of(pattern: Pattern) -> str:
    return "".join(
        f"[{place}]" if len(place) > 1 else _REGEX_SPECIAL.sub(r"\\\g<0>", place) for place in pattern
    )


def _hyphenated(column: _Column) -> _Column:
    digits = sa.type_coerce(column, sa.String)
    parts = [
        sa.func.substr(digits, start, length)
        for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    ]
    return _join(parts, "-")


def _join(parts: Iterable[_Column], separator: str) -> _Column:
    """The parts with `separator` between them; NULL when one of them is."""
    return reduce(lambda joined, part: joined.concat(separator).concat(part), parts)


def _replace_all(column: _Column, replaced: dict[str, str]) -> _Column:
    for source, folded in replaced.items():
        column = sa.func.replace(column, source, folded)
    return column


def _condition(node: Node, dialect: _Dialect, *, widened: bool) -> _Condition:
    """What holds for the rows of `node`; where that cannot be said exactly, for more rows, or else for fewer.

    Fewer are asked for within a negation, so that this holds for more of them.
    """
    match node:
        case Text(value):
            needle = value.casefold()
            if not needle:
                return sa.true()
            return sa.false() if UNSTORABLE.search(needle) else dialect.contains(events.c.search_text, needle)
        case Since(moment):
            return events.c.inserted_at >= moment
        case Until(moment):
            return events.c.inserted_at < moment
        case Not(operand):
            # NOT of NULL is NULL, while what a missing field does not match, its negation does.
            return _condition(operand, dialect, widened=not widened).is_not(sa.true())
        case And(operands):
            return _chain(sa.and_, sa.true(), _conditions(operands, dialect, widened=widened))
        case Or(operands):
            return _chain(sa.or_, sa.false(), _conditions(operands, dialect, widened=widened))
        case Exists(Path() as path) | Compare(Path() as path):
            return _hinted(pieces_of(node, path), dialect) if widened else sa.false()
        case Regex(pattern):
            return _hinted([text_pieces(pattern)], dialect) if widened else sa.false()
        case Compare(field, Op.REGEX, pattern):
            part = required_text(pattern)
            narrowed = Compare(field, Op.CONTAINS, part) if part else Exists(field)
            return _condition(narrowed, dialect, widened=widened) if widened else sa.false()
        case Exists(field):
            names = SINGLES.get(field) or [name for pair in PAIRS[field] for name in pair]
            return sa.or_(*(events.c[name].is_not(None) for name in names))
        case Compare(field):
            return _compare_pair(node, dialect) if field in PAIRS else _compare_single(node, dialect)


def _conditions(operands: tuple[Node, ...], dialect: _Dialect, *, widened: bool) -> list[_Condition]:
    return [_condition(operand, dialect, widened=widened) for operand in _deepest_first(operands)]


def _hinted(alternatives: list[Pieces], dialect: _Dialect) -> _Condition:
    """Holds for the rows whose searchable text has all pieces of one of `alternatives`."""
    text = events.c.search_text
    found = [
        sa.and_(sa.true(), *(dialect.contains(text, piece) for piece in pieces))
        for pieces in alternatives
        if not any(map(UNSTORABLE.search, pieces))
    ]
    return sa.or_(sa.false(), *found)


def _chain(combine: _Combine, neutral: _Condition, conditions: list[_Condition]) -> _Condition:
    if len(conditions) > _LONGEST_CHAIN:
        starts = range(0, len(conditions), _LONGEST_CHAIN)
        chunks = [combine(neutral, *conditions[start : start + _LONGEST_CHAIN]) for start in starts]
        # "IS TRUE" keeps SQLAlchemy from joining the chunks to one chain again.
        conditions = [chunk.is_(sa.true()) for chunk in chunks]
    return combine(neutral, *conditions)


def _deepest_first(operands: tuple[Node, ...]) -> list[Node]:
    # SQLite's parser (before 3.46) goes 100 deep, and a group costs it less at the start of a chain.
    return sorted(operands, key=_depth, reverse=True)


def _depth(node: Node) -> int:
    match node:
        case Not(operand):
            return 1 + _depth(operand)
        case And(operands) | Or(operands):
            return 1 + max(map(_depth, operands), default=0)
        case _:
            return 0


def _compare_single(compare: Compare, dialect: _Dialect) -> _Condition:
    if compare.field is Field.ID and compare.op is Op.EQ:
        wanted = canonical_uuid(compare.value)
        return sa.false() if wanted is None else events.c.id == wanted
    return sa.or_(*(_test(compare, name, compare.value, dialect) for name in SINGLES[compare.field]))


def _test(compare: Compare, name: str, value: str, dialect: _Dialect) -> _Condition:
    """`value` compared with one column. NULL where the column is."""
    if UNSTORABLE.search(value):
        return sa.false()
    column = dialect.uuid_text(events.c.id) if name == "id" else events.c[name]
    match compare.op:
        case Op.EQ:
            return column == value
        case Op.GLOB:
            return dialect.glob(column, value)
        case Op.CONTAINS:
            return _contains(column, value.casefold(), dialect, folded=name in _FOLDED_COLUMNS)
        case Op.LT | Op.LE | Op.GT | Op.GE:
            return column.in_(sorted(severities(compare)))
        case Op.REGEX:
            raise AssertionError("narrowed down before")


def _contains(column: _Column, needle: str, dialect: _Dialect, *, folded: bool) -> _Condition:
    if not needle:
        return column.is_not(None)
    return dialect.contains(column, needle) if folded else dialect.contains_folded(column, needle)


def _compare_pair(compare: Compare, dialect: _Dialect) -> _Condition:
    pairs = PAIRS[compare.field]
    if compare.op is Op.CONTAINS:
        needle = compare.value.casefold()
        if UNSTORABLE.search(needle):
            return sa.false()
        return sa.or_(
            *(
                _contains(_written(*pair, separator), needle, dialect, folded=False)
                for pair in pairs
                for separator in pair_separators(needle)
            )
        )
    if compare.op not in (Op.EQ, Op.GLOB):
        severities(compare)
    kind, identifier = split_reference(compare.value)
    roles: list[_Condition] = []
    for kind_name, id_name in pairs:
        role = _test(compare, kind_name, kind, dialect)
        if identifier is not None:
            role = sa.and_(role, _test(compare, id_name, identifier, dialect))
        roles.append(role)
    return sa.or_(*roles)


def _written(kind_name: str, id_name: str, separator: str) -> _Column:
    kind, identifier = events.c[kind_name], events.c[id_name]
    return sa.func.coalesce(_join((kind, identifier), separator), kind, identifier)

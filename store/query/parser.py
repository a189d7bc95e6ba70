"""Query text to a tree, and a tree back to text. The grammar is `grammar.lark`, read at the first query."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, cast
from uuid import UUID

from store.event import ActorType, Severity, split_reference
from store.query.metadata import number
from store.query.moments import last, parse_moment, parse_span, write_moment, write_span
from store.query.quoting import Written, read_keys, write_path, write_pattern, write_value, write_word
from store.query.regex import write_regex, written_pattern
from store.query.syntax import (
    EVERYTHING,
    FIELD_NAMES,
    PAIRS,
    TIME_NAMES,
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
    QueryError,
    Regex,
    Since,
    Text,
    Until,
)

if TYPE_CHECKING:
    from lark import Token, Tree

QUERY_MAX_LENGTH = 1000
"""Characters in the text of a query."""
QUERY_MAX_LEVELS = 32
"""Levels of AND, OR and NOT within each other."""

_SEVERITIES = {**{str(severity): str(severity) for severity in Severity}, "warn": "warning", "err": "error"}
_LOWER_CASE = frozenset({Field.TYPE, Field.CATEGORY, Field.SEVERITY, Field.ID})
_OPS: dict[str, tuple[Op, bool]] = {
    "": (Op.EQ, False),
    "=": (Op.EQ, False),
    "==": (Op.EQ, False),
    "!": (Op.EQ, True),
    "!=": (Op.EQ, True),
    "~": (Op.CONTAINS, False),
    "!~": (Op.CONTAINS, True),
    "<": (Op.LT, False),
    "<=": (Op.LE, False),
    ">": (Op.GT, False),
    ">=": (Op.GE, False),
    "=~": (Op.REGEX, False),
    "~=": (Op.REGEX, False),
}
"""What stands between a field and its value, without the colon before it: the comparison, and whether negated."""
_ORDERED = frozenset({Op.LT, Op.LE, Op.GT, Op.GE})
_ACTORS = frozenset(str(actor) for actor in ActorType)
_LISTED = frozenset({Op.EQ, Op.GLOB, Op.REGEX})


class _Clock(NamedTuple):
    """What times in a query are meant by."""

    now: datetime
    zone: tzinfo | None


def parse(text: str, now: datetime | None = None, zone: tzinfo | None = None) -> Node:
    """Read a query. Blank text is `EVERYTHING`.

    Times in it are fixed to moments: counted back from `now`, which is aware and by default the present, and
    without an offset of their own in `zone`, by default the local one.

    Raises:
        QueryError: `column` is where reading stopped, and the message says what was expected there.
    """
    if len(text) > QUERY_MAX_LENGTH:
        raise QueryError(f"a query has at most {QUERY_MAX_LENGTH:,} characters", QUERY_MAX_LENGTH)
    if not text.strip():
        return EVERYTHING
    if unstorable := UNSTORABLE.search(text):
        raise QueryError(f"U+{ord(unstorable[0]):04X} is in no event", unstorable.start())
    from store.query.grammar import read

    return _node(read(text), 0, _Clock(now or datetime.now(UTC), zone))


def _written(token: Token) -> Written:
    if token.type == "REGEX":
        return Written(token[1:-1], False, _start(token), regex=True)
    return Written.read(token, _start(token))


def _start(token: Token) -> int:
    return token.start_pos or 0


def _node(tree: Tree[Token], level: int, clock: _Clock) -> Node:
    """The tree's meaning. `level` counts the operators around it."""
    while tree.data == "group":
        tree = _branches(tree)[0]
    if tree.data == "text":
        return _text(_written(_tokens(tree)[0]))
    if tree.data == "comparison":
        name = _tokens(tree)[0]
        return _time(tree, clock) if name.lower() in TIME_NAMES else _comparison(tree, level)
    _check_level(tree, level)
    branches = _branches(tree)
    if tree.data == "negation":
        return Not(_node(branches[0], level + 1, clock))
    if tree.data == "disjunction":
        return Or(tuple(_node(branch, level + 1, clock) for branch in branches))
    for left, right in pairwise(branches):
        if left.meta.end_pos == right.meta.start_pos:
            raise QueryError(
                "expected a space here; text with ( or ) in it needs quotes", right.meta.start_pos
            )
    return And(tuple(_node(branch, level + 1, clock) for branch in branches))


def _branches(tree: Tree[Token]) -> list[Tree[Token]]:
    return cast("list[Tree[Token]]", tree.children)


def _tokens(tree: Tree[Token]) -> list[Token]:
    return cast("list[Token]", tree.children)


def _check_level(tree: Tree[Token], level: int) -> None:
    if level >= QUERY_MAX_LEVELS:
        raise QueryError(f"more than {QUERY_MAX_LEVELS} levels", tree.meta.start_pos)


def _text(value: Written) -> Node:
    if value.regex:
        return Regex(written_pattern(value.text, value.column))
    if value.anything:
        return EVERYTHING
    text = value.text.strip("*") if value.glob else value.text
    if value.glob and "*" in text:
        raise QueryError(
            "a * within a word needs a field (type:a*b); for the text itself, quote it", value.column
        )
    return Text(text)


def _time(tree: Tree[Token], clock: _Clock) -> Node:
    name, sign, *tokens = _tokens(tree)
    if sign not in (":", "=", ":="):
        raise QueryError(f"{name} takes a ':', as in since:14:05 until:-5m or last:15m", _start(sign))
    value = _written(tokens[0])
    if len(tokens) > 1:
        raise QueryError(f"{name} takes one value", _start(tokens[1]))
    try:
        match name.lower():
            case "last":
                return last(parse_span(value.text), clock.now)
            case "since":
                return Since(parse_moment(value.text, *clock))
            case _:
                return Until(parse_moment(value.text, *clock))
    except ValueError as error:
        raise QueryError(str(error), value.column) from None


def _comparison(tree: Tree[Token], level: int) -> Node:
    name, sign, *tokens = _tokens(tree)
    symbol = sign.removeprefix(":")
    field = FIELD_NAMES[name.lower()] if name.type == "FIELD" else Path(read_keys(name, _start(name)))
    op, negated = _OPS[symbol]
    if op in _ORDERED and isinstance(field, Field) and field is not Field.SEVERITY:
        raise QueryError(
            f"{name} has no order; only severity and numbers in the metadata are compared with {symbol}",
            _start(sign),
        )
    values = [_written(token) for token in tokens]
    if op in _ORDERED and len(values) > 1:
        raise QueryError(f"{symbol} takes one value", values[1].column)
    node: Node
    if len(values) == 1:
        node = _leaf(field, op, values[0])
    else:
        _check_level(tree, level)
        node = Or(tuple(_leaf(field, op, value) for value in values))
    return Not(node) if negated else node


def _leaf(field: Field | Path, op: Op, value: Written) -> Node:
    if op is Op.REGEX or value.regex:
        if op in _ORDERED:
            raise QueryError(f"{op} takes no regular expression", value.column)
        return Compare(field, Op.REGEX, written_pattern(value.text, value.column))
    if op is Op.EQ and value.anything:
        return Exists(field)
    if op is Op.CONTAINS:
        if field is Field.SEVERITY:
            raise QueryError("severity takes =, !=, <, <=, > and >=, not ~", value.column)
        if value.glob:
            raise QueryError(
                "~ finds a part of the value, without *; for the * itself, quote it", value.column
            )
        return Compare(field, op, value.text)
    if op in _ORDERED and isinstance(field, Path) and number(value.text) is None:
        raise QueryError(
            f"no number '{value.text}'; {op} compares numbers, as in 5, -0.5 or 2e6", value.column
        )
    if op is Op.EQ and value.glob:
        op = Op.GLOB
    text = value.text.lower() if field in _LOWER_CASE else value.text
    if field in PAIRS:
        text = _reference(field, value)
    elif field is Field.SEVERITY:
        if text not in _SEVERITIES:
            raise QueryError(f"no severity '{value.text}'; it is info, warning or error", value.column)
        text = _SEVERITIES[text]
    elif field is Field.ID and op is Op.EQ:
        text = _uuid(value)
    return Compare(field, op, text)


def _reference(field: Field | Path, value: Written) -> str:
    """A pair in its one spelling: `user:42`, `download/9f3a`."""
    kind, identifier = split_reference(value.text)
    separator = "/"
    if field is Field.ACTOR:
        kind, separator = kind.lower(), ":"
        if kind not in _ACTORS and not (value.glob and "*" in kind):
            raise QueryError(f"no actor '{kind}'; it is user, system or job, as in user:42", value.column)
    elif not kind:
        raise QueryError("expected a type before the separator, as in download/9f3a", value.column)
    return kind if identifier is None else f"{kind}{separator}{identifier}"


def _uuid(value: Written) -> str:
    try:
        return str(UUID(value.text))
    except ValueError:
        raise QueryError("an id is a UUID; a part of one is found with id:0190*", value.column) from None


def describe(node: Node) -> str:
    """The text of a query, in one line of printable characters.

    `parse` reads it back to the same tree, when that is one which `parse` can give; else to one that means
    the same, as far as the language can say it.
    """
    return "" if node == EVERYTHING else _described(node)


def _described(node: Node, within: type[Node] | None = None) -> str:
    match node:
        case Text(value):
            return write_word(value)
        case Regex(pattern):
            return write_regex(pattern)
        case Since(_, span) if span is not None:
            return f"last:{write_span(span)}"
        case Since(moment):
            return f"since:{write_moment(moment)}"
        case Until(moment):
            return f"until:{write_moment(moment)}"
        case Exists(field):
            return f"{_field_text(field)}:*"
        case Compare(field, op, _):
            return f"{_field_text(field)}{':' if op in _LISTED else op}{_value_text(node)}"
        case Not(operand):
            excluded = _described(operand, Not)
            return f"NOT {excluded}" if excluded.startswith(("-", "NOT ")) else f"-{excluded}"
        case And(()):
            return "*"
        case Or(()):
            return "-*"
        case And((only,)) | Or((only,)):
            return _described(only, within)
        case And(operands):
            text = " ".join(_described(operand, And) for operand in operands)
        case Or(operands):
            if listed := _list_text(operands):
                return listed
            text = " OR ".join(_described(operand, Or) for operand in operands)
    return f"({text})" if within else text


def _list_text(operands: tuple[Node, ...]) -> str | None:
    """`field:a,b`, when all are values of one field."""
    first = operands[0]
    if not isinstance(first, Compare) or first.op not in _LISTED:
        return None
    values: list[str] = []
    for operand in operands:
        if not isinstance(operand, Compare) or operand.field != first.field or operand.op not in _LISTED:
            return None
        values.append(_value_text(operand))
    return f"{_field_text(first.field)}:{','.join(values)}"


def _field_text(field: Field | Path) -> str:
    return write_path(field.keys) if isinstance(field, Path) else field


def _value_text(compare: Compare) -> str:
    match compare.op:
        case Op.GLOB:
            return write_pattern(compare.value)
        case Op.REGEX:
            return write_regex(compare.value)
        case _:
            return write_value(compare.value)

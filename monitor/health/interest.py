"""Which events a rule needs, told by type, category and severity alone: most events concern hardly any rule."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from monitor.health.rule import Rule
from store.event import Event
from store.query.predicate import compile_predicate
from store.query.syntax import EVERYTHING, And, Compare, Exists, Field, Node, Not, Op, Or, all_of

TELLING = frozenset({Field.TYPE, Field.CATEGORY, Field.SEVERITY})
"""The fields that a store counts events by."""
_IN_SQL_MAX = 50
"""Queries that a database is asked to choose by; more would cost it more than they save."""


def types_of_interest(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The event types, globs among them, whose latest events `rules` need however old they are.

    A rule that is not about types adds none.
    """
    nodes = (node for rule in rules if rule.kind.wants_past for node in rule.queries)
    return tuple(dict.fromkeys(name for node in nodes for name in _types_in(node)))


def _types_in(node: Node) -> Iterator[str]:
    match node:
        case Compare(Field.TYPE, Op.EQ | Op.GLOB, value):
            yield value
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _types_in(operand)
        case _:
            return


def needed_by(rules: Iterable[Rule], fields: Collection[Field] = tuple(Field)) -> Node:
    """What a store is asked for: all events that `rules` need, and perhaps more. It asks for `fields` alone."""
    queries = tuple(dict.fromkeys(loosened(query, fields) for rule in rules for query in rule.queries))
    return EVERYTHING if EVERYTHING in queries or len(queries) > _IN_SQL_MAX else Or(queries)


def loosened(node: Node, fields: Collection[Field] = tuple(Field)) -> Node:
    """A query about plain `fields` alone that selects all that `node` does, and perhaps more."""
    match node:
        case And(operands):
            return all_of(*(loosened(operand, fields) for operand in operands))
        case Or(operands):
            parts = tuple(loosened(operand, fields) for operand in operands)
            return EVERYTHING if EVERYTHING in parts else Or(parts)
        case _:
            return node if _is_plain(node, fields) else EVERYTHING


def _is_plain(node: Node, fields: Collection[Field]) -> bool:
    match node:
        case Not(operand):
            return _is_plain(operand, fields)
        case And(operands) | Or(operands):
            return all(_is_plain(operand, fields) for operand in operands)
        case Compare(field, op, _):
            return field in fields and op is not Op.REGEX
        case Exists(field):
            return field in fields
        case _:
            return False


def may_concern(rule: Rule, event: Event) -> bool:
    """Whether `rule` may need events of the type, category and severity of `event`, whatever else they say."""
    return any(_decided(node, event) is not False for node in rule.queries)


def _decided(node: Node, event: Event) -> bool | None:
    """Whether events like this one match; None where the rest of the event decides."""
    match node:
        case Compare(field) | Exists(field) if field in TELLING:
            return compile_predicate(node)(event)
        case Not(operand):
            answer = _decided(operand, event)
            return None if answer is None else not answer
        case And(operands):
            answers = {_decided(operand, event) for operand in operands}
            return False if False in answers else None if None in answers else True
        case Or(operands):
            answers = {_decided(operand, event) for operand in operands}
            return True if True in answers else None if None in answers else False
        case _:
            return None

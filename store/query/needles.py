"""What the searchable text of every event that matches a query has: what an index of that text can be asked for."""

from __future__ import annotations

from store.query.narrowing import Pieces, pieces_of, text_pieces
from store.query.syntax import UNSTORABLE, And, Compare, Exists, Node, Or, Path, Regex, Text

MOST_ALTERNATIVES = 4
"""Each is looked up by itself."""
Needles = tuple[Pieces, ...]
"""Alternatives: the searchable text of an event that matches has all pieces of one of them."""


def needles_of(node: Node) -> Needles | None:
    """What the searchable text of an event that matches `node` has; None when nothing can be said of it.

    Other events may have it, too.
    """
    match node:
        case Text(value):
            return _alternatives([(value.casefold(),)] if value else [])
        case Regex(pattern):
            return _alternatives([text_pieces(pattern)])
        case Exists(Path() as path) | Compare(Path() as path):
            return _alternatives(pieces_of(node, path))
        case And(operands):
            return _all([found for found in map(needles_of, operands) if found is not None])
        case Or(operands):
            each = [needles_of(operand) for operand in operands]
            return (
                _alternatives([pieces for found in each if found for pieces in found]) if all(each) else None
            )
        case _:
            return None


def _alternatives(found: list[Pieces]) -> Needles | None:
    """None as well when one of them asks for nothing, or for what no database would look for."""
    distinct = tuple(dict.fromkeys(found))
    if not 0 < len(distinct) <= MOST_ALTERNATIVES or not all(distinct):
        return None
    return None if any(UNSTORABLE.search(piece) for pieces in distinct for piece in pieces) else distinct


def _all(found: list[Needles]) -> Needles | None:
    """What has one alternative of each of `found`: of those that have several, the one with the fewest is enough."""
    if not found:
        return None
    together = tuple(piece for alternatives in found if len(alternatives) == 1 for piece in alternatives[0])
    several = min((alternatives for alternatives in found if len(alternatives) > 1), key=len, default=((),))
    return tuple(tuple(dict.fromkeys(together + pieces)) for pieces in several)

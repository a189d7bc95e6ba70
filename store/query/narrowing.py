"""What the searchable text of an event must have for the event to match, where SQL cannot decide.

`store.event.search_text` has the keys of the metadata and what they hold, folded, one a line, a value right after
its key. Databases look for that faster than they read JSON, and alike: their JSON functions differ in how they
print numbers and read keys, and some fail on what something else wrote into the column.
"""

from __future__ import annotations

from store.query.metadata import written_as
from store.query.regex import required_text
from store.query.syntax import Compare, Exists, Op, Path

Pieces = tuple[str, ...]
"""Folded text, none of it empty, that must all be there."""


def pieces_of(node: Compare | Exists, path: Path) -> list[Pieces]:
    """What the searchable text of an event that matches `node`, which asks for `path`, has: one of these."""
    # A line comes before each key: the text begins with the type of the event.
    key = f"\n{path.keys[-1]}"
    if isinstance(node, Exists):
        return [_folded(key)]
    match node.op:
        case Op.EQ:
            # Null is left out of the searchable text.
            writings = dict.fromkeys(written_as(node.value))
            return [_folded(key if node.value == "null" else f"{key}\n{text}") for text in writings]
        case Op.GLOB:
            start, *pieces = node.value.split("*")
            return [_folded(f"{key}\n{start}", *pieces)]
        case Op.CONTAINS:
            return [_folded(f"{key}\n", node.value)]
        case Op.REGEX:
            return [_folded(f"{key}\n", required_text(node.value))]
        case Op.LT | Op.LE | Op.GT | Op.GE:
            return [_folded(f"{key}\n")]


def text_pieces(pattern: str) -> Pieces:
    """What the searchable text that fits the regular expression `pattern` has."""
    return _folded(required_text(pattern))


def _folded(*pieces: str) -> Pieces:
    return tuple(piece.casefold() for piece in pieces if piece)

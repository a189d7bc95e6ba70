"""One filter language: text to a frozen tree, the tree to a Python predicate and to a SQL `WHERE`.

The SQL side is not imported here: `from store.query.sql import where`.
"""

from __future__ import annotations

from store.query.parser import describe, parse
from store.query.predicate import Predicate, compile_predicate
from store.query.syntax import EVERYTHING, Node, QueryError, all_of

__all__ = [
    "EVERYTHING",
    "Node",
    "Predicate",
    "QueryError",
    "all_of",
    "compile_predicate",
    "describe",
    "parse",
]

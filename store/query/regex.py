"""Regular expressions in RE2's syntax (github.com/google/re2/wiki/Syntax), which has nothing that takes more time
than in proportion to the text. They search, and ignore case; `(?-i)` keeps to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any, cast

from store.query.syntax import QueryError

_MAX_MEMORY = 1 << 20
"""Bytes for the program and its states; a longer program is refused, and fewer states only cost time."""
_PAIR = re.compile(r"\\.|.", re.DOTALL)
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]|\{[0-9]+(?:,[0-9]*)?\}|.", re.DOTALL)
_SPECIAL = frozenset("()[]{}.^$+")
_CLASSES = frozenset("dDwWsSbBAzfnrtv")
"""Letters that stand for a class or a place after a backslash, and take nothing of what follows."""


def written_pattern(text: str, column: int = 0) -> str:
    """The pattern in `text`, in which a slash may be escaped.

    Raises:
        QueryError: it is no regular expression, or has characters that cannot be shown.
    """
    pattern = "".join("/" if pair[0] == "\\/" else pair[0] for pair in _PAIR.finditer(text))
    for character in pattern:
        if not character.isprintable():
            code = ord(character)
            raise QueryError(f"U+{code:04X} in a regular expression is written \\x{{{code:x}}}", column)
    if not pattern:
        raise QueryError("expected a regular expression; field:* finds any value", column)
    try:
        searcher(pattern)
    except QueryError as error:
        raise QueryError(str(error), column) from None
    return pattern


def write_regex(pattern: str) -> str:
    """`pattern` as it stands in a query, between slashes."""
    return "/" + "".join("\\/" if pair[0] == "/" else pair[0] for pair in _PAIR.finditer(pattern)) + "/"


@lru_cache(maxsize=64)
def searcher(pattern: str) -> Callable[[str], bool]:
    """The function that says whether a text has a part that fits `pattern`. `^` and `$` are at lines too.

    Raises:
        QueryError: it is no regular expression, or too large a one.
    """
    # Takes longer to import than the other queries may wait for.
    re2: Any = import_module("re2")
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _MAX_MEMORY
    try:
        search = cast("Callable[[str], object]", re2.compile(f"(?m){pattern}", options).search)
    except re2.error as error:
        raise QueryError(f"no regular expression: {_reason(error)}") from None
    return lambda text: search(text) is not None


def _reason(error: Exception) -> str:
    said: Any = error.args[0] if error.args else b""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    # What is after the colon is a part of the pattern, which stands on the screen already.
    return text.partition(":")[0] or "it cannot be read"


def required_text(pattern: str) -> str:
    """ASCII text that every text which fits `pattern` has, whatever its case; empty when none is sure.

    Only what stands outside of groups counts.
    """
    runs, depth, before = [""], 0, ""
    for found in _TOKEN.finditer(pattern):
        piece = found[0]
        if piece[0] == "\\" and piece[1:].isalnum() and piece[1:] not in _CLASSES:
            # It may take what follows (\Q, \x, \p), or be a half of a character (\C).
            return ""
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth -= 1
        if piece == "|" and not depth:
            return ""
        literal = "" if len(piece) > 2 or piece[1:].isalnum() else piece[-1]
        if piece in "*?" or piece[0] == "{":
            # What stands before it need not be there, and between the two may be flags: a(?i)*
            while before == ")" and len(runs) > 1 and not runs[-1]:
                runs.pop()
            runs[-1] = runs[-1][:-1]
            runs.append("")
        elif literal and not depth and literal.isascii() and piece not in _SPECIAL:
            runs[-1] += literal
        else:
            runs.append("")
        before = piece
    return max(runs, key=len)

"""Tests of one value, by globs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Test = Callable[[Any], bool]
"""Of one attribute's value. None, a missing field, passes no test of a pattern."""


def glob(pattern: str) -> Test:
    """The whole of the value fits `pattern`, in which only `*` is special."""
    prefix, *middle = pattern.split("*")
    if not middle:
        return lambda candidate: candidate == pattern
    suffix = middle.pop()
    pieces = [piece for piece in middle if piece]
    if not suffix and not pieces:
        return lambda candidate: candidate is not None and candidate.startswith(prefix)

    def matches(candidate: str | None) -> bool:
        if candidate is None or not candidate.startswith(prefix):
            return False
        # Taking the first place where each piece fits leaves the most room for the pieces after it.
        start, end = len(prefix), len(candidate) - len(suffix)
        for piece in pieces:
            start = candidate.find(piece, start)
            if start < 0:
                return False
            start += len(piece)
        return start <= end and candidate.endswith(suffix)

    return matches

"""Looking for a case-folded needle in a column that was stored unfolded.

Each database folds in its own way (SQLite's `lower()` knows ASCII only, PostgreSQL's follows the locale), and
none of them like `str.casefold`. So the characters that fold to a part of the needle are looked up here, and
the database is only asked to look for sets of characters, and to replace a few.

Folding is done character by character. Most characters fold to one; some, like "ß" and "ﬁ", to two or three.
What a character folds to is folded already, so that replacements may be made in any order.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import product
from typing import NamedTuple

_BEYOND_CASED = 0x20000
"""The planes from here on hold no character that has a case (Unicode 16, and by plan)."""


class _Table(NamedTuple):
    """`variants`: a folded character to all others that fold to it alone; `expansions`: one to several."""

    variants: dict[str, str]
    expansions: dict[str, str]


@cache
def _table() -> _Table:
    variants: dict[str, str] = defaultdict(str)
    expansions: dict[str, str] = {}
    for character in map(chr, range(_BEYOND_CASED)):
        folded = character.casefold()
        if folded == character:
            continue
        if len(folded) == 1:
            variants[folded] += character
        else:
            expansions[character] = folded
    return _Table(dict(variants), expansions)


Pattern = tuple[str, ...]
"""What a stretch of text must be: for each place, the characters that may stand there."""


class FoldedSearch(NamedTuple):
    """A text holds the needle, once folded, when after `replaced` is done to it one of `patterns` is in it."""

    replaced: dict[str, str]
    patterns: tuple[Pattern, ...]


def folded_search(needle: str) -> FoldedSearch:
    """How to look for the folded `needle`, not empty, in unfolded text.

    To replace all that folds would nest a call for each character, deeper than SQLite's parser goes. So a
    character that folds to one is met by a set: "s", "S" and "ſ" in one place. One that folds to several
    is replaced only when all of them lie within the needle, which is rare; where they reach over its end,
    a place at that end stands for the part inside.
    """
    expansions = _table().expansions
    replaced = {source: folded for source, folded in expansions.items() if folded in needle}
    heads, tails, around = defaultdict[int, str](str), defaultdict[int, str](str), ""
    for source, folded in expansions.items():
        if source in replaced:
            continue
        if needle in folded:
            around += source
        for size in range(1, min(len(folded), len(needle) + 1)):
            if folded.endswith(needle[:size]):
                heads[size] += source
            if folded.startswith(needle[-size:]):
                tails[size] += source
    patterns: list[Pattern] = [(around,)] if around else []
    for (head, before), (tail, after) in product([(0, ""), *heads.items()], [(0, ""), *tails.items()]):
        if head + tail <= len(needle):
            inside = [_spellings(character) for character in needle[head : len(needle) - tail]]
            patterns.append(tuple(place for place in (before, *inside, after) if place))
    return FoldedSearch(replaced, tuple(patterns))


def _spellings(character: str) -> str:
    return character + _table().variants.get(character, "")

"""Text as words that a full-text engine takes: one for each three characters in a row, so that any part is found.

A document of the index is a block of events whose positions follow each other: they share most of their words, which
makes the index a third of what it is with a document for each event, and neighbours are read at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from zlib import crc32

BLOCK = 16
"""Positions in a block. This and what `words_of` gives are what is stored: a change needs a new index."""
GRAM = 3
"""Characters that a word stands for: shorter text cannot be looked up."""
_LETTERS = "0123456789bcdfghjklmnpqrstvxz"
"""Without vowels, so that no word is a stop word of an engine's."""
_WORDS = len(_LETTERS) ** 3
_CACHED = 1 << 15


def block_of(position: int) -> int:
    """The block that `position` is in."""
    return position // BLOCK


def words_of(text: str) -> set[str]:
    """The words of `text`, of three ASCII letters and digits each. Different grams may share one."""
    return set(map(_word, {text[start : start + GRAM] for start in range(len(text) - GRAM + 1)}))


def document(texts: Iterable[str]) -> str:
    """What is indexed of the events of a block: the words of all their texts, in order."""
    words: set[str] = set()
    for text in texts:
        words |= words_of(text)
    return " ".join(sorted(words))


@lru_cache(_CACHED)
def _word(gram: str) -> str:
    # What something else wrote may have halves of surrogate pairs.
    rest, last = divmod(crc32(gram.encode(errors="surrogatepass")) % _WORDS, len(_LETTERS))
    first, second = divmod(rest, len(_LETTERS))
    return f"{_LETTERS[first]}{_LETTERS[second]}{_LETTERS[last]}"

"""Many ids in few statements, which are few as well in their kinds: drivers keep those that they have prepared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
CHUNK = 512
"""Values of one statement at most. SQLite's driver keeps 128 statements, each with 200 bytes for each value."""


def id_chunks(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    """`items` in lists whose lengths are powers of two, up to `CHUNK`: the last one is filled up with its last item.

    As many lengths make as many statements; of a length of its own each time, a driver would keep every one.
    """
    for start in range(0, len(items), CHUNK):
        chunk = list(items[start : start + CHUNK])
        yield chunk + chunk[-1:] * ((1 << (len(chunk) - 1).bit_length()) - len(chunk))

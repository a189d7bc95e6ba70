"""Counts as a row of block characters."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"


_LINE_BLOCKS = BLOCKS[:-1]
"""Without the full block, so that sparklines in adjacent lines stay apart."""


def spark(counts: Sequence[int], peak: int | None = None) -> str:
    """One block a count, the highest for `peak` (the largest count, when not given); a space for zero."""
    peak = peak or max(counts, default=0)
    return "".join(_block(count, peak) for count in counts)


def _block(count: int, peak: int) -> str:
    if count <= 0 or peak <= 0:
        return " "
    return _LINE_BLOCKS[min(len(_LINE_BLOCKS) - 1, count * len(_LINE_BLOCKS) // peak)]


def resample(counts: Sequence[int], buckets: int) -> list[int]:
    """`counts` summed into as many buckets, as equal as can be; unchanged when there are fewer counts."""
    if buckets <= 0:
        return []
    if len(counts) <= buckets:
        return list(counts)
    edges = [index * len(counts) // buckets for index in range(buckets + 1)]
    return [sum(counts[start:end]) for start, end in pairwise(edges)]

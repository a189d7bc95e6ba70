"""Keeping a share of the events of a firehose, so that counts can be scaled up and be shown as estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from store.event import Event

KEPT_SHARE = "kept_share"
"""The key in `metadata` under which a kept event says what share of its kind was kept: above 0, at most 1."""
_TAIL_BITS = 32
_LEAST_SHARE = 2.0**-_TAIL_BITS
"""Less than this cannot be told from the ids, and its reciprocal need not be a number that can be stored."""


class Sampling:
    """Which share of the events of each type is kept.

    The choice follows from the id, whose last bits are random: every producer and every retry comes to the same one.

    Args:
        shares: event type to the share that is kept, above 0 and at most 1.

    Raises:
        ValueError: a share is not in that range.
    """

    def __init__(self, shares: Mapping[str, float]) -> None:
        for event_type, share in shares.items():
            if not 0 < share <= 1:
                raise ValueError(f"the share of {event_type!r} is not above 0 and at most 1")
        self.shares = {name: float(share) for name, share in shares.items() if share < 1}

    def keeps(self, event_type: str, identifier: UUID) -> bool:
        """Whether the event of this id is one of those that are kept."""
        share = self.shares.get(event_type)
        return share is None or (identifier.int & (2**_TAIL_BITS - 1)) < share * 2**_TAIL_BITS


def weight(event: Event) -> float:
    """How many events this one stands for: 1, or up to 2**32 where only a share of its kind was kept."""
    return _weight(event.metadata) if KEPT_SHARE in event.metadata else 1.0


def whole_weight(event: Event) -> int:
    """`weight` as a whole number, rounded up or down by the id: right on the average, and always the same."""
    return whole_weight_of(event.id, event.metadata) if KEPT_SHARE in event.metadata else 1


def whole_weight_of(identifier: UUID, metadata: Mapping[str, Any]) -> int:
    """The same of an event that is known by its id and metadata alone."""
    exact = _weight(metadata)
    whole = int(exact)
    # Not by the last bits, which decided that the event is kept.
    return whole + ((identifier.int >> _TAIL_BITS & 0xFFFF) / 0x10000 < exact - whole)


def _weight(metadata: Mapping[str, Any]) -> float:
    share = metadata.get(KEPT_SHARE)
    return 1 / share if isinstance(share, (int, float)) and _LEAST_SHARE <= share <= 1 else 1.0

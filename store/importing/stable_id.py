"""Ids for events that came without one: the same for the same content, so that it is never stored twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_RANDOM_BITS = 0x0FFF_3FFF_FFFF_FFFF_FFFF
"""What RFC 9562, section 5.7, leaves to chance: all but the time, the version and the variant."""
_VERSION_AND_VARIANT = 0x7000_8000_0000_0000_0000


def stable_id(moment: datetime, content: bytes, occurrence: int = 0) -> UUID:
    """A UUIDv7 of `moment` that is the same for the same `content` and `occurrence`, which tells equals apart.

    Moments before 1970, which a UUIDv7 has no room for, count as 1970.
    """
    milliseconds = max(0, (moment - _EPOCH) // _MILLISECOND)
    digest = sha256(b"%d\n" % occurrence + content).digest()
    chance = int.from_bytes(digest[:10]) & _RANDOM_BITS
    return UUID(int=milliseconds << 80 | chance | _VERSION_AND_VARIANT)

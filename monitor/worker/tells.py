"""Under which names it stands in the store that a worker tells a channel."""

from __future__ import annotations

PREFIX = "tell:"


def tell_name(identity: str) -> str:
    """The name of the lease that whoever tells the channel of that identity has."""
    return f"{PREFIX}{identity}"

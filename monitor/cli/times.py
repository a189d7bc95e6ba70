"""Reads the moments that commands are given."""

from __future__ import annotations

from datetime import datetime, tzinfo


def parse_moment(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The moment that `text` names, in UTC, as `store.query.moments.parse_moment` reads it in filters too.

    Raises:
        ValueError: it is none; the message quotes nothing of it.
    """
    # The commands that need no moment do not wait for what it imports.
    from store.query import moments

    return moments.parse_moment(text, now, zone)

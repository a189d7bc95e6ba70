"""Reads the places of a timeline that an operator types: a time of day, how long ago, or a full moment."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from monitor.cli.times import parse_moment

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
ADVICE = "write it like 14:05, -2h, 2026-11-21T14:05"


def parse_place(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    """The moment that `text` names, in UTC: `14:05`, `14:05:11`, `-2h` or `15m` before `now`, or ISO 8601.

    A time of day is the last one in `zone` (None: the local one) that was not after `now`.

    Raises:
        ValueError: it is none of these; the message quotes nothing of it.
    """
    text = text.strip()
    try:
        if clock := _CLOCK.fullmatch(text):
            hour, minute, second = (int(part or 0) for part in clock.groups())
            here = now.astimezone(zone)
            moment = here.replace(hour=hour, minute=minute, second=second, microsecond=0)
            return (moment if moment <= here else moment - timedelta(days=1)).astimezone(UTC)
        return parse_moment(text.removeprefix("-"), now, zone)
    except ValueError:
        raise ValueError(ADVICE) from None

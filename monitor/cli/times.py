"""Reads the moments that commands are given: ISO 8601, or how long ago."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

_AGO = re.compile(r"([0-9]{1,9})\s*([smhdw])(\s+ago)?", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
ADVICE = "write it like 2026-11-21, 2026-11-21T14:05 or 15m, 2h, 3d for so long ago"


def parse_moment(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The moment that `text` names, in UTC: ISO 8601, or `30s`, `15m`, `2h`, `3d`, `1w` before `now`.

    One without an offset is in `zone`, None for the local one; a date alone is its midnight.

    Raises:
        ValueError: it is neither, or outside of what `datetime` holds; the message quotes nothing of it.
    """
    text = text.strip()
    try:
        if ago := _AGO.fullmatch(text):
            return (now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})).astimezone(UTC)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        # A naive one is taken as local.
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"no moment; {ADVICE}") from None

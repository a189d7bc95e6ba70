"""Moments as people write them: ISO 8601, a time of day, or how long ago."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, tzinfo

from store.query.syntax import And, Node, Not, Or, Since

_AGO = re.compile(r"-?([0-9]{1,9})\s*([smhdw])(\s+ago)?", re.ASCII)
_OF_DAY = re.compile(
    r"([0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII
)
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
ADVICE = "write it like 14:05, 2026-11-21, 2026-11-21T14:05 or 15m, 2h, 3d for so long ago"


def parse_moment(text: str, now: datetime, zone: tzinfo | None = None) -> datetime:
    """The moment that `text` names, in UTC: ISO 8601, `14:05`, or `30s`, `15m`, `2h`, `3d`, `1w` before `now`.

    One without an offset is in `zone`, None for the local one; a date alone is its midnight, and a time of day the
    last one that is not after `now`. `-2h` is the same as `2h`.

    Raises:
        ValueError: it is neither, or outside of what `datetime` holds; the message quotes nothing of it.
    """
    text = text.strip()
    try:
        if ago := _AGO.fullmatch(text):
            return (now - _span(ago)).astimezone(UTC)
        if of_day := _OF_DAY.fullmatch(text):
            return _last_time(of_day[1], of_day[2], now, zone)
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        # A naive one is taken as local.
        return moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"no moment; {ADVICE}") from None


def parse_span(text: str) -> timedelta:
    """The length of time that `text` names: `30s`, `15m`, `2h`, `3d`, `1w`.

    Raises:
        ValueError: it is none; the message quotes nothing of it.
    """
    found = _AGO.fullmatch(text)
    if found is None or text.startswith("-") or found[3] or not int(found[1]):
        raise ValueError("no length of time; write it like 30s, 15m, 2h, 3d or 1w")
    try:
        return _span(found)
    except OverflowError:
        raise ValueError("too long a time") from None


def write_span(span: timedelta) -> str:
    """Whole seconds in the largest unit that leaves no rest: `15m`."""
    for letter, unit in _UNITS.items():
        number, rest = divmod(span, timedelta(**{unit: 1}))
        if number and not rest:
            return f"{number}{letter}"
    return f"{int(span.total_seconds())}s"


def write_moment(moment: datetime) -> str:
    """An aware moment in UTC, which `parse_moment` reads back whatever the zone."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def slid(node: Node, now: datetime) -> Node:
    """The query as it would be read at `now`: what `last:` means moves on, fixed moments stay."""
    match node:
        case Since(_, span) if span is not None:
            return replace(node, moment=_before(now, span))
        case Not(operand):
            return Not(slid(operand, now))
        case And(operands):
            return And(tuple(slid(operand, now) for operand in operands))
        case Or(operands):
            return Or(tuple(slid(operand, now) for operand in operands))
        case _:
            return node


def last(span: timedelta, now: datetime) -> Since:
    """The events of the last `span` before `now`."""
    return Since(_before(now, span), span)


def _before(now: datetime, span: timedelta) -> datetime:
    try:
        return now.astimezone(UTC) - span
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _span(found: re.Match[str]) -> timedelta:
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _last_time(of_day: str, offset: str | None, now: datetime, zone: tzinfo | None) -> datetime:
    if offset is not None:
        zone = datetime.fromisoformat(f"2000-01-01T00:00{offset}").tzinfo
    wanted = time.fromisoformat(of_day if of_day[2] == ":" else f"0{of_day}")
    today = now.astimezone(zone).date()
    for days in (0, 1):
        # Put together of day and time, as a day with a change of the clock has not 24 hours.
        naive = datetime.combine(today - timedelta(days=days), wanted)
        moment = (naive if zone is None else naive.replace(tzinfo=zone)).astimezone(UTC)
        if moment <= now:
            break
    return moment

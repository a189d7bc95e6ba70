"""Zones as people write them."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import lru_cache

_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})", re.ASCII)
ADVICE = "write it like UTC, local, Europe/Berlin or +02:00"


def parse_zone(text: str) -> tzinfo | None:
    """The zone that `text` names: `UTC`, `local`, a name of the IANA database in any case, or an offset like `+02:00`.

    Returns:
        It; None for the local one, as `datetime.astimezone` has it.

    Raises:
        ValueError: there is no such zone; the message names the nearest one.
    """
    name = text.strip()
    if name.lower() in {"utc", "z"}:
        return UTC
    if name.lower() == "local":
        return None
    if offset := _OFFSET.fullmatch(name):
        size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
        if size < timedelta(hours=24) and int(offset[3]) < 60:
            return timezone(-size if offset[1] == "-" else size)
    return _named(name)


def _named(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo

    from store.taxonomy import nearest

    known = known_zones()
    found = known.get(name.lower())
    if found is not None:
        return ZoneInfo(found)
    meant = nearest(name.lower(), tuple(known)) if len(name) <= 64 else None
    raise ValueError(f"no zone; did you mean {known[meant]}?" if meant else f"no zone; {ADVICE}")


@lru_cache(1)
def known_zones() -> dict[str, str]:
    """The zones of the IANA database, by their names in lower case."""
    from zoneinfo import available_timezones

    return {zone.lower(): zone for zone in sorted(available_timezones())}

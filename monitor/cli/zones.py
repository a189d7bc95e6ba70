"""Reads the zone that times are to be written in."""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Annotated

import typer

_OFFSET = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})", re.ASCII)
ADVICE = "write it like UTC, local, Europe/Berlin or +02:00"

ZoneName = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="ZONE",
        help="Times are written and read in it: UTC, local, Europe/Berlin, +02:00. Default: written in UTC.",
    ),
]


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
    from zoneinfo import ZoneInfo, available_timezones

    from store.taxonomy import nearest

    known = {zone.lower(): zone for zone in available_timezones()}
    found = known.get(name.lower())
    if found is not None:
        return ZoneInfo(found)
    meant = nearest(name.lower(), tuple(known)) if len(name) <= 64 else None
    raise ValueError(f"no zone; did you mean {known[meant]}?" if meant else f"no zone; {ADVICE}")

"""How moments are written: in UTC, in the local zone or a named one, or as an age."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Zone:
    """The way times are shown, the same everywhere on the screen.

    `tzinfo` is for `astimezone`, where None is the local zone. Beside the three that are always there, a zone has the
    `name` of the IANA database, or an offset like `+02:00`.
    """

    name: str
    tzinfo: tzinfo | None

    UTC: ClassVar[Zone]
    LOCAL: ClassVar[Zone]
    RELATIVE: ClassVar[Zone]
    USUAL: ClassVar[tuple[Zone, ...]]

    @property
    def absolute(self) -> Zone:
        """Itself, or UTC where times are told by their age, which says nothing once it is written down."""
        return Zone.UTC if self is Zone.RELATIVE else self

    def next(self, named: Zone | None = None) -> Zone:
        """The one that the zone key goes to; `named` is one of those that it goes through."""
        zones = (*Zone.USUAL, *([named] if named is not None and named not in Zone.USUAL else []))
        return zones[(zones.index(self) + 1) % len(zones)] if self in zones else zones[0]

    def sign(self, moment: datetime) -> str:
        """What names the zone beside a time of it: the name that was chosen, `UTC`, or what the local zone says."""
        return moment.astimezone(self.tzinfo).strftime("%Z") if self in Zone.USUAL else self.name

    def clock(self, moment: datetime) -> str:
        """Hours and minutes with the zone, as in `14:05 UTC`, `15:05 Europe/Berlin`."""
        return f"{self.minute(moment)} {self.sign(moment)}"

    def stamp(self, moment: datetime, now: datetime) -> str:
        """A time of the timeline, 12 cells wide: `14:05:11.482`, `11-20 14:05` on another day, `2 min ago`."""
        if self is Zone.RELATIVE:
            return f"{age(moment, now)} ago".rjust(12)
        local, today = moment.astimezone(self.tzinfo), now.astimezone(self.tzinfo)
        if local.date() != today.date():
            return f" {local:%m-%d %H:%M}" if local.year == today.year else f"{local.date().isoformat()}  "
        return f"{local:%H:%M:%S}.{local.microsecond // 1000:03d}"

    def minute(self, moment: datetime) -> str:
        """Hours and minutes, as in `14:05`."""
        return moment.astimezone(self.tzinfo).strftime("%H:%M")

    def second(self, moment: datetime) -> str:
        """Hours, minutes and seconds, as in `14:05:11`."""
        return moment.astimezone(self.tzinfo).strftime("%H:%M:%S")

    def full(self, moment: datetime, *, exact: bool = True) -> str:
        """Date, time and zone, as in `2026-11-21 14:05:11.482000 UTC`; not `exact`, to the second.

        Of a zone that was chosen by name it is the offset, `+01:00`: abbreviations are not unique.
        """
        local = moment.astimezone(self.tzinfo)
        text = local.strftime("%Y-%m-%d %H:%M:%S.%f" if exact else "%Y-%m-%d %H:%M:%S")
        return (
            f"{text} {local:%Z}"
            if self in Zone.USUAL
            else f"{text} {local.isoformat(timespec='minutes')[16:]}"
        )


Zone.UTC = Zone("UTC", UTC)
Zone.LOCAL = Zone("local", None)
Zone.RELATIVE = Zone("ago", UTC)
Zone.USUAL = (Zone.UTC, Zone.LOCAL, Zone.RELATIVE)


def since_zero(moment: datetime, zero: datetime) -> str:
    """The time from `zero` on, as in `T+04:31`, `T-1:04:31`, `T+2d 03h`; at most 10 cells for a year."""
    seconds = (moment - zero).total_seconds()
    sign, whole = ("-" if seconds < 0 else "+"), int(abs(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    if hours >= 24:
        return f"T{sign}{hours // 24}d {hours % 24:02}h"
    return f"T{sign}{hours}:{minute:02}:{second:02}" if hours else f"T{sign}{minute:02}:{second:02}"


def iso(moment: datetime, zone: tzinfo | None, timespec: str = "microseconds") -> str:
    """ISO 8601 with the offset of `zone` (None is the local one), `Z` for UTC: for what programs read, too."""
    return moment.astimezone(zone).isoformat(timespec=timespec).replace("+00:00", "Z")


def age(moment: datetime, now: datetime) -> str:
    """The time from `moment` to `now` as `lasted` tells it. The future counts as `0 s`."""
    return lasted(int((now - moment).total_seconds()))


def lasted(seconds: int, is_exact: bool = False) -> str:
    """So many seconds in one unit: `4 s`, `12 min`, `3 h`, `9 d`.

    From 10 s on, seconds go in tens unless `is_exact`: an age that ticks every second keeps a quiet line busy.
    """
    seconds = max(0, seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size or (seconds >= size and unit != "d"):
            return f"{seconds // size} {unit}"
    return f"{seconds if seconds < 10 or is_exact else seconds // 10 * 10} s"


def short_age(moment: datetime, now: datetime) -> str:
    """The same without a space, for narrow columns: `4s`, `12m`, `3h`, `9d`."""
    return age(moment, now).replace("min", "m").replace(" ", "")

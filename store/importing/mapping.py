"""Lines that are JSON but no events: a file in TOML says what their fields are.

```toml
event_type = "msg"                                # where it stands in the line; `a.b` within an object
inserted_at = { path = "ts", time = "ms" }        # iso (the default), s or ms since 1970
severity = { path = "level", values = { 30 = "info", 40 = "warning", 50 = "error" } }
actor_type = { value = "system" }                 # the same for every line

[metadata]
message = "msg"
```

What no field is made of is kept in the metadata, where it stands.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, cast

from store.query.metadata import MISSING, value_at
from store.query.quoting import read_keys
from store.query.syntax import QueryError
from store.taxonomy import nearest, quoted
from store.toml_lines import line_of
from store.zones import parse_zone

TARGETS = (
    "id",
    "event_type",
    "category",
    "actor_type",
    "actor_id",
    "resource_type",
    "resource_id",
    "secondary_resource_type",
    "secondary_resource_id",
    "status",
    "severity",
    "inserted_at",
)
"""The fields of an event that a line may be asked for."""
METADATA = "metadata"
OPTIONS = ("path", "value", "values", "default", "time", "zone")
TIMES = {"iso": None, "s": 1_000_000, "ms": 1000}
"""How a time is written, with its unit in microseconds."""
TYPE_MAX = 128
_KEY = r'(?:[\w-]+|"(?:\\.|[^"\\])*")'
_PATH = re.compile(rf"{_KEY}(?:\.{_KEY})*", re.DOTALL)
_NO_TYPE = re.compile(r"[^a-z0-9_.-]+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MappingError(Exception):
    """A mapping file that cannot be used. The message is one line that names the file, and the line where it can."""


class UnmappedError(ValueError):
    """A line that the mapping makes no event of; one line that says why, and quotes only what was told apart."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the value of a field comes from: `keys` into the line, or `constant`."""

    keys: tuple[str, ...] = ()
    constant: Any = None
    values: Mapping[str, Any] | None = None
    default: Any = None
    time: str = "iso"
    has_zone: bool = False
    zone: tzinfo | None = None
    """Of times without an offset, where it `has_zone`; None for the local one."""

    def value_in(self, fields: Mapping[str, Any]) -> Any:
        """The value, with the table of values applied; None when there is none.

        Raises:
            UnmappedError: the table does not have it.
        """
        if not self.keys:
            return self.constant
        value = value_at(fields, self.keys)
        if value is MISSING or value is None:
            return self.default
        if self.values is None:
            return value
        known = self.values.get(_written(value), MISSING)
        if known is not MISSING:
            return known
        if self.default is None:
            raise UnmappedError(f"its values do not have {quoted(_written(value))}")
        return self.default


class FieldMapping:
    """What `load_mapping` read."""

    def __init__(self, sources: Mapping[str, _Source], metadata: Mapping[str, _Source]) -> None:
        self._sources = dict(sources)
        self._metadata = dict(metadata)

    def apply(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of an event, as its message has them, from those of a line; times are fixed to UTC.

        Raises:
            UnmappedError: a field cannot be made of what the line has.
        """
        fields: dict[str, Any] = {}
        rest = dict(line)
        for name, source in self._sources.items():
            try:
                value = source.value_in(line)
                made = None if value is None else _made(name, value, source)
            except UnmappedError as error:
                raise UnmappedError(f"{name}: {error}") from None
            if made is None:
                continue
            fields[name] = made
            # A message that became the name of a type is not lost.
            if source.keys and (name != "event_type" or made == value):
                _remove(rest, source.keys)
        if "event_type" not in fields:
            raise UnmappedError("event_type: the line has none")
        for name, source in self._metadata.items():
            try:
                value = source.value_in(line)
            except UnmappedError as error:
                raise UnmappedError(f"{METADATA}.{name}: {error}") from None
            if value is not None:
                if source.keys:
                    _remove(rest, source.keys)
                rest[name] = value
        return {**fields, METADATA: rest}


def load_mapping(file: Path) -> FieldMapping:
    """Read a mapping file.

    Raises:
        MappingError: it cannot be read, or says what cannot be meant.
    """
    shown = str(file) if str(file).isprintable() else repr(str(file))
    try:
        text = file.read_text(encoding="utf-8")
        tables = tomllib.loads(text)
    except OSError as error:
        raise MappingError(f"{shown}: {error.strerror or error}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MappingError(f"{shown}: {error}") from None
    sources: dict[str, _Source] = {}
    metadata: dict[str, _Source] = {}
    for name, value in tables.items():
        try:
            if name == METADATA:
                metadata = _in_metadata(value)
            else:
                sources[name] = _source(_known(name), value)
        except ValueError as error:
            what = str(error) if str(error).startswith("no field") else f"{name}: {error}"
            raise MappingError(f"{shown}:{line_of(text, name) or 1}: {what}") from None
    if "event_type" not in sources:
        raise MappingError(f'{shown}: event_type is missing, as in event_type = "msg"')
    return FieldMapping(sources, metadata)


def _known(name: str) -> str:
    if name not in TARGETS:
        raise ValueError(_unknown("field", name, (*TARGETS, METADATA)))
    return name


def _in_metadata(value: object) -> dict[str, _Source]:
    if not isinstance(value, dict):
        raise ValueError("must be a table of names and places")
    return {key: _source(METADATA, place) for key, place in cast("dict[str, Any]", value).items()}


def _source(name: str, value: object) -> _Source:
    """What a value of the file means.

    Raises:
        ValueError: it cannot be meant; the message says what can.
    """
    if isinstance(value, str):
        return _Source(place_keys(value))
    if not isinstance(value, dict):
        raise ValueError('must be a place, as in "a.b", or a table, as in { value = "system" }')
    options = cast("dict[str, Any]", value)
    for option in options:
        if option not in OPTIONS:
            raise ValueError(_unknown("option", option, OPTIONS))
    if ("path" in options) == ("value" in options):
        raise ValueError("must have a path or a value, one of them")
    if "value" in options:
        if len(options) > 1:
            raise ValueError("a value has no other options")
        return _Source(constant=options["value"])
    if not isinstance(options["path"], str):
        raise ValueError("the path must be text")
    values = options.get("values")
    if values is not None and not isinstance(values, dict):
        raise ValueError('values must be a table, as in { 30 = "info" }')
    if name != "inserted_at" and ("time" in options or "zone" in options):
        raise ValueError("time and zone are of inserted_at")
    time = options.get("time", "iso")
    if not isinstance(time, str) or time not in TIMES:
        raise ValueError(_unknown("way to write a time", str(time), tuple(TIMES)))
    zone = options.get("zone")
    return _Source(
        place_keys(options["path"]),
        values=cast("dict[str, Any] | None", values),
        default=options.get("default"),
        time=time,
        has_zone=zone is not None,
        zone=None if zone is None else _zone(zone),
    )


def place_keys(path: str) -> tuple[str, ...]:
    """The keys to the place that is written as `a.b`, or `a."b c"`.

    Raises:
        ValueError: it is no place; the message says how one is written.
    """
    if not _PATH.fullmatch(path):
        raise ValueError(
            f'no place {quoted(path)}; it is written as in a.b, other characters in quotes: a."b c"'
        )
    try:
        return read_keys(path, 0)
    except QueryError as error:
        raise ValueError(f"no place {quoted(path)}: {error}") from None


def _zone(name: object) -> tzinfo | None:
    try:
        return parse_zone(str(name))
    except ValueError as error:
        raise ValueError(f"{quoted(str(name))}: {error}") from None


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> str:
    near = nearest(name, known)
    return f"no {kind} {quoted(name)}; " + (
        f"did you mean {near}?" if near else f"there are {', '.join(known)}"
    )


def _remove(fields: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Take out what stands there, in copies of the objects on the way; an object that is left empty goes, too."""
    first, *further = keys
    if first not in fields:
        return
    value = fields[first]
    if further and isinstance(value, dict):
        below = dict(cast("dict[str, Any]", value))
        _remove(below, tuple(further))
        if below:
            fields[first] = below
            return
    elif further:
        return
    del fields[first]


def _written(value: Any) -> str:
    """A value as it stands in a table of values: `30`, `true`, `WARN`."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _made(name: str, value: Any, source: _Source) -> Any:
    if name == "inserted_at":
        return _moment(value, source).isoformat()
    if isinstance(value, (dict, list)):
        raise UnmappedError("an object or a list is no value")
    text = _written(value)
    return _type(text) if name == "event_type" else text


def _type(text: str) -> str:
    """A text as the name of a type: `Disk full` is `log.disk_full`."""
    words = [_NO_TYPE.sub("_", word).strip("_") for word in text.lower().split(".")]
    name = ".".join(word for word in words if word)
    if not name:
        raise UnmappedError("an empty text is no type")
    return (name if "." in name else f"log.{name}")[:TYPE_MAX].rstrip("._")


def _moment(value: Any, source: _Source) -> datetime:
    unit = TIMES[source.time]
    if unit is None:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise UnmappedError('no time as ISO 8601 has it; time = "s" or "ms" counts from 1970') from None
        if moment.tzinfo is None:
            if not source.has_zone:
                raise UnmappedError('a time without an offset; zone = "UTC" says of which zone it is')
            moment = moment.replace(tzinfo=source.zone)
    else:
        try:
            microseconds = int(Decimal("x" if isinstance(value, bool) else str(value)) * unit)
            moment = _EPOCH + timedelta(microseconds=microseconds)
        except (InvalidOperation, ValueError, OverflowError):
            raise UnmappedError(f"no number of {source.time} since 1970") from None
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise UnmappedError("a time that is out of range") from None

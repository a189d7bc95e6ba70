"""Reads taxonomy files. `taxonomy.toml`, the shipped one, shows the form and the default of every key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, cast

from pydantic import TypeAdapter, ValidationError

from store.event import Category, EventTypeName, Severity, ShortText
from store.taxonomy import EventType, Taxonomy, TaxonomyError, nearest, quoted
from store.toml_lines import line_of

FILE_MAX_BYTES = 1024 * 1024
"""A larger file is refused without being parsed."""

_COUNTER = re.compile(r"[a-z][a-z0-9_]{0,63}")
_PROVIDER = re.compile(r"[\w-]{1,64}(\.[\w-]{1,64}){0,7}")
_READ_MODEL = re.compile(r"[a-z][a-z0-9_:.-]{0,63}")
_COUNTS_MAX = 1_000_000
_EVENT_TYPE = TypeAdapter[str](EventTypeName)
_CATEGORY = TypeAdapter[str](Category)
_RESOURCE_TYPE = TypeAdapter[str](ShortText)


def read_taxonomy(paths: Iterable[Path], base: Iterable[EventType], strict: bool) -> Taxonomy:
    """The types of `base`, then those of the files, which add keys to the types before them or override theirs.

    Raises:
        TaxonomyError: a file cannot be read or breaks a rule.
    """
    types = {known.name: known for known in base}
    for path in paths:
        file = _File(path)
        strict = file.read_into(types) or strict
        try:
            Taxonomy(types.values())
        except TaxonomyError as error:
            raise file.error(str(error)) from None
    return Taxonomy(types.values(), strict)


class _File:
    """One file: its text, to find lines in, and its tables."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = self._read()
        try:
            self._tables: dict[str, object] = tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:
            raise self.error(f"not TOML: {error}") from None

    def _read(self) -> str:
        try:
            with self._path.open("rb") as stream:
                content = stream.read(FILE_MAX_BYTES + 1)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise self.error(f"cannot read the taxonomy: {why}") from None
        if len(content) > FILE_MAX_BYTES:
            raise self.error(f"over {FILE_MAX_BYTES // 1024} KiB, too large for a taxonomy")
        try:
            return content.decode().replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise self.error("not UTF-8") from None

    def read_into(self, types: dict[str, EventType]) -> bool:
        """Add the types of this file to `types`; whether it asks for a strict taxonomy."""
        for key in self._tables:
            if key not in {"taxonomy", "types"}:
                self._refuse_key(key, ("taxonomy", "types"))
        for name, keys in self._table(self._tables.get("types", {}), "types").items():
            types[name] = self._type(name, keys, types.get(name))
        return self._strict()

    def _strict(self) -> bool:
        settings = self._table(self._tables.get("taxonomy", {}), "taxonomy")
        for key in settings:
            if key != "strict":
                self._refuse_key(key, ("strict",), "taxonomy")
        strict = settings.get("strict", False)
        if not isinstance(strict, bool):
            raise self.error("'strict' must be true or false", "taxonomy", "strict")
        return strict

    def _type(self, name: str, keys: object, before: EventType | None) -> EventType:
        if not _valid(_EVENT_TYPE, name):
            raise self.error(
                f'{quoted(name)} is no event type: lower case, dotted, quoted as in [types."noun.verb"]', name
            )
        values: dict[str, Any] = {}
        for key, value in self._table(keys, name).items():
            read = _KEYS.get(key)
            if read is None:
                self._refuse_key(key, tuple(_KEYS), name)
            try:
                values[key] = read(value)
            except ValueError as error:
                raise self.error(f"{key!r} of {quoted(name)} must be {error}", name, key) from None
        return replace(before or EventType.assumed(name), **values)

    def _table(self, value: object, name: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self.error(f"{quoted(name)} must be a table", name)
        return cast("dict[str, object]", value)

    def _refuse_key(self, key: str, known: tuple[str, ...], owner: str | None = None) -> NoReturn:
        guess = nearest(key, known)
        advice = f"did you mean {guess!r}?" if guess else f"known: {', '.join(known)}"
        of_owner = f" of {quoted(owner)}" if owner else ""
        raise self.error(f"unknown key {quoted(key)}{of_owner}; {advice}", owner, key)

    def error(self, what: str, owner: str | None = None, key: str | None = None) -> TaxonomyError:
        """The error that says `what`, at the line of `key` in the table of `owner` when both can be found."""
        path = str(self._path)
        line = line_of(self._text, owner, key, within="types") if owner or key else None
        place = path if path.isprintable() else repr(path)
        return TaxonomyError(f"{place}:{line}: {what}" if line else f"{place}: {what}")


def _valid(rule: TypeAdapter[str], value: object) -> str | None:
    """`value` as `rule` stores it; None when it breaks the rule."""
    try:
        return rule.validate_python(value, strict=True)
    except ValidationError:
        return None


def _category(value: object) -> str:
    category = _valid(_CATEGORY, value)
    if category is None:
        raise ValueError("text of 1 to 64 characters")
    return category


def _severity(value: object) -> str | None:
    if value == "none":
        return None
    if not isinstance(value, str) or value not in set(Severity):
        raise ValueError('"info", "warning", "error" or "none"')
    return value


def _requires_resource(value: object) -> bool | str:
    if isinstance(value, bool):
        return value
    resource_type = _valid(_RESOURCE_TYPE, value)
    if resource_type is None:
        raise ValueError("true, false or the type of the resource, text of 1 to 64 characters")
    return resource_type


def _event_types(value: object) -> tuple[str, ...]:
    names = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(_valid(_EVENT_TYPE, name) for name in names):
        raise ValueError('a list of event types, as in ["noun.verb"]')
    return tuple(cast("list[str]", names))


def _counters(value: object) -> tuple[tuple[str, int | str], ...]:
    named = cast("dict[str, object]", value) if isinstance(value, dict) else {"": None}
    for name, by in named.items():
        is_whole = isinstance(by, int) and not isinstance(by, bool) and 0 < abs(by) <= _COUNTS_MAX
        is_path = isinstance(by, str) and by.isprintable() and all(by.split("."))
        if not _COUNTER.fullmatch(name) or not (is_whole or is_path):
            raise ValueError(
                "a table of names in lower case, each with a whole number but 0, or the path of one in the metadata,"
                ' as in { likes = 1, points = "rating" }'
            )
    return tuple(cast("dict[str, int | str]", named).items())


def _provider(value: object) -> str:
    if not isinstance(value, str) or not _PROVIDER.fullmatch(value):
        raise ValueError('the path of a name in the metadata, as in "indexer"')
    return value


def _invalidates(value: object) -> tuple[str, ...]:
    names = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(name, str) and _READ_MODEL.fullmatch(name) for name in names):
        raise ValueError('a list of read models, as in ["featured"]')
    return tuple(cast("list[str]", names))


_KEYS: Mapping[str, Callable[[object], object]] = {
    "category": _category,
    "severity": _severity,
    "requires_resource": _requires_resource,
    "deprecated_names": _event_types,
    "counters": _counters,
    "provider": _provider,
    "invalidates": _invalidates,
    "ends": _event_types,
}
"""The keys of a type, each the field of `EventType` of the same name, with what reads its value.

A reader raises a ValueError that says what the value must be.
"""

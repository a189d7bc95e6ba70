"""Reads the file that says which events report health, and how.

```toml
[health."probe.*"]             # event types; the first table that fits an event counts
state = "@check.result"        # where the state stands: status (the default), severity, a place in the metadata
up = ["passing", 0]            # what stands there, whatever its case; without any of these, the usual words
degraded = ["warning", 1]
down = ["critical", 2]
otherwise = "unknown"          # the state for all other values
```
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

from monitor.health.reports import HealthType, State, folded
from store.importing.mapping import place_keys
from store.query.syntax import Field
from store.taxonomy import nearest, quoted
from store.toml_lines import line_of

FILE_MAX_BYTES = 1024 * 1024
"""A larger file is refused without being parsed."""
TABLE = "health"
STATES = (State.UP, State.DEGRADED, State.DOWN)
KEYS = ("state", *(state.value for state in STATES), "otherwise")
PLACES = (Field.STATUS, Field.SEVERITY)
_PATTERN = re.compile(r"[a-z0-9_.*-]{1,128}")


class HealthFileError(Exception):
    """A file that cannot be used. The message is one line that names the file, and the line where it can."""


def load_health(file: Path) -> tuple[HealthType, ...]:
    """The event types that the file says report health, in its order.

    Raises:
        HealthFileError: it cannot be read, or breaks a rule.
    """
    return _File(file).types()


class _File:
    """One file: its text, to find lines in, and its tables."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = ""
        try:
            with path.open("rb") as stream:
                content = stream.read(FILE_MAX_BYTES + 1)
            self._text = content.decode().replace("\r\n", "\n")
        except UnicodeDecodeError:
            raise self._error("not UTF-8") from None
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise self._error(f"cannot read it: {why}") from None
        if len(content) > FILE_MAX_BYTES:
            raise self._error(f"over {FILE_MAX_BYTES // 1024} KiB, too large")
        try:
            self._tables: dict[str, object] = tomllib.loads(self._text)
        except (ValueError, RecursionError) as error:
            raise self._error(f"not TOML: {error}") from None

    def types(self) -> tuple[HealthType, ...]:
        """What the tables say."""
        for key in self._tables:
            if key != TABLE:
                self._refuse(key, (TABLE,))
        tables = self._table(self._tables.get(TABLE, {}), TABLE)
        return tuple(self._type(pattern, value) for pattern, value in tables.items())

    def _type(self, pattern: str, value: object) -> HealthType:
        if not _PATTERN.fullmatch(pattern):
            what = f'{quoted(pattern)} fits no event type; it is written as in [health."probe.*"]'
            raise self._error(what, pattern)
        keys = self._table(value, pattern)
        for key, written in keys.items():
            if key not in KEYS and isinstance(written, dict):
                advice = f'write the type in quotes, as in [health."{pattern}.{key}"]'
                raise self._error(f"{quoted(pattern)} has a table in it; {advice}", pattern)
            if key not in KEYS:
                self._refuse(key, KEYS, pattern)
        states = self._states(pattern, keys)
        otherwise = keys.get("otherwise", State.UNKNOWN)
        if otherwise not in set(State):
            known = ", ".join(State)
            raise self._error(
                f"'otherwise' of {quoted(pattern)} must be one of {known}", pattern, "otherwise"
            )
        place = self._place(pattern, keys.get("state", Field.STATUS.value))
        return HealthType(pattern, place, states or None, State(cast("str", otherwise)))

    def _place(self, pattern: str, written: object) -> Field | tuple[str, ...]:
        if isinstance(written, str) and written in set(PLACES):
            return Field(written)
        why = 'must be "status", "severity" or a place in the metadata, as in "@check.result"'
        if isinstance(written, str) and written.startswith("@"):
            try:
                return place_keys(written.removeprefix("@"))
            except ValueError as error:
                why = f"is {error}"
        elif isinstance(written, str) and (meant := nearest(written, PLACES)):
            why += f"; did you mean {meant!s}?"
        raise self._error(f"'state' of {quoted(pattern)} {why}", pattern, "state")

    def _states(self, pattern: str, keys: Mapping[str, object]) -> dict[str, State]:
        """The states by the values that mean them."""
        states: dict[str, State] = {}
        for state in STATES:
            key = state.value
            values = keys.get(key, [])
            texts = [
                _text(value) for value in (cast("list[Any]", values) if isinstance(values, list) else [None])
            ]
            for text in texts:
                if text is None:
                    what = f"{key!r} of {quoted(pattern)} must be a list of texts and numbers"
                    raise self._error(what, pattern, key)
                if states.setdefault(text, state) is not state:
                    what = f"{quoted(text)} of {quoted(pattern)} is {states[text]} already"
                    raise self._error(what, pattern, key)
        return states

    def _table(self, value: object, name: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self._error(f"{quoted(name)} must be a table", name)
        return cast("dict[str, object]", value)

    def _refuse(self, key: str, known: tuple[str, ...], owner: str | None = None) -> NoReturn:
        guess = nearest(key, known) if len(key) <= 64 else None
        advice = f"did you mean {guess!r}?" if guess else f"known: {', '.join(known)}"
        of_owner = f" of {quoted(owner)}" if owner else ""
        raise self._error(
            f"unknown key {quoted(key)}{of_owner}; {advice}", owner or key, key if owner else None
        )

    def _error(self, what: str, owner: str | None = None, key: str | None = None) -> HealthFileError:
        """The error that says `what`, at the line of `key` in the table of `owner` where it can be found."""
        path = str(self._path)
        place = path if path.isprintable() else repr(path)
        line = line_of(self._text, owner, key, within=TABLE) if owner else None
        return HealthFileError(f"{place}:{line}: {what}" if line else f"{place}: {what}")


def _text(value: object) -> str | None:
    """A value as states are looked up by; None for what is no text, number, true or false."""
    return folded(value) if isinstance(value, (str, int, float)) else None

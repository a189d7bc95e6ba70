"""What someone who is typing a query may want to go on with: names of fields, and values that were seen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from store.event import ActorType, Severity
from store.query.quoting import read_keys, write_path, write_value
from store.query.syntax import FIELD_NAMES, TIME_NAMES, Field, Path, QueryError

Seen = Mapping[Field | Path, Mapping[str, int]]
"""Values by field and by place in the metadata, each with how often it was seen."""

ANY = "*"
"""Stands in `Seen` for what has no value to compare with: a list, or a text too long to be offered."""
_MOST = 50
_NAME = r"[^\W\d][\w.-]*"
_KEY = r'(?:[\w-]+|"(?:\\.|[^"\\])*")'
_BEFORE = r"(?:^|(?<=[\s(]))[-!]?"
_WORD = re.compile(rf"{_BEFORE}(?P<word>{_NAME})?$")
_PATH = re.compile(rf'{_BEFORE}(?P<path>@(?:{_KEY}\.)*(?:[\w-]*|"(?:\\.|[^"\\])*"?))$', re.DOTALL)
_VALUE = re.compile(
    rf"""{_BEFORE}(?P<name>{_NAME}|@{_KEY}(?:\.{_KEY})*)\s*(?P<op>:?(?:>=|<=|!=|==|=|>|<)|:!?)\s*
    (?:(?:[^\s",()]|"(?:\\.|[^"\\])*")+,\s*)*(?P<value>"(?:\\.|[^"\\])*|[^\s",()/][^\s",()]*|)$""",
    re.VERBOSE | re.DOTALL,
)
_NOTES: dict[str, str] = {
    Field.TYPE: "as in download.failed, download.*",
    Field.CATEGORY: "of types",
    Field.SEVERITY: "info, warning or error; >= too",
    Field.STATUS: "as in failed, up",
    Field.ACTOR: "as in user:42, system",
    Field.ACTOR_ID: "of users and jobs",
    Field.RESOURCE: "as in download/9f3a",
    Field.RESOURCE_TYPE: "in either role",
    Field.RESOURCE_ID: "in either role",
    Field.ID: "of the event",
    "last": "as in 15m, 2h",
    "since": "as in 14:05, -2h",
    "until": "as in 14:05, -5m",
}
_ALWAYS: dict[str, tuple[str, ...]] = {
    Field.SEVERITY: tuple(map(str, reversed(Severity))),
    Field.ACTOR: tuple(map(str, ActorType)),
    "last": ("15m", "1h", "5m", "6h", "1d"),
    "since": ("-15m", "-1h", "-6h", "-1d"),
    "until": ("-5m", "-15m", "-1h"),
}
_FROM_WORDS = (Field.TYPE, Field.CATEGORY, Field.STATUS, Field.RESOURCE_TYPE)
"""The fields whose values are looked for by their first letters alone."""


class Completion(NamedTuple):
    """`replacement` for the characters of the text from `start` to `end`, and a word on it, raw like the values."""

    replacement: str
    start: int
    end: int
    note: str


def complete(text: str, cursor: int, values: Seen) -> list[Completion]:
    """What could stand where the cursor (from 0) is, likeliest first; nothing within a word or a regular expression.

    Values that begin with what was typed come before those that have it further on, whatever the case, and the
    often seen before the rare.
    """
    before, after = text[:cursor], text[cursor : cursor + 1]
    if after and not after.isspace() and after not in "),":
        return []
    if found := _VALUE.search(before):
        options = _values_of(found["name"], found["op"], found["value"], values)
        start = found.start("value")
    elif found := _PATH.search(before):
        options = _paths(found["path"], values)
        start = found.start("path")
    elif found := _WORD.search(before):
        options = _words(found["word"] or "", values)
        start = cursor - len(found["word"] or "")
    else:
        return []
    typed = before[start:]
    unlike = ((replacement, note) for replacement, note in options if replacement != typed)
    return [Completion(replacement, start, cursor, note) for replacement, note in dict(unlike).items()][
        :_MOST
    ]


def _words(word: str, values: Seen) -> Iterator[tuple[str, str]]:
    for name in (*Field, *TIME_NAMES):
        if name.startswith(word.lower()):
            yield f"{name}:", _NOTES[name]
    if not word:
        return
    for field in _FROM_WORDS:
        for value, count in _fitting(values.get(field, {}), word, within=False):
            yield f"{field}:{write_value(value)}", f"{count:,}"


def _paths(typed: str, values: Seen) -> Iterator[tuple[str, str]]:
    """The places in the metadata that begin with what was typed, then those that have a key which does."""
    counts = {
        write_path(place.keys): sum(seen.values())
        for place, seen in values.items()
        if isinstance(place, Path)
    }
    key = typed[1:].casefold()
    found = _fitting(counts, typed, within=False)
    found += _fitting(
        {
            text: counts[text]
            for place in values
            if isinstance(place, Path) and any(part.casefold().startswith(key) for part in place.keys)
            for text in [write_path(place.keys)]
        },
        "",
        within=False,
    )
    for text, count in found:
        yield f"{text}:", f"{count:,}"


def _field_called(name: str) -> Field | Path | None:
    if not name.startswith("@"):
        return FIELD_NAMES.get(name.lower())
    try:
        return Path(read_keys(name, 0))
    except QueryError:
        return None


def _values_of(name: str, op: str, typed: str, values: Seen) -> Iterator[tuple[str, str]]:
    field = _field_called(name)
    if field is None and name.lower() not in TIME_NAMES:
        return
    if (
        op.strip(":") in {"<", "<=", ">", ">="}
        and field is not Field.SEVERITY
        and not isinstance(field, Path)
    ):
        return
    seen = dict(values.get(field, {})) if field is not None else {}
    for value in _ALWAYS.get(field or name.lower(), ()) if not isinstance(field, Path) else ():
        # After the ones that were seen, which a query finds.
        seen.setdefault(value, 0)
    part = re.sub(r'\\(["\\])', r"\1", typed[1:]) if typed.startswith('"') else typed
    for value, count in _fitting(seen, part, within=True):
        # What has no value of its own can be asked for by being there.
        is_any = value == ANY and isinstance(field, Path)
        yield (ANY if is_any else write_value(value)), f"{count:,}" if count else ""


def _fitting(seen: Mapping[str, int], typed: str, *, within: bool) -> list[tuple[str, int]]:
    needle = typed.casefold()

    def rank(item: tuple[str, int]) -> tuple[bool, int]:
        return not item[0].casefold().startswith(needle), -item[1]

    found = [(value, count) for value, count in seen.items() if needle in value.casefold()]
    # Stable: what was seen equally often stays in the order in which it came.
    return sorted((item for item in found if within or not rank(item)[0]), key=rank)

"""Words and values as they stand in a query: bare or quoted, with `*` and escapes."""

from __future__ import annotations

import re
from typing import NamedTuple

from store.query.syntax import QueryError

_PIECE = re.compile(r'"((?:\\.|[^"\\])*)"|[^"]+', re.DOTALL)
_KEY = re.compile(r'"((?:\\.|[^"\\])*)"|[\w-]+', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))", re.DOTALL)
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}
_ESCAPES = {character: f"\\{name}" for name, character in _ESCAPED.items()}

# What is written unquoted is less than the grammar would take.
_BARE_WORD = re.compile(r"(?!(?i:and|or|not)$)\w[\w.+@#%/'-]*")
_BARE_VALUE = re.compile(r"[\w.+@#%-][\w.+@#%/:'-]*")
_BARE_KEY = re.compile(r"[\w-]+")
_BARE_PIECE = re.compile(r"[\w.+@#%/:'-]*")


class Written(NamedTuple):
    """A word or value as it was meant. `text` has a `*` for each that stood unquoted, when `glob` is true.

    When `regex` is true, it stood between slashes, and is what stood there.
    """

    text: str
    glob: bool
    column: int
    regex: bool = False

    @classmethod
    def read(cls, text: str, column: int) -> Written:
        """What `text`, a WORD or VALUE of the grammar that stands at `column`, means.

        Raises:
            QueryError: an unknown escape, or a `*` within the quotes of a pattern.
        """
        parts: list[str] = []
        wildcards, stars = False, False
        for piece in _PIECE.finditer(text):
            if (quoted := piece[1]) is not None:
                parts.append(_unescape(quoted, column + piece.start(1)))
                stars = stars or "*" in parts[-1]
            else:
                parts.append(piece[0])
                wildcards = wildcards or "*" in piece[0]
        if wildcards and stars:
            raise QueryError("a quoted * cannot stand beside one that means any text", column)
        return cls("".join(parts), wildcards, column)

    @property
    def anything(self) -> bool:
        """Nothing but `*`."""
        return self.glob and not self.text.strip("*")


def _unescape(quoted: str, column: int) -> str:
    def character(escape: re.Match[str]) -> str:
        code, short = escape.groups()
        if code is not None:
            value = int(code, 16)
            if 0 < value < 0xD800 or 0xDFFF < value <= 0x10FFFF:
                return chr(value)
        elif short in _ESCAPED:
            return _ESCAPED[short]
        known = ", ".join(f"\\{name}" for name in _ESCAPED)
        raise QueryError(
            f"unknown escape '{escape[0]}'; there are {known} and \\u{{…}}", column + escape.start()
        )

    return _ESCAPE.sub(character, quoted)


def read_keys(text: str, column: int) -> tuple[str, ...]:
    """The keys of `text`, a PATH of the grammar that stands at `column`.

    Raises:
        QueryError: an unknown escape.
    """
    return tuple(
        piece[0] if piece[1] is None else _unescape(piece[1], column + piece.start(1))
        for piece in _KEY.finditer(text)
    )


def write_path(keys: tuple[str, ...]) -> str:
    """The place in the metadata that `keys` lead to."""
    return "@" + ".".join(key if _BARE_KEY.fullmatch(key) else _quoted(key) for key in keys)


def write_word(text: str) -> str:
    """`text` as a bare word, or quoted when it would be read as something else."""
    return text if _BARE_WORD.fullmatch(text) else _quoted(text)


def write_value(text: str) -> str:
    """`text` as a value to compare with exactly."""
    return text if _BARE_VALUE.fullmatch(text) else _quoted(text)


def write_pattern(text: str) -> str:
    """`text` as a value in which each `*` stands for any text."""
    first, *rest = (piece if _BARE_PIECE.fullmatch(piece) else _quoted(piece) for piece in text.split("*"))
    if first.startswith(("/", ":", "'")):
        first = _quoted(first)
    return "*".join((first, *rest))


def _quoted(text: str) -> str:
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\u{{{ord(character):x}}}"

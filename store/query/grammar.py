"""Query text to lark's tree, or to an error in words for the person who is typing it.

The only module that imports lark, which takes 50 ms: `parser.py` imports it at the first query.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from store.query.syntax import FIELD_NAMES, TIME_NAMES, Field, QueryError

_SEPARATORS = {"_OR": "OR", "_COMMA": "','", "RPAR": "')'"}
_QUOTED_KEY = 'one of other characters is quoted, as in @"exit code"'
_OPERATOR = re.compile("[:=<>~]+|![=~]")
_KEYWORD = re.compile(r"(?i:and|or|not)\b")


def read(text: str) -> Tree[Token]:
    """The tree of `text` by the rules of `grammar.lark`.

    Raises:
        QueryError: the text breaks the rules, or has an unknown field.
    """
    try:
        return _lark().parse(text)
    except UnexpectedInput as error:
        raise _explained(text, error) from None


@cache
def _lark() -> Any:
    return Lark(
        Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8"),
        parser="lalr",
        lexer="contextual",
        propagate_positions=True,
        lexer_callbacks={"FIELD": _known_field},
    )


def _known_field(token: Token) -> Token:
    """Refuse an unknown field while reading, so that the leftmost mistake is the one reported."""
    name, column = token.lower(), token.start_pos or 0
    if name not in FIELD_NAMES and name not in TIME_NAMES:
        near = difflib.get_close_matches(name, [*FIELD_NAMES, *TIME_NAMES], n=1)
        advice = (
            f"did you mean '{near[0]}'?"
            if near
            else f"there are {', '.join((*Field, *TIME_NAMES))}; for the text, quote it"
        )
        raise QueryError(f"no field '{token}'; {advice}", column)
    return token


def _explained(text: str, error: UnexpectedInput) -> QueryError:
    """The error that tells where reading `text` stopped and what was expected there."""
    column, expected = len(text), frozenset[str]()
    untyped: Any = error  # lark gives the place no type
    if isinstance(error, UnexpectedCharacters):
        column, expected = untyped.pos_in_stream, frozenset(error.allowed)
    elif isinstance(error, UnexpectedToken):
        expected = frozenset(error.expected)
        if untyped.token.type != "$END":
            column = untyped.token.start_pos
    return QueryError(_explanation(text[:column].split(), text[column:], expected), column)


def _explanation(before: list[str], rest: str, expected: frozenset[str]) -> str:
    wanted = f"expected {_wanted(expected)}"
    if before:
        wanted += f" after '{before[-1][-20:]}'"
    if "OP" in expected:
        return _after_path(wanted, rest)
    term_expected = "WORD" in expected
    if not term_expected and "VALUE" not in expected:
        return "this ')' closes nothing" if rest.startswith(")") else wanted
    match rest[:1]:
        case '"':
            return "this quote is not closed"
        case "'":
            return "a phrase is put in double quotes"
        case "/":
            return "a regular expression ends with a / and a space (/a.*b/); to search for the text, quote it"
        case "|" | "&":
            return f"{wanted}; OR can be written ||, and AND &&"
        case "@" if term_expected and rest.startswith('@"'):
            return "this quote is not closed"
        case "@" if term_expected:
            return f"expected a key after '@', as in @error.code; {_QUOTED_KEY}"
        case _:
            pass
    if term_expected and (operator := _OPERATOR.match(rest)):
        return f"expected a field before '{operator[0]}'"
    if term_expected and (keyword := _KEYWORD.match(rest)):
        return f"{wanted}; to search for '{keyword[0]}', quote it"
    if term_expected and rest.startswith(("-", "!")):
        return f"'{rest[0]}' excludes the one thing right after it; to search for the text, quote it"
    return wanted


def _after_path(wanted: str, rest: str) -> str:
    match rest[:1]:
        case "[":
            return "a place in a list cannot be asked for; @tags:* finds the list, and a word finds what is in it"
        case ".":
            return f"expected a key after '.'; {_QUOTED_KEY}"
        case _:
            return f"{wanted}; with :* it finds events that have it"


def _wanted(expected: frozenset[str]) -> str:
    if "OP" in expected:
        return "':' or a comparison"
    if "VALUE" in expected:
        return "a value"
    if "WORD" in expected:
        return "a word or field:value"
    return (
        " or ".join(name for terminal, name in _SEPARATORS.items() if terminal in expected) or "nothing more"
    )

"""Values of rows that something else may have written: read as they are stored, and never refused.

SQLite keeps any value in any column, and PostgreSQL moments that Python has none for; what cannot be read must not
keep the rest from being deleted.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    String,
    cast,
    func,
    literal,
    type_coerce,
)

from store.column_types import UtcDateTime
from store.tables import events

_FIRST = datetime(1, 1, 2, tzinfo=UTC)


def raw(column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """`column`, to be selected: bytes on SQLite, whose driver refuses text that is not UTF-8."""
    match dialect:
        case "sqlite":
            return cast(column, LargeBinary)
        case "mariadb":
            return type_coerce(column, String())
        case _:
            return column


def bound(value: Any, column: ColumnElement[Any], dialect: str) -> ColumnElement[Any]:
    """What `raw` gave for `column`, to be compared with it."""
    match dialect:
        case "sqlite":
            return cast(literal(value, LargeBinary), String)
        case "mariadb":
            return literal(value, String())
        case _:
            return literal(value, column.type)


def raw_moment(dialect: str) -> ColumnElement[Any]:
    """When an event was, to be selected; `bound_moment` takes it back."""
    column = events.c.inserted_at
    if dialect == "sqlite":
        return raw(column, dialect)
    # Servers know moments before the first that `datetime` can hold.
    return type_coerce(func.greatest(column, literal(_FIRST, column.type)), UtcDateTime())


def bound_moment(value: Any, dialect: str) -> ColumnElement[Any]:
    """What `raw_moment` gave, to be compared with the column."""
    column = events.c.inserted_at
    return bound(value, column, dialect) if dialect == "sqlite" else literal(value, column.type)


def text_of(value: Any) -> str:
    """A `raw` text for people, and to look it up by; bytes that are not UTF-8 are escaped."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)

"""Text at a place in the metadata, by the database itself: a row that holds no JSON has none."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    String,
    and_,
    case,
    cast,
    func,
    null,
    type_coerce,
)


def text_at(
    metadata: ColumnElement[Any], path: str, dialect: str, *, number: bool = False
) -> ColumnElement[Any]:
    """The text at `path` of the column `metadata`, NULL where there is none; with `number`, a number as text.

    `path` is names that dots part. SQLite gives bytes: something else may have written what is not UTF-8.
    """
    names = path.split(".")
    if dialect == "postgresql":
        # The column is `json`, so that its text is kept as it was written.
        place = func.json_extract_path(metadata, *names)
        kind = func.json_typeof(place)
        return case(
            (kind == ("number" if number else "string"), func.json_extract_path_text(metadata, *names))
        )
    written = "$" + "".join(f'."{name}"' for name in names)
    if dialect == "sqlite":
        kinds = ("integer",) if number else ("text",)
        is_there = and_(func.json_valid(metadata), func.json_type(metadata, written).in_(kinds))
        return case((is_there, cast(func.json_extract(metadata, written), LargeBinary)), else_=null())
    column = type_coerce(metadata, String())
    place = func.json_extract(column, written)
    kinds = ("INTEGER",) if number else ("STRING",)
    is_there = and_(func.json_valid(column), func.json_type(place).in_(kinds))
    return case((is_there, func.json_unquote(place)), else_=null())

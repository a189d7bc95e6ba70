"""Rows of numbers that are added to, and made where they are not there yet: in one statement on every database."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite


def adding_to(table: Table, dialect: str, names: Sequence[str]) -> Insert:
    """A statement that adds its values to the columns `names` of the row with the same primary key."""
    if dialect == "mariadb":
        added = mysql.insert(table)
        return added.on_duplicate_key_update({name: table.c[name] + added.inserted[name] for name in names})
    insert = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return insert.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: table.c[name] + insert.excluded[name] for name in names},
    )

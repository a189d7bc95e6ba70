"""The full-text index, which is built afterwards: nothing of what is stored is touched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic.operations import Operations

from store.column_types import LONG_TEXT, SERVER_OPTIONS

GRAMS = "array_to_tsvector(string_to_array(grams, ' '))"


def upgrade(op: Operations) -> None:
    connection = op.get_bind()
    op.create_table(
        "search_head",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="search_head_is_one_row"),
        if_not_exists=True,
        **SERVER_OPTIONS,
    )
    if connection.dialect.name != "sqlite":
        op.create_table(
            "search_blocks",
            sa.Column("block", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("grams", LONG_TEXT, nullable=False),
            if_not_exists=True,
            **SERVER_OPTIONS,
        )
        if connection.dialect.name == "postgresql":
            op.create_index(
                "search_blocks_by_gram",
                "search_blocks",
                [sa.text(GRAMS)],
                if_not_exists=True,
                postgresql_using="gin",
            )
        else:
            op.create_index(
                "search_blocks_by_word",
                "search_blocks",
                ["grams"],
                if_not_exists=True,
                mariadb_prefix="FULLTEXT",
            )
    if not connection.execute(sa.text("SELECT count(*) FROM search_head")).scalar():
        op.bulk_insert(
            sa.table("search_head", *map(sa.column, ("id", "position", "generation"))),
            [{"id": 1, "position": 0, "generation": 0}],
        )


def downgrade(op: Operations) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        chapters = (
            "SELECT name FROM sqlite_master WHERE name GLOB 'event_search_*' AND sql LIKE 'CREATE VIRTUAL%'"
        )
        for name in connection.execute(sa.text(chapters)).scalars().all():
            op.drop_table(name)
    else:
        op.drop_table("search_blocks")
    op.drop_table("search_head")

"""Run by Alembic, on the connection and inside the transaction that `store.database` opened."""

from __future__ import annotations

from alembic import context

from store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # MariaDB has no names for primary keys, and warns of one.
    version_table_pk=connection.dialect.name != "mariadb",
)
with context.begin_transaction():
    context.run_migrations()

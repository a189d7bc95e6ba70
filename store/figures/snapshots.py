"""Figures that were worked out beforehand: stored by whoever runs the schedule, read by consoles and applications."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.figures.computing import all_figures
from store.figures.figures import Figures, from_json, to_json
from store.figures.period import Period
from store.short_transactions import ShortTransactions
from store.tables import snapshots
from store.taxonomy import Taxonomy


class SnapshotRepository:
    """The snapshots of `database`. Every method raises `StoreUnavailableError` when the database fails."""

    def __init__(self, database: Database, taxonomy: Taxonomy | None = None) -> None:
        self._database = database
        self._taxonomy = taxonomy

    async def get(self, period: Period) -> Figures | None:
        """The figures of `period` as they were last stored; None when they never were."""
        statement = select(snapshots.c.payload).where(snapshots.c.name == name_of(period))
        async with self._database.read() as connection:
            payload = (await connection.execute(statement)).scalar()
        figures = None if payload is None else from_json(payload)
        return figures if figures is not None and figures.period is period else None

    async def compute(self, now: datetime) -> Sequence[Figures]:
        """Work out the figures of every period up to `now`, store and return them."""
        computed = await all_figures(self._database, now, self._taxonomy)

        async def store(connection: AsyncConnection) -> None:
            names = [name_of(figures.period) for figures in computed]
            await connection.execute(delete(snapshots).where(snapshots.c.name.in_(names)))
            rows = [
                {
                    "name": name_of(figures.period),
                    "computed_at": figures.computed_at,
                    "payload": to_json(figures),
                }
                for figures in computed
            ]
            await connection.execute(insert(snapshots), rows)

        await ShortTransactions(self._database).run(store)
        return computed


def name_of(period: Period) -> str:
    """Under which name the figures of `period` are stored, and cached."""
    return f"figures:{period.name.lower()}"

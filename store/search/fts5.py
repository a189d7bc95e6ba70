"""SQLite's FTS5 (sqlite.org/fts5.html): virtual tables that keep the index alone, and no text.

Before SQLite 3.43, such a table cannot forget a single document. So there is one for each chapter of positions,
which goes as a whole when retention has deleted the last of its events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Integer,
    TableClause,
    Text,
    column,
    delete,
    exists,
    insert,
    literal,
    select,
    table,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from store.search.engine import Document
from store.search.grams import BLOCK
from store.tables import events

CHAPTER = 1 << 14
"""Blocks in a chapter: 262,144 events, some 17 MB. Merging what it consists of never takes long."""
_PREFIX, _DISCARDED = "event_search_", "event_search_discarded_"
_AT_ONCE = 50
"""Chapters that one statement asks; SQLite takes 500."""
_PAGES_AT_ONCE = 100
"""Pages of the index, of 4 KB, that are freed in one transaction."""
_LAST_OF_STRUCTURE = 10
"""The rows of averages and of the structure (fts5_index.c, FTS5_STRUCTURE_ROWID), without which no table is opened."""
_HAS_MODULE = text("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'")
_NAMES = text(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB 'event_search_*' AND sql LIKE 'CREATE VIRTUAL%'"
)


class Fts5:
    """The chapters of a file. Its kind of `store.search.engine.SearchEngine`."""

    async def hindrance(self, connection: AsyncConnection) -> str | None:
        """FTS5 is an option when SQLite is compiled."""
        found = (await connection.execute(_HAS_MODULE)).scalar()
        return None if found else "this SQLite was built without FTS5"

    async def find(
        self, connection: AsyncConnection, words: Sequence[str], below: int, limit: int
    ) -> list[int]:
        """From the latest chapter back."""
        found: list[int] = []
        chapters = _chapters(await _names(connection))
        names = [
            f"{_PREFIX}{chapter}" for chapter in sorted(chapters, reverse=True) if chapter * CHAPTER < below
        ]
        for start in range(0, len(names), _AT_ONCE):
            asked = [
                select(chapter.c.rowid).where(
                    column(chapter.name).op("MATCH")(" ".join(words)), chapter.c.rowid < below
                )
                for chapter in map(_table, names[start : start + _AT_ONCE])
            ]
            statement = union_all(*asked).limit(limit - len(found))
            found += (await connection.execute(statement)).scalars()
            if len(found) == limit:
                break
        return found

    async def add(self, connection: AsyncConnection, documents: Sequence[Document]) -> None:
        """A chapter is created with its first document."""
        known = _chapters(await _names(connection))
        rows: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        for block, words in documents:
            rows[block // CHAPTER].append({"rowid": block, "grams": words})
        for chapter, added in rows.items():
            name = f"{_PREFIX}{chapter}"
            if chapter not in known:
                await _create(connection, name)
            await connection.execute(insert(_table(name)), added)

    async def reset(self, connection: AsyncConnection) -> None:
        """All chapters are put aside."""
        names = await _names(connection)
        for chapter in _chapters(names):
            names.append(await _discard(connection, chapter, names))

    async def clean(self, connection: AsyncConnection, place: int) -> int | None:
        """One step: a chapter is put aside, or some pages of one that was are freed, or it is dropped."""
        names = await _names(connection)
        for name in names:
            if name.startswith(_DISCARDED):
                if not await _free(connection, name):
                    await connection.exec_driver_sql(f"DROP TABLE {name}")
                return place
        for chapter in sorted(_chapters(names)):
            if chapter * CHAPTER >= place:
                if not await _has_events(connection, chapter):
                    await _discard(connection, chapter, names)
                    return chapter * CHAPTER
                return (chapter + 1) * CHAPTER
        return None


async def _names(connection: AsyncConnection) -> list[str]:
    return list((await connection.execute(_NAMES)).scalars())


def _chapters(names: Sequence[str]) -> set[int]:
    numbers = (name.removeprefix(_PREFIX) for name in names)
    return {int(number) for number in numbers if number.isdecimal()}


def _table(name: str) -> TableClause:
    return table(name, column("rowid", Integer), column("grams", Text))


async def _create(connection: AsyncConnection, name: str) -> None:
    await connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {name} USING fts5(grams, content='', detail=none, columnsize=0, tokenize='ascii')"
    )
    # Merging more at once, and less often, makes the longest transaction half as long.
    options = table(name, column(name, Text), column("rank", Integer))
    await connection.execute(insert(options).values({name: "automerge", "rank": 8}))


async def _discard(connection: AsyncConnection, chapter: int, names: Sequence[str]) -> str:
    """Rename a chapter, so that nothing looks into it any more and `clean` takes it away in small steps."""
    discarded = [name.removeprefix(_DISCARDED) for name in names if name.startswith(_DISCARDED)]
    name = f"{_DISCARDED}{1 + max((int(number) for number in discarded), default=0)}"
    await connection.exec_driver_sql(f"ALTER TABLE {_PREFIX}{chapter} RENAME TO {name}")
    return name


async def _free(connection: AsyncConnection, name: str) -> bool:
    """Free some pages of a chapter that was put aside; False when there are none left."""
    pages = table(f"{name}_data", column("id", Integer))
    some = select(pages.c.id).where(pages.c.id > _LAST_OF_STRUCTURE).limit(_PAGES_AT_ONCE)
    return bool((await connection.execute(delete(pages).where(pages.c.id.in_(some)))).rowcount)


async def _has_events(connection: AsyncConnection, chapter: int) -> bool:
    first = chapter * CHAPTER * BLOCK
    within = exists(literal(1)).where(events.c.position.between(first, first + CHAPTER * BLOCK - 1))
    return bool((await connection.execute(select(within))).scalar())

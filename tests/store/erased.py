"""All that a store holds, as text to look for somebody in; and a process that erases an actor."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from sqlalchemy import select

from store.database import Database
from store.tables import metadata
from tests.store.on_a_word import on_a_word

ROOT = Path(__file__).parents[2]
ERASER = """
import asyncio, sys
from pathlib import Path
from store import short_transactions
from store.erasure import Identity, erase
from store.events import EventStore

# A transaction for every few events.
short_transactions.HOLD_SECONDS = 0
short_transactions.FIRST_STEP = short_transactions.LONGEST_STEP = 10

def say(changed):
    print(changed, flush=True)

async def main(url, who, *spools):
    async with await EventStore.open(url) as store:
        print("ready", flush=True)
        sys.stdin.readline()
        erased = await erase(store, Identity.read(who), spools=[Path(spool) for spool in spools], progress=say)
        print("erased", erased.total, erased.pseudonym, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def eraser(url: str, who: str, *spools: Path) -> AbstractAsyncContextManager[asyncio.subprocess.Process]:
    """A process that erases `who` once it reads a line. It prints how far it is, and is killed in the end."""
    return on_a_word(ERASER, url, who, *map(str, spools))


async def everything(database: Database) -> str:
    """Every value of every row of every table that evtop knows."""
    lines: list[str] = []
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            lines += [f"{table.name} {row!r}" for row in (await connection.execute(select(table))).all()]
    return "\n".join(lines)


def bytes_of(folder: Path) -> bytes:
    """What is in all files of a folder, and of those in it."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())

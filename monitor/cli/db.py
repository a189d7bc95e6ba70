"""`evtop db`: the database itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import Demo, Output, chosen_settings, fail, run_to_end, write, write_json

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.settings import Settings
    from store.search.building import Indexed
    from store.status import StoreStatus

app = typer.Typer(
    help="The database: what is in it, and its schema.", no_args_is_help=True, rich_markup_mode=None
)
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


@app.command()
def status(
    output: Annotated[
        Output, typer.Option("--output", "-o", help="Plain text, or a JSON object.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Say what the store is like. Nothing is created, and nothing is changed."""
    found = run_to_end(_status(chosen_settings(demo)))
    if output is Output.JSON:
        from dataclasses import asdict

        write_json({**asdict(found), "advice": _advice(found)})
        return
    for name, value in _lines(found):
        write(f"{name:14} {value}")


@app.command()
def upgrade(demo: Demo = False) -> None:
    """Bring the schema up to date. Every command that opens the store does, unless it only looks at it."""
    before, after = run_to_end(_upgrade(chosen_settings(demo)))
    if before == after:
        write(f"version {after} already")
    else:
        write(f"version {before or 'none'} → {after}")


@app.command()
def index(demo: Demo = False) -> None:
    """Bring the full-text index up to the last events, beside everything else. It may be cut short.

    Words are found without it, too; rare ones take longer then.
    """
    indexed = run_to_end(_index(chosen_settings(demo)))
    if indexed.hindrance is not None:
        fail(f"no full-text index: {indexed.hindrance}")
    write(f"indexed up to position {indexed.position:,} of {indexed.last:,}")


@app.command()
def partition(demo: Demo = False) -> None:
    """Split a PostgreSQL store by month, so that retention drops whole months. There must be no events in it yet."""
    names = run_to_end(_partition(chosen_settings(demo)))
    write(f"{len(names)} partitions: {', '.join(names)}")


async def _status(settings: Settings) -> StoreStatus:
    from store.status import store_status

    return await store_status(settings.store)


async def _upgrade(settings: Settings) -> tuple[str | None, str | None]:
    from store.database import Database

    database = await Database.connect(settings.store)
    try:
        before = await database.version()
        await database.migrate()
        return before, await database.version()
    finally:
        await database.close()


async def _index(settings: Settings) -> Indexed:
    from monitor.cli.progress import Progress
    from store.database import Database
    from store.search.building import build_search_index

    database, progress = await Database.open(settings.store), Progress()

    def show(indexed: Indexed) -> None:
        progress.show(lambda: f"indexed up to position {indexed.position:,} of {indexed.last:,}")

    try:
        return await build_search_index(database, show)
    finally:
        progress.clear()
        await database.close()


async def _partition(settings: Settings) -> Sequence[str]:
    from store.database import Database
    from store.partitions import partition

    database = await Database.open(settings.store)
    try:
        return await partition(database)
    finally:
        await database.close()


def _lines(found: StoreStatus) -> list[tuple[str, str]]:
    lines = [("store", found.place), ("database", found.dialect)]
    version = found.version or "none"
    lines.append(("schema", version if found.is_current else f"{version}; this evtop knows {found.known}"))
    if found.events is not None:
        lines.append(("events", f"{found.events:,}"))
    lines += [(name, _moment(at)) for name, at in (("oldest", found.oldest), ("newest", found.newest)) if at]
    if found.last_position is not None:
        lines.append(("last position", str(found.last_position)))
    if found.indexed is not None:
        lines.append(("text index", f"up to position {found.indexed}"))
    if found.dead_letters is not None:
        lines.append(("dead letters", f"{found.dead_letters:,}"))
    if found.size is not None:
        lines.append(("size", size_text(found.size)))
    if found.partitioned:
        lines.append(("partitions", "by month"))
    advice = _advice(found)
    if advice is not None:
        lines.append(("to do", advice))
    return lines


def _advice(found: StoreStatus) -> str | None:
    if found.is_newer:
        return "use a newer evtop: a later version has migrated this store"
    if found.version is None:
        return "nothing is stored yet; the first event creates the tables, or `evtop db upgrade`"
    if not found.is_current:
        return "`evtop db upgrade`; otherwise the next program that opens the store does it"
    if found.dead_letters:
        return "`evtop dead-letters list` shows what could not be stored"
    return None


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def size_text(size: float) -> str:
    """A number of bytes for people: `312.4 KiB`."""
    unit = 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} bytes"

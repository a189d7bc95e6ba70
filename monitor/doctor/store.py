"""The store: whether it opens, what may be done with it, and whether its clock and ours agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitor.doctor.finding import Finding, Result
from monitor.doctor.worker import examine_worker
from monitor.settings import Settings
from monitor.zone import age, iso
from store.database import ONLY_READING, Database
from store.errors import StoreError
from store.probe import clock_ahead, try_writing
from store.status import StoreStatus, missing_file, store_status

CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far two clocks may be apart before times on the screen mislead."""


async def examine_store(settings: Settings) -> AsyncIterator[Finding]:
    """Try to open, read and write the store of `settings`; nothing is made or changed."""
    try:
        missing = missing_file(settings.store_url)
        if missing is not None:
            yield _missing(missing)
            return
        status = await store_status(settings.store_url)
    except StoreError as error:
        yield Finding("store", "open", Result.BROKEN, str(error), "check EVTOP_STORE: `evtop config show`")
        return
    size = "" if status.events is None else f", {status.events:,} events"
    yield Finding("store", "open", Result.OK, f"{status.place} ({status.dialect}{size})")
    yield _schema(status)
    if not status.is_current:
        return
    yield _newest(status, datetime.now(UTC))
    try:
        database = await Database.connect(settings.store_url)
    except StoreError as error:
        yield Finding("store", "write", Result.BROKEN, str(error))
        return
    try:
        yield await _write(database)
        yield await _clock(database)
        yield await examine_worker(database)
    finally:
        await database.close()


def _missing(file: Path) -> Finding:
    return Finding(
        *("store", "open", Result.WARNING, f"there is no store at {file} yet"),
        "the first event makes it: from a producer, or by `evtop emit`; otherwise check EVTOP_STORE",
    )


def _schema(status: StoreStatus) -> Finding:
    if status.is_current:
        return Finding("store", "schema", Result.OK, f"version {status.version}, up to date")
    if status.is_newer:
        found = f"version {status.version}, this evtop knows {status.known}"
        return Finding("store", "schema", Result.BROKEN, found, "use a newer evtop")
    found = (
        "no tables yet" if status.version is None else f"version {status.version}, {status.known} is needed"
    )
    return Finding("store", "schema", Result.WARNING, found, "`evtop db upgrade`, as who may write")


def _newest(status: StoreStatus, now: datetime) -> Finding:
    if status.newest is None:
        return Finding("store", "newest event", Result.OK, "none yet")
    found = f"{iso(status.newest, UTC, 'milliseconds')}, {age(status.newest, now)} ago"
    ahead = status.newest - now
    if ahead <= CLOCK_TOLERANCE:
        return Finding("store", "newest event", Result.OK, found)
    return Finding(
        *(
            "store",
            "newest event",
            Result.WARNING,
            f"{iso(status.newest, UTC, 'milliseconds')}, still to come",
        ),
        "the clock of the producer, or the one here, is wrong",
    )


async def _write(database: Database) -> Finding:
    try:
        await try_writing(database)
    except StoreError as error:
        if ONLY_READING in str(error):
            found = "allowed to read only, which is all that the console needs"
            return Finding("store", "write", Result.OK, found)
        return Finding("store", "write", Result.BROKEN, str(error))
    return Finding("store", "write", Result.OK, "allowed (tried, and taken back)")


async def _clock(database: Database) -> Finding:
    try:
        ahead = await clock_ahead(database)
    except StoreError as error:
        return Finding("clock", "store's and ours", Result.BROKEN, str(error))
    if ahead is None:
        return Finding("clock", "store's and ours", Result.SKIPPED, "the store has none of its own")
    seconds = abs(ahead).total_seconds()
    if abs(ahead) <= CLOCK_TOLERANCE:
        return Finding("clock", "store's and ours", Result.OK, f"{seconds:.1f} s apart")
    found = f"the store's is {seconds:,.1f} s {'ahead' if ahead > timedelta(0) else 'behind'}"
    return Finding("clock", "store's and ours", Result.WARNING, found, "set both by NTP (`timedatectl`)")

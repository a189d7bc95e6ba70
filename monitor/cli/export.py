"""`evtop export`: stored events to a file."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import aclosing, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from monitor.cli.ending import tidy_end
from monitor.cli.options import Demo, ShowPersonal, chosen_settings, fail, run_to_end, say, write
from monitor.cli.progress import Progress
from monitor.cli.selection import (
    ExitCode,
    Query,
    Since,
    Until,
    Zone,
    chosen_events,
    chosen_zone,
    found_status,
)
from monitor.cli.zones import ZoneName
from monitor.errors import StartError

if TYPE_CHECKING:
    from monitor.export.formats import EventWriter, Format
    from monitor.settings import Settings
    from store.event_filter import EventFilter

STDOUT = "-"
SOME_UNREADABLE = 3
"""The exit status when the export went through, and rows of the store that are no events were left out."""


class ExportFormat(StrEnum):
    """What the file is: `monitor.export.formats.Format`, which costs too much for `--help`."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


def export(
    to: Annotated[str, typer.Option("--to", metavar="FILE", help="The file; - for stdout.")],
    query: Query = None,
    since: Since = None,
    until: Until = None,
    output: Annotated[
        ExportFormat | None,
        typer.Option("--output", "-o", help="What the file is; by default as its extension says."),
    ] = None,
    zone: ZoneName = None,
    exit_code: ExitCode = False,
    show_personal: ShowPersonal = False,
    demo: Demo = False,
) -> None:
    """Write stored events to a file, oldest first, however many they are.

    .ndjson and .jsonl: one JSON object a line, which `evtop import` takes. .csv: for spreadsheets; metadata is JSON
    in one column, control characters are shown as on the screen, and a cell that would be a formula (= + - @) begins
    with an apostrophe. .parquet: typed columns. Times are in UTC, those in CSV in --zone.

    The file is there when all of it is, in place of one of that name, and can be read by its owner alone.

    Personal data is written as stand-ins, the same one for the same value within one file, unless --show-personal.

    Exit status 3 says that rows of the store that are no events were left out.
    """
    form = _format(output, to)
    written_in = chosen_zone(zone)
    chosen = chosen_events(query, since, until, written_in)
    settings = chosen_settings(demo, show_personal=show_personal)
    with suppress(BrokenPipeError):
        # The reader of the pipe has seen enough.
        written, unreadable, size = _exported(settings, chosen, to, form, written_in)
        events = "1 event" if written == 1 else f"{written:,} events"
        if to != STDOUT:
            write(f"{events} written to {to}" + (f" ({_bytes(size)})" if size is not None else ""))
        if unreadable:
            say(f"{unreadable:,} rows that are no events were left out; `evtop tail --malformed` shows them")
        raise typer.Exit(SOME_UNREADABLE if unreadable else found_status(written, exit_code))


def _format(output: ExportFormat | None, to: str) -> Format:
    from monitor.export.formats import Format, format_of, require

    form = format_of(to) if output is None else Format(output)
    if form is None:
        fail(f"--to {to}: say what it is: -o {', -o '.join(Format)}")
    if form is Format.PARQUET and to == STDOUT and os.isatty(1):
        fail("Parquet is not for a terminal; --to names a file")
    try:
        require(form)
    except StartError as error:
        fail(str(error))
    return form


def _exported(
    settings: Settings, chosen: EventFilter, to: str, form: Format, zone: Zone
) -> tuple[int, int, int | None]:
    """Events written, rows left out, and bytes of the file, if it is one."""
    from monitor.export.formats import writer_of

    try:
        with _opened(to) as file:
            written, unreadable = run_to_end(_export(settings, chosen, writer_of(form, file, zone.written)))
    except OSError as error:
        if to == STDOUT:
            raise
        fail(str(error))
    path = Path(to)
    return written, unreadable, path.stat().st_size if to != STDOUT and path.is_file() else None


@contextmanager
def _opened(to: str) -> Generator[BinaryIO]:
    """The file, or stdout as bytes: what is written to it is clean already, or for programs alone."""
    if to == STDOUT:
        with open(1, "wb", closefd=False) as file:
            yield file
        return
    from monitor.export.new_file import new_file

    with new_file(Path(to)) as file:
        yield file


async def _export(settings: Settings, chosen: EventFilter, writer: EventWriter) -> tuple[int, int]:
    from monitor.backend import open_store
    from monitor.export.exporting import export, stored_events

    progress = _ExportProgress()
    with tidy_end():
        async with await open_store(settings, announce=False, create=False) as store:
            # Only where that costs nothing: to count anything else, the store would be read twice.
            if progress.is_shown and chosen.is_counted:
                progress.total = await store.count(chosen)
            try:
                async with aclosing(stored_events(store.repository, chosen)) as batches:
                    written = await export(batches, writer, progress.show_written)
            finally:
                progress.clear()
            return written, store.repository.unreadable


class _ExportProgress(Progress):
    """How many of how many, and how fast."""

    def __init__(self) -> None:
        super().__init__()
        self.total: int | None = None
        self._began = time.monotonic()

    def show_written(self, written: int) -> None:
        """Say how many events were written."""
        self.show(lambda: self._line(written))

    def _line(self, written: int) -> str:
        from monitor.export.job import progress_text

        return progress_text(written, self.total, time.monotonic() - self._began)


def _bytes(size: int) -> str:
    from monitor.cli.db import size_text

    return size_text(size)

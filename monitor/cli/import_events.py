"""`evtop import`: events from a file."""

from __future__ import annotations

import asyncio
import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from monitor.cli.mapping import read_mapping
from monitor.cli.options import Demo, Output, chosen_settings, fail, run_to_end, say, write, write_json
from monitor.cli.progress import Progress
from store.bus_url import EMBEDDED

if TYPE_CHECKING:
    from monitor.settings import Settings
    from store.importing.importer import ImportCounts
    from store.importing.mapping import FieldMapping
    from store.importing.reject_file import RejectFile

STDIN = "-"
SOME_REJECTED = 3
"""The exit status when the import went through, and lines were rejected."""


class Format(StrEnum):
    """What a line of the file is: `store.importing.importer.ImportFormat`, which costs too much for `--help`."""

    NDJSON = "ndjson"
    CLOUDEVENTS = "cloudevents"
    ACTIVITY = "activity"


def import_events(
    source: Annotated[str, typer.Argument(metavar="FILE", help="One JSON object a line; - for stdin.")],
    form: Annotated[
        Format,
        typer.Option("--format", help="What a line is: as `tail -o json` prints it, or of another schema."),
    ] = Format.NDJSON,
    mapping_file: Annotated[
        Path | None,
        typer.Option("--map", metavar="MAP", help="A TOML file that makes events of lines that are none."),
    ] = None,
    reject: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where bad lines go, with the reason; default FILE.rejected."),
    ] = None,
    announce: Annotated[bool, typer.Option(help="Announce the events on the bus, too.")] = False,
    at_import_time: Annotated[
        bool, typer.Option("--at-import-time", help="Take lines without a time as of now.")
    ] = False,
    output: Annotated[
        Output, typer.Option("--output", "-o", help="The summary: plain text, or a JSON object.")
    ] = Output.TEXT,
    demo: Demo = False,
) -> None:
    """Store the events of a file, which may be compressed by gzip.

    Importing it again stores nothing again: events are told apart by id, and a line without one gets an id that
    follows from its content. That takes a time, so that a line without one is rejected, unless --at-import-time.

    Exit status 3 says that lines were rejected, 1 that the import could not go on.
    """
    settings = chosen_settings(demo)
    if mapping_file is not None and form is not Format.NDJSON:
        fail(f"--map is for lines of no format, not for --format {form}")
    mapping = None if mapping_file is None else read_mapping(mapping_file)
    stream = _open(source)
    from store.importing.importer import ImportCounts
    from store.importing.reject_file import RejectFile

    counts = ImportCounts()
    rejected = RejectFile(reject or _default_reject(source))
    try:
        rejected.check()
    except OSError as error:
        fail(f"{error}; --reject names another")
    with stream, rejected:
        run_to_end(
            _import(settings, stream, source, form, mapping, announce, at_import_time, counts, rejected),
            warn=settings.bus != EMBEDDED,
        )
    if output is Output.JSON:
        path = str(rejected.path) if rejected.path else None
        # A path need not be text.
        write_json({**counts.as_dict(), "reject_file": path and os.fsencode(path).decode(errors="replace")})
    else:
        write(_summary(counts) + (f" (see {rejected.path})" if rejected.path else ""))
    raise typer.Exit(SOME_REJECTED if counts.rejected else 0)


async def _import(
    settings: Settings,
    stream: BinaryIO,
    source: str,
    form: Format,
    mapping: FieldMapping | None,
    announce: bool,
    at_import_time: bool,
    counts: ImportCounts,
    rejected: RejectFile,
) -> None:
    from monitor.backend import open_store
    from monitor.errors import StartError
    from store.errors import StoreError
    from store.importing.importer import ImportFormat, import_events
    from store.importing.lines import SourceError

    progress = Progress()
    try:
        async with await open_store(settings, announce=announce) as store:
            await import_events(
                store,
                stream,
                format=ImportFormat(form),
                mapping=mapping,
                at_import_time=at_import_time,
                reject=rejected.write,
                progress=lambda counts: progress.show(lambda: _summary(counts)),
                counts=counts,
            )
    except asyncio.CancelledError:
        progress.clear()
        say(f"stopped after {_summary(counts)}; what is stored stays")
        raise
    except (StoreError, SourceError, OSError) as error:
        progress.clear()
        cause = f"{source}: {error}" if isinstance(error, SourceError) else str(error)
        raise StartError(f"{cause}; stopped after {_summary(counts)}") from None
    progress.clear()


def _open(source: str) -> BinaryIO:
    try:
        if source == STDIN:
            # Its own object: the interpreter waits for `sys.stdin` at its end, as long as a thread reads from it.
            return open(0, "rb", buffering=0, closefd=False)
        return Path(source).open("rb", buffering=0)
    except (OSError, ValueError) as error:
        fail(f"{source}: {error.strerror if isinstance(error, OSError) else error}")


def _default_reject(source: str) -> Path:
    return Path("stdin.rejected") if source == STDIN else Path(f"{source}.rejected")


def _summary(counts: ImportCounts) -> str:
    """How far an import came: `1,204 lines: 1,200 stored, 3 stored before, 1 rejected`."""
    lines = "1 line" if counts.lines == 1 else f"{counts.lines:,} lines"
    return f"{lines}: {counts.stored:,} stored, {counts.duplicates:,} stored before, {counts.rejected:,} rejected"

"""The kinds of file that events are written to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO, Protocol

from monitor.errors import StartError

if TYPE_CHECKING:
    from store.event import Event

COLUMNS = (
    *("inserted_at", "event_type", "category", "severity", "status", "actor_type", "actor_id"),
    *("resource_type", "resource_id", "secondary_resource_type", "secondary_resource_id"),
    *("metadata", "id", "position"),
)
"""The columns of a table of events, in their order: every field of one."""


class Format(StrEnum):
    """A kind of file, by the extension that its name usually has."""

    NDJSON = "ndjson"
    CSV = "csv"
    PARQUET = "parquet"


_BY_EXTENSION = {".jsonl": Format.NDJSON, **{f".{form}": form for form in Format}}


def format_of(name: str) -> Format | None:
    """What the extension of a file's name says; None when it says nothing."""
    return _BY_EXTENSION.get(PurePath(name).suffix.lower())


class EventWriter(Protocol):
    """Writes events to a file that whoever opened it closes. It keeps no more than a part of them in memory."""

    def write(self, events: Sequence[Event]) -> None:
        """Add `events`.

        Raises:
            OSError: the file could not be written.
        """
        ...

    def finish(self) -> None:
        """Write what was kept back, and the end of the file. Nothing can be added after it.

        Raises:
            OSError: the file could not be written.
        """
        ...


def require(form: Format) -> None:
    """Make sure that files of this format can be written here.

    Raises:
        StartError: what it needs is not installed.
    """
    if form is Format.PARQUET:
        from importlib.util import find_spec

        if find_spec("pyarrow") is None:
            raise StartError("Parquet needs pyarrow: install evtop with the extra 'parquet'")


def writer_of(form: Format, file: BinaryIO, zone: tzinfo | None = UTC) -> EventWriter:
    """A writer of `form` to `file`. Times in CSV are those of `zone` (None is the local one), in the others UTC."""
    match form:
        case Format.NDJSON:
            from monitor.export.ndjson import NdjsonWriter

            return NdjsonWriter(file)
        case Format.CSV:
            from monitor.export.csv_rows import CsvWriter

            return CsvWriter(file, zone)
        case Format.PARQUET:
            from monitor.export.parquet import ParquetWriter

            return ParquetWriter(file)

"""Events as Parquet, by pyarrow: typed columns, compressed."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, BinaryIO

from pydantic_core import to_json

from monitor.export.formats import COLUMNS
from monitor.masking import shown_metadata
from store.event import Event

ROWS_MAX = 50_000
"""Rows of a row group, which is kept in memory until it is written, at most."""
BYTES_MAX = 32 * 1024 * 1024
"""Bytes of metadata of one, about: it may be 64 KiB an event."""
_NEVER_NULL = frozenset({"inserted_at", "event_type", "category", "actor_type", "metadata", "id"})


class ParquetWriter:
    """Text columns, `inserted_at` in microseconds UTC, `position` as 64 bits, metadata as JSON in text.

    Raises:
        ImportError: pyarrow is not installed; `monitor.export.formats.require` says so in a line.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._arrow: Any = import_module("pyarrow")
        self._schema = self._arrow.schema([self._field(name) for name in COLUMNS])
        parquet: Any = import_module("pyarrow.parquet")
        # Counted here, as a pipe does not tell where it is.
        self._writer = parquet.ParquetWriter(_Counted(file), self._schema, compression="zstd")
        self._kept: list[Any] = []
        self._rows = self._bytes = 0

    def _field(self, name: str) -> Any:
        kinds = {"inserted_at": self._arrow.timestamp("us", tz="UTC"), "position": self._arrow.int64()}
        return self._arrow.field(
            name, kinds.get(name, self._arrow.string()), nullable=name not in _NEVER_NULL
        )

    def write(self, events: Sequence[Event]) -> None:
        """Add `events`; a row group is written when enough are there."""
        if not events:
            return
        columns = {name: [event.__dict__[name] for event in events] for name in COLUMNS}
        columns["id"] = [str(event.id) for event in events]
        documents = [to_json(shown_metadata(event)).decode() for event in events]
        columns["metadata"] = documents
        self._kept.append(self._arrow.RecordBatch.from_pydict(columns, schema=self._schema))
        self._rows += len(events)
        self._bytes += sum(map(len, documents))
        if self._rows >= ROWS_MAX or self._bytes >= BYTES_MAX:
            self._write_group()

    def finish(self) -> None:
        """Write the last row group, and where all of them are."""
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        if self._kept:
            self._writer.write_table(self._arrow.Table.from_batches(self._kept))
            self._kept.clear()
            self._rows = self._bytes = 0


class _Counted:
    """A file that only writes, and knows where it is."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0

    def write(self, data: bytes) -> int:
        # pyarrow ends a file when its writer is collected, also one that was given up and is closed.
        if not self._file.closed:
            self._file.write(data)
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at

    def flush(self) -> None:
        """Left to whoever closes the file."""

    def close(self) -> None:
        """Whoever opened the file closes it."""

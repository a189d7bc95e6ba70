"""Reading events from a file into a store: line by line, with bounded memory, as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, cast

from pydantic_core import from_json, to_json

from store.adapters.activity import read_activity
from store.adapters.cloudevents import read_cloudevent
from store.adapters.foreign import ForeignEventError, json_kind
from store.event import Event
from store.events import EventStore
from store.importing.lines import BATCH_LINES, LINE_MAX, ByteStream, Line, LineBatches
from store.importing.mapping import FieldMapping, UnmappedError
from store.importing.recurrence import Recurrence
from store.importing.stable_id import stable_id
from store.one_by_one import create_accepted
from store.taxonomy import RefusedEventError, active
from store.wire import MalformedMessageError, decode


class ImportFormat(StrEnum):
    """What a line of the file is."""

    NDJSON = "ndjson"
    """An event in the wire format, as `evtop tail -o json` writes it."""
    CLOUDEVENTS = "cloudevents"
    """A CloudEvent 1.0 in JSON."""
    ACTIVITY = "activity"
    """An event of a media gateway's user activity."""


class Rejection(NamedTuple):
    """A line that became no event, and why, in one line. Of a line over `LINE_MAX` there is only the start."""

    line: Line
    reason: str


@dataclass(slots=True)
class ImportCounts:
    """How far an import came: `lines = blank + stored + duplicates + rejected`, after each batch."""

    lines: int = 0
    blank: int = 0
    stored: int = 0
    duplicates: int = 0
    rejected: int = 0

    def as_dict(self) -> dict[str, int]:
        """By name."""
        return asdict(self)


async def import_events(
    store: EventStore,
    stream: ByteStream,
    *,
    format: ImportFormat = ImportFormat.NDJSON,  # noqa: A002
    mapping: FieldMapping | None = None,
    at_import_time: bool = False,
    recurrence: Recurrence | None = None,
    reject: Callable[[Sequence[Rejection]], object] = lambda rejections: None,
    progress: Callable[[ImportCounts], object] = lambda counts: None,
    counts: ImportCounts | None = None,
    batch_lines: int = BATCH_LINES,
) -> ImportCounts:
    """Store the events that the lines of `stream` hold, `batch_lines` in one transaction.

    Importing the same file again stores nothing again: events are told apart by id, and a line that has none gets
    one that follows from its content, its time and how often the same line came before. `store` announces them, if
    it has a bus.

    Args:
        store: Where to.
        stream: A file or a pipe, which may be compressed by gzip. It is read on a thread of its own.
        format: What a line is.
        mapping: Makes events of lines that are none, in place of `format`.
        at_import_time: Take a line that has no time as of now. Such a line is stored again by the next import,
            unless it has an id; without this it is rejected.
        recurrence: Where lines without an id are remembered; with one for several imports, a line that is in two of
            them is two events.
        reject: Is told of the lines of a batch that became no event.
        progress: Is told how far it came, after each batch.
        counts: What to count in: it says how far an import came that was cut short.
        batch_lines: Lines in a transaction.

    Raises:
        SourceError: the file cannot be read on.
        StoreError: the database failed. The batches before are stored.
        OSError: there is no room for the temporary file in which lines without an id are remembered.
    """
    counts = ImportCounts() if counts is None else counts
    with ExitStack() as resources:
        if recurrence is None:
            recurrence = resources.enter_context(Recurrence())
        reader = _Reader(format, mapping, at_import_time, recurrence)
        async for batch in LineBatches(stream, batch_lines):
            events: list[Event] = []
            lines: list[Line] = []
            rejections: list[Rejection] = []
            blank = 0
            for line in batch:
                if not line.content and not line.is_too_long:
                    blank += 1
                    continue
                try:
                    events.append(reader.event_of(line))
                    lines.append(line)
                except _LineError as error:
                    rejections.append(Rejection(line, str(error)))
            outcome = await create_accepted(store, events)
            rejections += (Rejection(lines[place], reason) for place, reason in outcome.refused)
            # First, for what is stored stays stored though the rest cannot be told.
            counts.lines += len(batch)
            counts.blank += blank
            counts.stored += outcome.stored
            counts.duplicates += outcome.duplicates
            counts.rejected += len(rejections)
            if rejections:
                rejections.sort(key=lambda rejection: rejection.line.number)
                reject(rejections)
            progress(counts)
    return counts


class _LineError(Exception):
    """A line that is no event. The message is one line that says why."""


class _Reader:
    """Makes events of lines of one format."""

    def __init__(
        self,
        format: ImportFormat,  # noqa: A002
        mapping: FieldMapping | None,
        at_import_time: bool,
        recurrence: Recurrence,
    ) -> None:
        self._format = format
        self._mapping = mapping
        self._at_import_time = at_import_time
        self._recurrence = recurrence

    def event_of(self, line: Line) -> Event:
        """The event that `line` holds, as the taxonomy admits it.

        Raises:
            _LineError: it holds none.
        """
        if line.is_too_long:
            raise _LineError(f"{line.size} bytes, over {LINE_MAX}")
        fields = _object(line.content)
        try:
            return active().admit(self._read(line.content, fields))
        except (MalformedMessageError, ForeignEventError, RefusedEventError, UnmappedError) as error:
            raise _LineError(str(error)) from None
        except (ValueError, RecursionError, OverflowError) as error:
            raise _LineError(type(error).__name__) from None

    def _read(self, content: bytes, fields: dict[str, Any]) -> Event:
        if self._mapping is not None:
            mapped = self._mapping.apply(fields)
            return self._with_id(decode(to_json(mapped)).event, content, mapped)
        match self._format:
            case ImportFormat.ACTIVITY:
                return read_activity(fields, received_at=datetime.now(UTC) if self._at_import_time else None)
            case ImportFormat.CLOUDEVENTS:
                event = read_cloudevent(fields)
                self._refuse_missing_time(fields, "time")
                return event
            case ImportFormat.NDJSON:
                return self._with_id(decode(content).event, content, fields)

    def _with_id(self, event: Event, content: bytes, fields: dict[str, Any]) -> Event:
        self._refuse_missing_time(fields, "inserted_at")
        if "id" in fields:
            return event
        occurrence = self._recurrence.count(content)
        return event.model_copy(update={"id": stable_id(event.inserted_at, content, occurrence)})

    def _refuse_missing_time(self, fields: dict[str, Any], name: str) -> None:
        if fields.get(name) in (None, "") and not self._at_import_time:
            raise _LineError(f"{name} is missing, so that each import would store another event")


def _object(content: bytes) -> dict[str, Any]:
    """The JSON object that `content` is.

    Raises:
        _LineError: it is none.
    """
    if b"\x00" in content:
        raise _LineError("not UTF-8 JSON: it has NUL bytes, as UTF-16 would")
    try:
        value = from_json(content)
    except (ValueError, RecursionError) as error:
        try:
            content.decode()
        except UnicodeDecodeError:
            raise _LineError("not UTF-8") from None
        raise _LineError(f"not JSON: {str(error).replace('line 1 column', 'column')}") from None
    if not isinstance(value, dict):
        raise _LineError(f"an event must be an object, not {json_kind(value)}")
    return cast("dict[str, Any]", value)

"""Events as CSV (RFC 4180, lines that end with LF), safe to open in a spreadsheet and to print on a terminal.

One event is one line: of control characters and all that is invisible, pictures and escapes are written, as on the
screen. Metadata is JSON in one column. A cell that a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from io import StringIO
from typing import Any, BinaryIO

from pydantic_core import to_json

from monitor.ascii_json import ascii_json
from monitor.export.formats import COLUMNS
from monitor.masking import shown_event
from monitor.text import clean
from monitor.zone import iso
from store.event import Event

FORMULA_PREFIX = "'"
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
"""How a cell begins that spreadsheets calculate rather than show, after owasp.org/www-community/attacks/CSV_Injection;
blanks before it, which some of them drop, and the wide forms of the signs included."""


def csv_cell(text: str) -> str:
    """`text` as a cell: cleaned, and an apostrophe before what would be a formula."""
    return f"{FORMULA_PREFIX}{clean(text)}" if _FORMULA.match(text) else clean(text)


def csv_line(cells: Iterable[str]) -> str:
    """Cells as one line without its end, clean whatever is in them: `csv_cell` makes those of event text."""
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return clean(line.getvalue())


def event_line(event: Event, zone: tzinfo | None = UTC) -> str:
    """`event` as one line, its time in `zone` to the microsecond; an empty cell is a field that it has not."""
    fields = shown_event(event).__dict__
    return csv_line([_cell(name, fields[name], zone) for name in COLUMNS])


def _cell(name: str, value: Any, zone: tzinfo | None) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso(value, zone)
    if name == "metadata":
        return _metadata(value)
    return str(value) if name in {"id", "position"} else csv_cell(str(value))


def _metadata(metadata: dict[str, Any]) -> str:
    document = to_json(metadata).decode()
    # Escapes of JSON's own, so that it remains JSON.
    return document if clean(document) == document else ascii_json(document)


class CsvWriter:
    """A header, then one line an event."""

    def __init__(self, file: BinaryIO, zone: tzinfo | None = UTC) -> None:
        self._file = file
        self._zone = zone
        self._begun = False

    def write(self, events: Sequence[Event]) -> None:
        """Add `events`, one line each."""
        self._begin()
        self._file.write("".join([f"{event_line(event, self._zone)}\n" for event in events]).encode())

    def finish(self) -> None:
        """Of no events, the header alone is written."""
        self._begin()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._file.write(f"{csv_line(COLUMNS)}\n".encode())

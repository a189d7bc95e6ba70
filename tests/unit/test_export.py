"""Events as files: what is in them, and that they are whole or not there."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import stat
import threading
from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.export import parquet
from monitor.export.csv_rows import csv_cell, csv_line, event_line
from monitor.export.exporting import export
from monitor.export.formats import COLUMNS, Format, format_of, writer_of
from monitor.export.job import progress_text
from monitor.export.new_file import new_file
from monitor.text import clean
from monitor.widgets.progress_line import progress_bar
from store.event import Event
from store.wire import decode
from tests.console.unusable import HOSTILE
from tests.events import make_event, make_events
from tests.waiting import until

FULL = make_event(
    7,
    event_type="download.failed",
    severity="error",
    status="failed",
    actor_type="user",
    actor_id="mø",
    resource_type="download",
    resource_id="9f3a",
    secondary_resource_type="series",
    secondary_resource_id="a,b",
    metadata={"note": "über", "n": [1, None]},
    position=3,
)


def written(form: Format, *batches: Sequence[Event], **options: Any) -> bytes:
    file = BytesIO()
    writer = writer_of(form, file, **options)
    for batch in batches:
        writer.write(batch)
    writer.finish()
    return file.getvalue()


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(content.decode(), newline="")))


def table(content: bytes) -> list[dict[str, Any]]:
    from pyarrow import BufferReader
    from pyarrow.parquet import read_table

    return read_table(BufferReader(content)).to_pylist()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.ndjson", Format.NDJSON),
        ("/x.csv/a.JSONL", Format.NDJSON),
        ("a.b.csv", Format.CSV),
        ("a.parquet", Format.PARQUET),
        ("csv", None),
        (".csv", None),
        ("a.csv.gz", None),
        ("", None),
    ],
)
def test_the_extension_says_what_a_file_is(name: str, form: Format | None) -> None:
    assert format_of(name) == form


def test_columns_are_the_fields_of_an_event() -> None:
    assert sorted(COLUMNS) == sorted(Event.model_fields)


def test_ndjson_brings_every_event_back() -> None:
    events = [FULL, make_event(8, metadata={HOSTILE: HOSTILE}, status=HOSTILE)]
    content = written(Format.NDJSON, events[:1], events[1:])
    assert content.isascii()
    assert content.decode().replace("\n", "").isprintable()
    assert [decode(line).event for line in content.splitlines()] == events


def test_csv_has_a_header_and_a_line_for_each_event() -> None:
    content = written(Format.CSV, [FULL], [make_event(8)], zone=ZoneInfo("Europe/Berlin"))
    assert content.decode().splitlines()[0] == ",".join(COLUMNS)
    first, second = rows(content)
    assert first == {
        "inserted_at": "2026-11-21T13:00:07.000000+01:00",
        "event_type": "download.failed",
        "category": "downloads",
        "severity": "error",
        "status": "failed",
        "actor_type": "user",
        "actor_id": "mø",
        "resource_type": "download",
        "resource_id": "9f3a",
        "secondary_resource_type": "series",
        "secondary_resource_id": "a,b",
        "metadata": '{"note":"über","n":[1,null]}',
        "id": str(FULL.id),
        "position": "3",
    }
    assert (second["resource_type"], second["position"], second["metadata"]) == ("", "", "{}")
    assert event_line(FULL, UTC).startswith("2026-11-21T12:00:07.000000Z,download.failed,")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        *((f"{sign}1+2", f"'{sign}1+2") for sign in "=+-@＝＋－＠"),
        (" =1", "' =1"),
        ("\t=1", "' =1"),
        ("\tx", "' x"),
        ("\rx", "'␍x"),
        ("\nx", "'↵x"),
        ("a=1", "a=1"),
        ("9-3", "9-3"),
        ("", ""),
        ("'x", "'x"),
    ],
)
def test_a_cell_that_would_be_a_formula_begins_with_an_apostrophe(text: str, cell: str) -> None:
    assert csv_cell(text) == cell


def test_every_column_of_text_is_kept_from_being_a_formula() -> None:
    named = {
        name: "=1"
        for name in COLUMNS
        if name not in {"inserted_at", "id", "position", "metadata", "event_type", "actor_type", "severity"}
    }
    [row] = rows(written(Format.CSV, [make_event(1, **named, metadata={"=1": "=1"})]))
    assert {row[name] for name in named} == {"'=1"}
    assert row["metadata"] == '{"=1":"=1"}'


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=2))
def test_csv_is_one_clean_line_an_event_and_its_metadata_json(
    a: str, b: str, metadata: dict[str, str]
) -> None:
    event = FULL.model_copy(update={"status": a, "resource_id": b, "metadata": metadata})
    line = event_line(event)
    assert clean(line) == line
    assert "\n" not in line
    [cells] = csv.reader([line])
    assert len(cells) == len(COLUMNS)
    found = dict(zip(COLUMNS, cells, strict=True))
    assert found["status"] == csv_cell(a)
    assert found["resource_id"] == csv_cell(b)
    try:
        b"".join(text.encode() for pair in metadata.items() for text in pair)
    except UnicodeEncodeError:
        return
    assert json.loads(found["metadata"]) == metadata


def test_a_line_of_cells_is_clean_whatever_is_in_them() -> None:
    line = csv_line(["\x1b[2J", "a\nb", 'say "x", y'])
    assert line == '␛[2J,a↵b,"say ""x"", y"'


def test_parquet_has_typed_columns_and_as_many_row_groups_as_bound_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    monkeypatch.setattr(parquet, "ROWS_MAX", 4)
    content = written(Format.PARQUET, make_events(3), make_events(3, 3), [FULL], [])
    found = table(content)
    assert list(found[0]) == list(COLUMNS)
    assert found[6]["inserted_at"] == FULL.inserted_at
    assert (found[6]["position"], found[0]["position"]) == (3, None)
    assert found[6]["id"] == str(FULL.id)
    assert json.loads(found[6]["metadata"]) == FULL.metadata
    assert (found[6]["severity"], found[6]["actor_type"]) == ("error", "user")
    assert [row["inserted_at"] for row in found[:6]] == [event.inserted_at for event in make_events(6)]
    file = ParquetFile(BufferReader(content))
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [6, 1]


def test_much_metadata_makes_a_row_group_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    monkeypatch.setattr(parquet, "BYTES_MAX", 100)
    large = make_event(1, metadata={"x": "y" * 200})
    assert ParquetFile(BufferReader(written(Format.PARQUET, [large], [large]))).num_row_groups == 2


@pytest.mark.parametrize("form", Format)
def test_of_no_events_there_is_a_file_too(form: Format) -> None:
    content = written(form)
    match form:
        case Format.NDJSON:
            assert content == b""
        case Format.CSV:
            assert rows(content) == []
            assert content.decode() == ",".join(COLUMNS) + "\n"
        case Format.PARQUET:
            assert table(content) == []


# Whole, or not there


def test_a_file_is_there_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    with new_file(path) as file:
        file.write(b"x")
        assert not path.exists()
        assert len(list(tmp_path.iterdir())) == 1
    assert path.read_bytes() == b"x"
    assert list(tmp_path.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def interrupted(path: Path) -> None:
    with new_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_what_was_there_stays_until_then_and_gives_its_mode(tmp_path: Path) -> None:
    path, link = tmp_path / "events.csv", tmp_path / "link"
    path.write_bytes(b"before")
    path.chmod(0o644)
    link.symlink_to(path)
    with pytest.raises(KeyboardInterrupt):
        interrupted(link)
    assert path.read_bytes() == b"before"
    with new_file(link) as file:
        file.write(b"after")
    assert link.is_symlink()
    assert path.read_bytes() == b"after"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert sorted(tmp_path.iterdir()) == [path, link]


def test_a_device_is_written_to_and_stays_one() -> None:
    with new_file(Path(os.devnull)) as file:
        file.write(b"x")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_where_no_file_can_be_is_said(tmp_path: Path) -> None:
    for path, reason in (
        (tmp_path, "Is a directory"),
        (tmp_path / "no" / "x", "No such file or directory"),
        (Path("/dev/full"), "No space left on device"),
    ):
        with pytest.raises(OSError, match=f"^cannot write {path}: {reason}$"), new_file(path) as file:
            file.write(b"x")


async def batches_of(*batches: Sequence[Event]) -> AsyncIterator[Sequence[Event]]:
    for batch in batches:
        yield batch


async def test_progress_is_told_after_each_batch() -> None:
    file, told = BytesIO(), list[int]()
    batches = batches_of(make_events(2), make_events(3, 2))
    assert await export(batches, writer_of(Format.NDJSON, file), told.append) == 5
    assert told == [2, 5]
    assert len(file.getvalue().splitlines()) == 5


class Slow:
    """A writer that is in the middle of a batch until told otherwise."""

    def __init__(self) -> None:
        self.begun, self.may_end, self.is_done = threading.Event(), threading.Event(), False

    def write(self, events: Sequence[Event]) -> None:
        self.begun.set()
        assert self.may_end.wait(10)
        self.is_done = True

    def finish(self) -> None:
        raise AssertionError("cancelled before")


async def test_a_cancelled_export_lets_go_of_the_file_before_it_ends() -> None:
    writer = Slow()
    running = asyncio.create_task(export(batches_of(make_events(1)), writer))
    await until(writer.begun.is_set)
    running.cancel()
    await asyncio.sleep(0)
    assert not running.done()
    writer.may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert writer.is_done


def test_a_file_that_is_there_stays_where_none_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with new_file(path, replaces=False) as file:
        file.write(b"first")
    with pytest.raises(FileExistsError, match="File exists"), new_file(path, replaces=False):
        pytest.fail("it was written")
    path.unlink()
    # One that comes while it is written.
    with pytest.raises(FileExistsError, match=str(path)), new_file(path, replaces=False):
        path.write_text("mine")
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_no_file_is_replaced_either_where_files_cannot_have_two_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    path = tmp_path / "a.csv"
    with new_file(path, replaces=False) as file:
        file.write(b"first")
    assert path.read_bytes() == b"first"
    path.unlink()
    with pytest.raises(FileExistsError), new_file(path, replaces=False):
        path.write_text("mine")
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("written", "total", "text"),
    [
        (12_000, 40_000, "12,000 of 40,000 (30 %) events, 6,000/s"),
        (12_000, None, "12,000 events, 6,000/s"),
        (3, 2, "3 of 3 (100 %) events, 2/s"),
        (0, 0, "0 events, 0/s"),
    ],
)
def test_how_far_it_is_is_told_in_numbers(written: int, total: int | None, text: str) -> None:
    assert progress_text(written, total, 2.0) == text


def test_the_bar_is_full_at_the_end_alone() -> None:
    assert progress_bar(0.999, 10) == [("━" * 9, "strong"), ("─", "dim")]
    assert progress_bar(1.0, 10) == [("━" * 10, "strong"), ("", "dim")]
    assert progress_bar(None, 10) == progress_bar(0.5, 4) == []

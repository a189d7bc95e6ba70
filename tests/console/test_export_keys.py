"""Taking what the filter shows to a file, from the console: where to, how far, given up, refused."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.export import job
from monitor.screens.live import LiveScreen
from monitor.screens.question import Question
from monitor.widgets.progress_line import ProgressLine
from store.errors import StoreUnavailableError
from store.event import Event
from tests.console.conftest import Opened, Operator
from tests.events import NOON, make_events


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that evtop is started in."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The store tells no second page before this is set."""
    opened, pages = asyncio.Event(), job.stored_events

    async def slow(*args: Any, **_options: Any) -> AsyncGenerator[Sequence[Event]]:
        async for page in pages(*args, page=50):
            yield page
            await opened.wait()

    monkeypatch.setattr(job, "stored_events", slow)
    return opened


async def export_to(operator: Operator, name: str) -> None:
    """Answer the prompt with `name` in place of what it suggests."""
    await operator.press("ctrl+e", "ctrl+u", *name, "enter")


def told(operator: Operator, text: str) -> bool:
    """Whether a notification says so, however its lines are broken."""
    return any(text in note.message for note in operator.app._notifications)


def line(operator: Operator) -> ProgressLine:
    return operator.live.query_one(ProgressLine)


async def test_what_the_filter_shows_goes_to_the_file_that_is_suggested(opened: Opened, folder: Path) -> None:
    async with opened(size=(160, 40)) as operator:
        await operator.press("exclamation_mark", "3")
        await operator.press("ctrl+e")
        assert f"export to {folder}/evtop-2026-11-21-130000.ndjson" in operator.text()
        await operator.press("enter")
        await operator.sees(lambda: list(folder.iterdir()))
        [file] = folder.iterdir()
        events = [json.loads(text) for text in file.read_text().splitlines()]
        assert len(events) == 21
        assert {event["severity"] for event in events} == {"error"}
        await operator.sees(lambda: told(operator, f"21 events written to {file}"))
        assert not line(operator).display
        # The next one goes there, too.
        await operator.press("ctrl+e", *["backspace"] * 6, *"csv", "enter")
        await operator.sees(lambda: operator.app.exports.last == file.with_suffix(".csv"))


async def test_a_folder_that_is_gone_is_said_when_the_name_is_entered(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(size=(160, 40)) as operator:
        folder.rmdir()
        await operator.press("ctrl+e")
        assert "export to evtop-2026-11-21-130000.ndjson" in operator.text()
        await operator.press("enter")
        await operator.sees(lambda: "No such file or directory" in operator.text())
        monkeypatch.chdir("/")


async def test_tables_have_the_zone_that_is_shown(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    import time

    time.tzset()
    try:
        async with opened(stored=make_events(3)) as operator:
            await operator.press("t")
            await export_to(operator, "here.csv")
            await operator.sees(lambda: (folder / "here.csv").exists())
    finally:
        monkeypatch.undo()
        time.tzset()
    with (folder / "here.csv").open(newline="") as file:
        times = [row["inserted_at"] for row in csv.DictReader(file)]
    assert times == [f"2026-11-21T17:45:0{number}.000000+05:45" for number in range(3)]


async def test_a_resource_page_exports_its_resource(opened: Opened, folder: Path) -> None:
    async with opened() as operator:
        await operator.press("r")
        await operator.sees(lambda: not isinstance(operator.app.screen, LiveScreen))
        await export_to(operator, "one.jsonl")
        await operator.sees(lambda: (folder / "one.jsonl").exists())
        found = [json.loads(text) for text in (folder / "one.jsonl").read_text().splitlines()]
        assert {event["resource_id"] for event in found} == {"d3"}
        assert len(found) == 29


async def test_keys_work_while_it_goes_on_and_it_can_be_given_up(
    opened: Opened, folder: Path, gate: asyncio.Event
) -> None:
    async with opened() as operator:
        await export_to(operator, "all.csv")
        await operator.sees(lambda: "50 of 201 (24 %) events" in operator.text("#progress"))
        assert "exporting all.csv ━━━" in operator.text("#progress")
        assert "^E cancels" in operator.text("#progress")
        before = operator.cursor
        await operator.press("k", "k")
        assert operator.cursor == before - 2
        assert [file.name[0] for file in folder.iterdir()] == ["."]
        # Neither another one nor leaving comes without a question.
        await operator.press("q")
        assert isinstance(operator.app.screen, Question)
        await operator.press("n", "ctrl+e", "n")
        assert operator.app.exports.job is not None
        await operator.press("ctrl+e", "y")
        await operator.sees(lambda: operator.app.exports.job is None)
        await operator.sees(
            lambda: told(operator, f"the export was cancelled; {folder}/all.csv was not written")
        )
        assert list(folder.iterdir()) == []
        assert not line(operator).display
        gate.set()
        await export_to(operator, "all.csv")
        await operator.sees(lambda: (folder / "all.csv").exists())


async def test_leaving_gives_it_up_and_leaves_nothing(
    opened: Opened, folder: Path, gate: asyncio.Event
) -> None:
    async with opened(size=(80, 24)) as operator:
        name = f"{'a-long-name-' * 4}.csv"
        await export_to(operator, name)
        await operator.sees(lambda: "(24 %) events" in operator.text("#progress"))
        assert operator.text("#progress").startswith(" exporting a-long-name")
        assert "^E cancels" in operator.text("#progress")
        await operator.press("q", "y")
    assert not gate.is_set()
    assert list(folder.iterdir()) == []


async def test_nothing_is_overwritten_unasked(opened: Opened, folder: Path, gate: asyncio.Event) -> None:
    gate.set()
    file = folder / "mine.ndjson"
    file.write_text("precious")
    async with opened(stored=make_events(2)) as operator:
        await export_to(operator, "mine.ndjson")
        assert "is there already" in operator.text()
        await operator.press("n")
        # Back at the name, to be mended.
        assert f"export to {folder}" in operator.text()
        await operator.press("escape")
        assert file.read_text() == "precious"
        await export_to(operator, "mine.ndjson")
        await operator.press("y")
        await operator.sees(lambda: file.read_text().count("\n") == 2)
        # One that comes while the events are read.
        gate.clear()
        operator.app.exports.last = None
        await export_to(operator, "late.ndjson")
        await operator.sees(lambda: operator.app.exports.job is not None)
        (folder / "late.ndjson").write_text("precious")
        gate.set()
        await operator.sees(lambda: told(operator, f"cannot write {folder}/late.ndjson: File exists"))
        assert (folder / "late.ndjson").read_text() == "precious"
        assert sorted(path.name for path in folder.iterdir()) == ["late.ndjson", "mine.ndjson"]


async def test_a_store_that_fails_is_one_line(
    opened: Opened, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: Any) -> AsyncGenerator[Sequence[Event]]:
        yield make_events(1)
        raise StoreUnavailableError("the database went away")

    monkeypatch.setattr(job, "stored_events", broken)
    async with opened() as operator:
        await export_to(operator, "all.csv")
        await operator.sees(lambda: told(operator, "the export failed: the database went away"))
        assert list(folder.iterdir()) == []


async def test_what_cannot_be_written_is_said_while_it_can_be_mended(opened: Opened, folder: Path) -> None:
    (folder / "a.csv").mkdir()
    async with opened(stored=[], size=(300, 40)) as operator:
        for name, said in {
            "a.txt": "end it with one of .ndjson .csv .parquet",
            "a.csv": "that is no file",
            "b/c.csv": f"there is no folder {folder}/b",
            "": "type the name of a file",
        }.items():
            await export_to(operator, name)
            assert said in operator.text()
            await operator.press("escape")


def test_the_span_of_a_filter_is_part_of_what_is_exported() -> None:
    from monitor.model.filter import Filter, Span

    span = Span(NOON, NOON + timedelta(minutes=5))
    chosen = Filter().within(span).selection()
    assert (chosen.since, chosen.until) == span

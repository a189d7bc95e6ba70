"""Lines of files and pipes in the console, headless, over streams of this process."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from io import FileIO
from pathlib import Path

import pytest

from monitor.app import EvtopApp
from monitor.file_backend import BATCH_LINES, FileBackend, FileClock, Source
from monitor.model.arrivals import Link
from monitor.model.place import Place
from monitor.model.start import Start
from monitor.private_store import PrivateStore
from monitor.screens.refusals import RefusalsScreen
from monitor.screens.resource import ResourceScreen
from store.appending import Appended
from store.event import Event
from store.events import EventStore
from store.importing.mapping import FieldMapping, load_mapping
from store.memory_bus import MemoryBus
from store.wire import encode
from tests.console.conftest import Operator
from tests.events import at, make_event, make_events
from tests.waiting import until


def lines(*events: Event) -> bytes:
    return b"".join(encode(event) + b"\n" for event in events)


def file(content: bytes, name: str = "a.ndjson") -> Source:
    return Source(name, io.BytesIO(content), len(content))


def pipe() -> tuple[Source, FileIO, int]:
    """A pipe, its end to read from, and the number of the other one."""
    reading, writing = os.pipe()
    end = FileIO(reading)
    return Source("stdin", end), end, writing


@asynccontextmanager
async def reading(
    *sources: Source,
    mapping: FieldMapping | None = None,
    wall: float = 10 * 86400,
    start: Place | None = None,
) -> AsyncIterator[Operator]:
    clock = FileClock(lambda: at(wall))
    with PrivateStore() as private:
        store = await EventStore.open(private.url)

        async def connect() -> FileBackend:
            return FileBackend(store, sources, mapping, clock)

        app = EvtopApp(connect, name="a.ndjson", now=clock, start=Start(start), sources=["a b.ndjson"])  # pyright: ignore[reportArgumentType]
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(lambda: app.model.opened)
            await pilot.pause()
            yield Operator(app, pilot, store, MemoryBus())


def is_read(operator: Operator) -> bool:
    return operator.app.model.status.link is Link.READ


async def test_a_file_of_the_past_is_shown_with_its_last_hour_counted() -> None:
    events = [
        *make_events(3000, start=0, event_type="job.executed", resource_type="job", resource_id="rss"),
        make_event(5000, event_type="job.failed", severity="error", resource_type="job", resource_id="rss"),
    ]
    async with reading(file(lines(*events))) as operator:
        await operator.sees(lambda: is_read(operator) and operator.types[-1:] == ["job.failed"])
        assert "✓ read" in operator.text("#status")
        assert "3,001 lines" in operator.text("#status")
        # The time is that of the last event: 83 minutes after the first, of which the last hour is counted.
        await operator.sees(lambda: "13:23 UTC" in operator.text("#status"))
        await operator.sees(lambda: "1,560" in operator.text("#facets"))
        assert "peak 60/min" in operator.text("#histogram")
        await operator.press("E", "r")
        assert isinstance(operator.app.screen, ResourceScreen)
        await operator.sees(lambda: "3,001 events" in operator.text("#subject-header"))
        await operator.press("escape", "slash", *"last:40m", "enter", "g")
        await operator.sees(lambda: len(operator.timeline.timeline.rows) > 300)
        assert operator.live.shown.text == "last:40m"


async def test_a_start_at_a_time_waits_until_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    content = lines(*make_events(2500), make_event(3000, inserted_at=at(86400 * 9000)))
    async with reading(file(content), start=Place(at=at(2000))) as operator:
        await operator.sees(
            lambda: operator.timeline.selected_event == make_event(2000).model_copy(update={"position": 2001})
        )
        # A time that is years ahead of all others is not the time.
        assert "12:41 UTC" in operator.text("#status")
        monkeypatch.setattr(operator.app, "copy", lambda text, what: copied.append(text))
        await operator.press("Y")
        assert copied == ["evtop 'a b.ndjson' --at 2026-11-21T12:33:20Z"]


async def test_files_merge_in_the_order_of_time_and_may_be_compressed() -> None:
    odd = lines(*(make_event(n, event_type="odd.one") for n in range(1, 20, 2)))
    even = gzip.compress(lines(*(make_event(n, event_type="even.one") for n in range(0, 20, 2))))
    async with reading(file(odd), file(even, "b.ndjson.gz")) as operator:
        await operator.sees(lambda: operator.types == ["even.one", "odd.one"] * 10)


async def test_what_is_no_event_is_counted_and_shown_with_its_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = (
        b'nothing\n{"msg":"\x1b[31mred"}\n\xff\xfe\n'
        + lines(make_event(1))
        + b'{"event_type":"a.b"}\n'
        + b"[1]"
    )
    async with reading(file(content)) as operator:
        await operator.sees(lambda: is_read(operator) and operator.types == ["job.executed"])
        await operator.sees(lambda: "malformed 5" in operator.text("#status"))
        await operator.press("M")
        assert isinstance(operator.app.screen, RefusalsScreen)
        text = operator.text("#refusals")
        for said in (
            "5 malformed",
            "line 1",
            "line 6",
            "not UTF-8",
            "not JSON",
            "inserted_at is missing",
            "evtop --map",
        ):
            assert said in text, said
        assert "\x1b" not in text
        await operator.press("M")
        assert operator.app.screen is operator.live


async def test_a_file_without_events_says_so_and_how_to_go_on() -> None:
    content = b"".join(
        json.dumps({"ts": n, "msg": "x", "ctx": {"host": "a"}}).encode() + b"\n" for n in range(300)
    )
    async with reading(file(content)) as operator:
        await operator.sees(lambda: "no line is an event: M tells why" in operator.text("#status"))
        await operator.sees(lambda: len(operator.app.model.refusals) == 100)
        await operator.press("M")
        assert "ts  msg  ctx.host" in operator.text("#refusals")


async def test_other_lines_become_events_by_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text('event_type = "msg"\ninserted_at = { path = "ts", time = "s" }')
    content = b"".join(
        b'{"ts":%d,"msg":"User logged in","user":%d}\n' % (at(n).timestamp(), n) for n in range(3)
    )
    async with reading(file(content), mapping=load_mapping(tmp_path / "m.toml")) as operator:
        await operator.sees(lambda: operator.types == ["log.user_logged_in"] * 3)
        await operator.press("slash", *"@user>=2", "enter")
        await operator.sees(lambda: len(operator.types) == 1)


async def test_a_pipe_is_followed_and_ends() -> None:
    source, stream, end = pipe()
    with stream:
        async with reading(source, wall=100) as operator:
            assert "● following" in operator.text("#status")
            os.write(end, lines(make_event(1)))
            await operator.sees(lambda: operator.types == ["job.executed"])
            # Without a time, it happened when it came.
            os.write(end, b'{"event_type":"job.failed"}\n')
            await operator.sees(lambda: operator.types == ["job.executed", "job.failed"])
            assert "12:01 UTC" in operator.text("#status")
            os.close(end)
            await operator.sees(lambda: "✓ read" in operator.text("#status"))


async def test_a_pipe_waits_for_the_console() -> None:
    """However much there is, no more is taken than two batches and the buffers hold beyond what is stored."""
    content = lines(*make_events(4000))
    longest = max(map(len, content.splitlines(keepends=True)))
    taken, stored = 0, 0
    ahead: list[int] = []

    class Endless:
        def read(self, size: int, /) -> bytes:
            nonlocal taken
            piece = content[taken % len(content) :][:size]
            taken += len(piece)
            return piece

    with PrivateStore() as private:
        async with await EventStore.open(private.url) as store:
            backend = FileBackend(store, [Source("stdin", Endless())], None, FileClock(lambda: at(1)))
            append = store.repository.append

            async def watched(events: list[Event]) -> Appended:
                nonlocal stored
                appended = await append(events)
                ahead.append(taken - stored * longest)
                stored += len(events)
                return appended

            store.repository.append = watched  # type: ignore[method-assign, assignment]
            task = asyncio.create_task(backend.run(lambda arrivals: None))
            await until(lambda: len(ahead) >= 12)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert max(ahead) <= 4 * BATCH_LINES * longest + 512 * 1024


async def test_a_file_that_breaks_off_shows_what_was_read() -> None:
    content = gzip.compress(lines(*make_events(3000)))[:-200]
    async with reading(file(content, "cut.gz")) as operator:
        await operator.sees(
            lambda: is_read(operator) and "cut.gz: it ends within" in operator.text("#status")
        )
        await operator.sees(lambda: operator.types)


def test_the_clock_is_that_of_the_newest_event_unless_a_pipe_tells_of_now() -> None:
    clock = FileClock(lambda: at(7200))
    assert clock() == at(7200)
    clock.newest = at(3601)
    assert clock() == at(3601)
    clock.follows = True
    assert clock() == at(7200)
    clock.newest = at(3599)
    assert clock() == at(3599)
    clock.follows, clock.newest = False, at(7200) + timedelta(days=9000)
    assert clock() == at(7200)


def test_a_store_of_ones_own_is_gone_afterwards_and_so_is_one_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = tmp_path / "evtop-files-left"
    left.mkdir()
    (left / "lock").touch()
    (tmp_path / "evtop-files-other").mkdir()
    with PrivateStore() as mine, PrivateStore() as other:
        assert mine.folder.stat().st_mode & 0o777 == 0o700
        assert {path.name for path in tmp_path.iterdir()} == {
            mine.folder.name,
            other.folder.name,
            "evtop-files-other",
        }
    assert [path.name for path in tmp_path.iterdir()] == ["evtop-files-other"]

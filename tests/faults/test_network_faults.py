"""The way to the bus and to the store is cut without a word, or comes and goes: faults 6 and 7."""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from time import monotonic

import psutil
import pytest

from monitor.feed import FeedOptions
from monitor.model.arrivals import Link
from monitor.model.gaps import GapState
from store.errors import StoreUnavailableError
from tests.application import application, live
from tests.console.commands import EVTOP
from tests.database_server import DatabaseServer
from tests.faults.child import Producer
from tests.faults.conftest import PATIENCE, Note, Size
from tests.faults.final_phase import all_is_well
from tests.faults.onlooker import COLUMNS, Onlooker, gap_rows
from tests.pty_console import PrivateHome, PtyConsole
from tests.tcp_proxy import TcpProxy
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import viewer

pytestmark = pytest.mark.fault

NOTICED, BACK, REPAIRED = 5.0, 3.0, 5.0
"""Seconds until a silent line is said; until it is live again once the line is good, and then until all is repaired."""
GROWN_MAX = 20 * 2**20
"""Bytes by which the memory of a console may have grown."""
NO_EVENT = "type:no.such"
REPAIRED_GAP = re.compile(r"gap [\d:]{8}( – [\d:]{8})? · [\d,]+ events recovered · connection lost")
DOWN = (("cut",), ("stall",), ("cut", "stall"), ("cut", "refuse"), ("abandon", "refuse"))
"""Ways in which a line goes down: the switches of a `TcpProxy`."""


async def test_a_silent_cut_from_bus_and_store_is_said_and_made_good(
    size: Size, postgres: DatabaseServer, tmp_path: Path, seed: int, note: Note
) -> None:
    """Those who record are not cut off."""
    how = size.either("as it was", Random(seed).choice(["as it was", "reset", "forgotten"]))
    events, rate, silent = size.either((1_200, 200, 4.5), (20_000, 250, 60.0))
    note("healed", how)
    url = postgres.create_database()
    with (
        ValkeyServer(tcp=True) as valkey,
        TcpProxy(valkey.port) as to_bus,
        TcpProxy(postgres.port) as to_store,
        PrivateHome(EVTOP_STORE=to_store.url(url), EVTOP_BUS=to_bus.url(valkey.tcp_url)) as home,
        PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS) as console,
    ):
        with (
            Onlooker(console) as onlooker,
            Producer(tmp_path, "application", url, seed, bus=valkey.url).set_up() as producer,
        ):
            async with viewer(to_store.url(url), to_bus.url(valkey.tcp_url)) as watch:
                await until(lambda: watch.is_live and onlooker.now.link == "live", PATIENCE)
                await asyncio.to_thread(producer.record, events, rate)
                await until(lambda: min(len(watch.events), onlooker.now.received) >= 100, PATIENCE)

                noticed, back, repaired = map(size.within, (NOTICED, BACK, REPAIRED))
                cut = monotonic()
                to_bus.stall()
                to_store.stall()
                note("noticed", await watch.meets(Link.RECONNECTING, cut, noticed))
                await onlooker.sees(lambda sight: sight.link == "reconnecting", cut, noticed)
                await onlooker.sees(lambda sight: "stale since" in sight.line, cut, noticed)
                await until(lambda: watch.status.stale_since)
                [gap] = watch.last_gaps
                assert (gap.cause, gap.state, gap.recovered) == ("connection lost", GapState.OPEN, 0)
                await until(lambda: monotonic() >= cut + silent, silent + PATIENCE)
                links = [sight.link for sight in onlooker.since(cut)]
                assert set(links[links.index("reconnecting") :]) == {"reconnecting"}
                assert "stale since" in onlooker.now.line

                healed = monotonic()
                heal(to_bus, how)
                heal(to_store, how)
                note("live again", await watch.meets(Link.LIVE, healed, back))
                await until(lambda: watch.last_gaps[0].state is GapState.REPAIRED, repaired)
                note("repaired", monotonic() - healed)
                await onlooker.sees(lambda sight: sight.link == "live", healed, back)
                await onlooker.sees(
                    lambda sight: not ("stale" in sight.line or "away" in sight.line or sight.count("gaps")),
                    healed,
                    back + repaired,
                )
                assert watch.last_gaps[0].recovered >= size.either(1, 0.5 * rate * silent)

                await asyncio.to_thread(producer.recorded, 300.0)
                found, promises = await asyncio.to_thread(all_is_well, url, producer, events)
                await until(lambda: watch.ids == found.ids, repaired)
                await until(lambda: watch.is_live, PATIENCE)
                assert watch.ids == promises.accepted.keys()
                assert watch.counted == len(promises.accepted)
                assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
                assert (watch.tally.dropped, watch.tally.lost, watch.tally.malformed) == (0, 0, 0)
                await until(lambda: onlooker.now.received == len(promises.accepted), repaired)
        # Where no event is shown, the gaps are, with what became of them.
        console.press("/")
        console.wait_for_text("words, field:value", PATIENCE)
        console.press(NO_EVENT, "enter")
        console.wait_for(lambda console: any(map(REPAIRED_GAP.fullmatch, gap_rows(console.lines))), PATIENCE)


def heal(line: TcpProxy, how: str) -> None:
    """Make the line good again. What was connected before lives on, is reset, or is forgotten by a router."""
    if how == "reset":
        line.cut()
    elif how == "forgotten":
        line.abandon()
    line.resume()


async def test_a_bus_that_is_back_has_the_store_asked_again_at_once(tmp_path: Path) -> None:
    async with application(tmp_path / "events.db") as store:
        options = FeedOptions(frame=0.01, safety_poll=0.05, poll=60.0)
        async with live(store, options) as watch:
            store.reader.error = StoreUnavailableError("EVTOP_STORE x: no route to host")
            await until(lambda: watch.status.store_error)
            store.bus.disconnect("no route to host")
            await store.create(3)
            store.reader.error = None
            store.bus.reconnect()
            await until(lambda: watch.is_live and not watch.status.store_error, PATIENCE)
            assert len(watch.events) == 3


async def test_an_answer_that_was_lost_with_the_bus_is_not_waited_for_when_that_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.catch_up.PATIENCE", 0.05)
    given_up = asyncio.Event()

    async def never_answers() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            # As a driver does that takes leave of a server.
            given_up.set()
            await asyncio.sleep(0.1)

    async with application(tmp_path / "events.db") as store, live(store) as watch:
        store.reader.before["last_position"] = never_answers
        await until(lambda: watch.status.store_error)
        store.bus.disconnect("no route to host")
        store.bus.reconnect()
        await given_up.wait()
        store.bus.disconnect("no route to host")
        store.bus.reconnect()
        await store.create(3)
        await until(lambda: watch.is_live and not watch.status.store_error)
        assert len(watch.events) == 3
        assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
        # Told twice in a row to give up, it does so once.
        assert {frame.status.reason for frame in watch.frames} <= {"", "no route to host"}


async def test_a_flapping_line_costs_neither_an_event_nor_memory_nor_connections(
    size: Size, tmp_path: Path, seed: int, note: Note
) -> None:
    """A console as well is looked at where it runs for long: until it has as many rows, and knows as many ids, as it
    keeps, its memory grows as it should.
    """
    chance = Random(seed)
    filled, events, rate, beat, beats = size.either((200, 800, 300, 0.3, 4), (62_000, 60_000, 200, 1.0, 150))
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with (
        ValkeyServer(tcp=True) as valkey,
        TcpProxy(valkey.port) as line,
        PrivateHome(EVTOP_STORE=url, EVTOP_BUS=line.url(valkey.tcp_url)) as home,
        Producer(tmp_path, "application", url, seed, bus=valkey.url).set_up() as producer,
        ExitStack() as stack,
    ):
        consoles = [
            stack.enter_context(PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS))
            for _ in range(size.either(0, 1))
        ]
        onlookers = [stack.enter_context(Onlooker(console)) for console in consoles]
        processes = [psutil.Process(console.pid) for console in consoles]
        async with viewer(url, line.url(valkey.tcp_url)) as watch:

            def all_live(received: int) -> bool:
                """Every viewer is live, has received so many, and has no gap left."""
                return (
                    watch.is_live
                    and len(watch.events) == received
                    and all((by.now.link, by.now.received) == ("live", received) for by in onlookers)
                    and not any(by.now.count("gaps") for by in onlookers)
                )

            await until(lambda: all_live(0), PATIENCE)
            await asyncio.to_thread(producer.record, filled, 2_000)
            await asyncio.to_thread(producer.recorded)
            await until(lambda: all_live(filled), PATIENCE)
            before = holdings(line, processes)
            memory = [process.memory_info().rss for process in processes]

            await asyncio.to_thread(producer.record, events, rate)
            ways: Counter[str] = Counter()
            for way in chance.sample(DOWN * beats, beats):
                await pass_by(beat)
                for switch in way:
                    getattr(line, switch)()
                ways[" and ".join(way)] += 1
                await pass_by(beat)
                line.resume()
            up, settled = monotonic(), size.within(NOTICED + BACK + REPAIRED)
            note("ways", dict(ways))
            # What the line hid until now may still have to be noticed.
            await until(lambda: watch.is_live, settled)
            note("live again", round(monotonic() - up, 2))
            await asyncio.to_thread(producer.recorded, 600.0)
            found, promises = await asyncio.to_thread(all_is_well, url, producer, filled + events)
            await until(lambda: all_live(len(promises.accepted)), settled)
            assert watch.ids == found.ids == promises.accepted.keys()
            assert watch.counted == len(promises.accepted)
            # What was only held up, or is not noticed yet because the store told everything, leaves none.
            assert watch.gaps or not any("cut" in way for way in ways)
            assert all(gap.state is GapState.REPAIRED for gap in watch.last_gaps)
            assert (watch.tally.dropped, watch.tally.lost, watch.tally.malformed) == (0, 0, 0)
            await until(lambda: holdings(line, processes) == before, PATIENCE)
            grown = [process.memory_info().rss - was for process, was in zip(processes, memory, strict=True)]
            note("grown, MB", [round(each / 2**20, 1) for each in grown])
            assert all(each <= GROWN_MAX for each in grown)


def holdings(line: TcpProxy, processes: list[psutil.Process]) -> list[int]:
    """Tasks and sockets of this process, without those of `line`; descriptors and threads of the others.

    Of this process not every descriptor: SQLite keeps those of a database that was read besides (unixClose).
    """
    here = sockets_of(os.getpid()) - 2 * line.open_connections
    there = [number for process in processes for number in (process.num_fds(), process.num_threads())]
    return [len(asyncio.all_tasks()), here, *there]


def sockets_of(pid: int) -> int:
    """How many sockets a process holds, connected or not (Linux)."""
    names: list[str] = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        # The one that the folder is read with is gone by then.
        with suppress(FileNotFoundError):
            names.append(str(descriptor.readlink()))
    return sum(name.startswith("socket:") for name in names)


async def pass_by(seconds: float) -> None:
    """Let so many seconds pass."""
    end = monotonic() + seconds
    await until(lambda: monotonic() >= end, seconds + PATIENCE)

"""The bus is killed under a running console, and then its line goes silent: how soon is it said, and made good?"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

from monitor.model.arrivals import Link
from tests.bench.figure import Figure, progress
from tests.console.commands import EVTOP
from tests.faults.child import Producer
from tests.faults.judge import evidence
from tests.faults.onlooker import COLUMNS, Onlooker
from tests.pty_console import PrivateHome, PtyConsole
from tests.tcp_proxy import TcpProxy
from tests.valkey import ValkeyServer
from tests.waiting import until
from tests.watch import Watch, viewer

EVENTS, RATE, BEFORE = 20_000, 1_000, 4_000
AWAY = 4.0
"""Seconds for which there is no server."""
PATIENCE = 60.0
SEED = 20_000


def run() -> Iterator[Figure]:
    """A producer goes on meanwhile. Times are those at which the screen of a console said so."""
    yield from asyncio.run(_run())


async def _run() -> list[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        ValkeyServer(tcp=True) as valkey,
        TcpProxy(valkey.port) as line,
    ):
        url, bus = f"sqlite:///{folder}/events.db", line.url(valkey.tcp_url)
        with (
            PrivateHome(EVTOP_STORE=url, EVTOP_BUS=bus) as home,
            PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS) as console,
            Onlooker(console) as onlooker,
            Producer(Path(folder), "application", url, SEED, bus=valkey.url).set_up() as producer,
        ):
            async with viewer(url, bus) as watch:
                await until(lambda: watch.is_live and onlooker.now.link == "live", PATIENCE)
                return [
                    *await _killed(watch, onlooker, producer, valkey, url),
                    *await _silent(watch, onlooker, line),
                ]


async def _killed(
    watch: Watch, onlooker: Onlooker, producer: Producer, valkey: ValkeyServer, url: str
) -> list[Figure]:
    await asyncio.to_thread(producer.record, EVENTS, RATE)
    await until(lambda: len(watch.events) >= BEFORE, PATIENCE)
    killed = monotonic()
    valkey.kill()
    said = await onlooker.sees(lambda sight: sight.link == "reconnecting", killed, PATIENCE)
    await until(lambda: monotonic() >= killed + AWAY, PATIENCE)
    valkey.start()
    back = monotonic()
    live = await onlooker.sees(lambda sight: sight.link == "live", back, PATIENCE)
    repaired = await onlooker.sees(
        lambda sight: sight.link == "live" and not sight.count("gaps"), back, PATIENCE
    )
    await asyncio.to_thread(producer.recorded)
    assert await asyncio.to_thread(producer.flush, PATIENCE)
    stored = (await asyncio.to_thread(evidence, url)).ids
    await until(lambda: len(watch.ids) >= EVENTS and onlooker.now.received >= EVENTS, PATIENCE)
    progress(f"reconnect: said after {said:.2f} s · {onlooker.now.line.strip()}")
    # The watch fails when an event is handed on twice; the console counts what it was handed.
    return [
        Figure("bus_live_again_s", live, "s", "<= 3"),
        Figure("bus_repaired_s", repaired, "s", "<= 5"),
        Figure("bus_missing_ids", len(stored - watch.ids) + max(0, EVENTS - len(stored)), "events", "== 0"),
        Figure("bus_double_ids", onlooker.now.received - EVENTS, "events", "== 0"),
    ]


async def _silent(watch: Watch, onlooker: Onlooker, line: TcpProxy) -> list[Figure]:
    await until(lambda: watch.is_live and onlooker.now.link == "live", PATIENCE)
    cut = monotonic()
    line.stall()
    said = await onlooker.sees(lambda sight: sight.link == "reconnecting", cut, PATIENCE)
    heard = await watch.meets(Link.RECONNECTING, cut, PATIENCE)
    line.resume()
    progress(f"reconnect: the feed noticed the silence after {heard:.2f} s")
    return [Figure("silent_cut_noticed_s", said, "s", "<= 5")]

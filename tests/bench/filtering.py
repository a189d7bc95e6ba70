"""How long an operator waits for another filter over five million stored events."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from store.database import Database
from tests.bench import growth, indexing
from tests.bench.figure import Figure, progress
from tests.bench.pace import quantile
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

PATIENCE = 120.0
REPEATS = 5
INDEXED = (
    ("resource:title/watched-3", "title/watched-3"),
    ("type:job.failed", "job.failed"),
    ("category:downloads severity:error", "✖ E"),
)
"""What an index finds, and what the newest 500 events, which the console holds, have less than a screen of; with a
sign of such a row.
"""
WORD = ("watched-7", "title/watched-7")
"""In 120 of the 5,000,000."""
NOWHERE = "nowhere-to-be-found"
KEYS = 40
SCREEN = 25
"""Rows that fill the timeline, or nearly so."""
_SIDE = "╭─ Health"
_ROW = re.compile(r" ?(\d\d-\d\d )?\d\d:\d\d(:\d\d\.\d{3})? [✖▲·]")


def run() -> Iterator[Figure]:
    """Milliseconds from the keys of a filter until a screen full of rows stands there, or the first row.

    First without the full-text index, also of keys while a word is searched that is nowhere, and of a filter that takes
    the place of that search. Then what the index costs, and the screen full of rows with it.
    """
    with PrivateHome() as home:
        url = home.store_url
        asyncio.run(_fill(url))
        with PtyConsole([EVTOP], environment=home.environment | {"EVTOP_STORE": url}) as console:
            console.wait_for_text("● live", PATIENCE)
            console.wait_for(lambda shown: _rows(shown) >= SCREEN, PATIENCE)
            indexed = [_taken(console, *query, SCREEN) for query in INDEXED for _ in range(REPEATS)]
            progress("filters by index: " + " ".join(f"{each:.0f}" for each in indexed) + " ms")
            yield Figure("filter_indexed_ms", statistics.median(indexed), "ms", "<= 300")
            yield Figure("filter_indexed_worst_ms", max(indexed), "ms", "<= 300")
            first = [_taken(console, *WORD, 1) for _ in range(REPEATS)]
            yield Figure("filter_text_first_row_ms", statistics.median(first), "ms", "<= 1000")
            progress(f"a screen of a rare word without the index: {_taken(console, *WORD, SCREEN):.0f} ms")
            _choose(console, NOWHERE)
            console.wait_for_text("nothing yet, searched back", PATIENCE)
            echoes = [_echo(console) for _ in range(KEYS)]
            progress(f"keys meanwhile: {statistics.median(echoes):.0f} ms in the median")
            yield Figure("filter_key_p95_ms", quantile(echoes, 0.95), "ms", "<= 60")
            assert any("searched back" in line for line in console.lines), "the search was over too soon"
            yield Figure(
                "filter_instead_ms", _taken(console, *INDEXED[0], SCREEN, clear=False), "ms", "<= 300"
            )
            console.press("q")
            console.wait_for_end(PATIENCE)
        yield from indexing.figures(url, home.environment, growth.LARGE)
        with PtyConsole([EVTOP], environment=home.environment | {"EVTOP_STORE": url}) as console:
            console.wait_for_text("● live", PATIENCE)
            console.wait_for(lambda shown: _rows(shown) >= SCREEN, PATIENCE)
            screens = [_taken(console, *WORD, SCREEN) for _ in range(REPEATS)]
            progress("a screen of it with the index: " + " ".join(f"{each:.0f}" for each in screens) + " ms")
            yield Figure("filter_text_screen_ms", statistics.median(screens), "ms", "<= 1000")
            yield Figure("filter_text_screen_worst_ms", max(screens), "ms", "<= 1000")
            console.press("q")
            console.wait_for_end(PATIENCE)


async def _fill(url: str) -> None:
    database = await Database.open(url)
    try:
        await growth.fill(database, url, growth.LARGE, datetime.now(UTC))
    finally:
        await database.close()


def _rows(console: PtyConsole, sign: str = "") -> int:
    # The side panes stand in the same lines.
    rows = [line.partition("││")[2] for line in console.lines]
    return sum(sign in row and _ROW.match(row) is not None for row in rows)


def _taken(console: PtyConsole, query: str, sign: str, rows: int, *, clear: bool = True) -> float:
    """Milliseconds until `rows` rows of `query`, which are told by `sign`, stand there."""
    if clear:
        console.press("C")
        console.wait_for(lambda shown: _rows(shown) >= SCREEN > SCREEN / 2 > _rows(shown, sign), PATIENCE)
    began = _choose(console, query)
    return (console.wait_for(lambda shown: _rows(shown, sign) >= rows, PATIENCE) - began) * 1000


def _choose(console: PtyConsole, query: str) -> float:
    return console.press("C", "/", *query, "\r")


def _echo(console: PtyConsole) -> float:
    """Milliseconds until a key is answered: the side panes are gone, or there again."""
    time.sleep(0.05)
    console.take_in()
    before = _SIDE in console.text
    pressed = console.press("s")
    return (console.wait_for(lambda shown: (_SIDE in shown.text) != before, PATIENCE) - pressed) * 1000

"""The way to the bus is slow, unsteady and narrow: fault 8."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from time import monotonic

import psutil
import pytest

from tests.bench.pace import quantile
from tests.console.commands import EVTOP
from tests.faults.child import Producer
from tests.faults.conftest import PATIENCE, Note, Size
from tests.faults.onlooker import COLUMNS, Memory, Sight
from tests.line_quality import Quality
from tests.pty_console import PrivateHome, PtyConsole
from tests.tcp_proxy import TcpProxy
from tests.valkey import ValkeyServer

pytestmark = [pytest.mark.fault, pytest.mark.pty]

BAD_LINE = Quality(delay=0.5, jitter=0.3, loss=0.05, resend=1.0, rate=8_000)
"""64 kbit pass in a second, and what is lost comes after a second, or three."""
ROUND_TRIP_MIN = 2 * (BAD_LINE.delay - BAD_LINE.jitter)
ECHO = 0.1
"""Seconds in which 95 of 100 keys are answered."""
LAG_OFF = 2.0
"""Seconds by which the lag on the screen may be wrong."""
GROWN_MAX, ROW_MAX = 10 * 2**20, 4096
"""Bytes by which the memory of a console may have grown beside the rows that it shows, and by each of those."""
IN_PIECES = 0.1
"""Seconds in which a frame has arrived."""
HALF_DAY = 43_200.0
STAMP = re.compile(r"\b\d\d:\d\d:\d\d\.\d{3}\b")


def test_over_a_bad_line_keys_are_answered_and_the_lag_is_true(
    size: Size, tmp_path: Path, seed: int, note: Note
) -> None:
    """First a trickle that fits through the line, then more than fits."""
    chance = Random(seed)
    trickle, flood, seconds = size.either((5, 60, 2.0), (5, 100, 60.0))
    recorded = [200, int(trickle * seconds), int(flood * seconds)]
    url = f"sqlite:///{tmp_path / 'events.db'}"
    with (
        ValkeyServer(tcp=True) as valkey,
        TcpProxy(valkey.port) as line,
        PrivateHome(EVTOP_STORE=url, EVTOP_BUS=line.url(valkey.tcp_url)) as home,
        PtyConsole(EVTOP, environment=home.environment, columns=COLUMNS) as console,
        Producer(tmp_path, "application", url, seed, bus=valkey.url).set_up() as producer,
    ):
        operator = Operator(console, chance)
        console.wait_for_text("● live", PATIENCE)
        producer.record(recorded[0], 400)
        operator.waits_for(lambda now: now.received == recorded[0])
        producer.recorded()

        line.degrade(BAD_LINE, seed)
        began, memory = monotonic(), psutil.Process(console.pid).memory_info().rss
        echoes: list[float] = []
        for count, rate in zip(recorded[1:], (trickle, flood), strict=True):
            producer.record(count, rate)
            echoes += operator.presses_keys(seconds)
            producer.recorded(300.0)
        grown = psutil.Process(console.pid).memory_info().rss - memory
        ended = monotonic()
        operator.waits_for(lambda now: (now.received, now.count("gaps")) == (sum(recorded), 0))
        stats = producer.stats()
        assert (stats["stored"], stats["balance"]) == (sum(recorded), 0), stats

        note("keys", len(echoes))
        note("p95 of the echo, ms", round(quantile(echoes, 0.95) * 1000))
        # Other work on the machine costs some keys time too; waiting for the line would cost more, and every key.
        assert quantile(echoes, size.either(0.5, 0.95)) <= size.either(ROUND_TRIP_MIN, ECHO)
        off = how_far_off_the_lag_is([sight for sight in operator.since(began) if sight.moment < ended])
        note("lag off by, s", round(off, 2))
        assert off <= size.either(3 * LAG_OFF, LAG_OFF)
        note("grown, MB", round(grown / 2**20, 1))
        assert grown <= GROWN_MAX + ROW_MAX * sum(recorded)


class Operator(Memory):
    """Presses keys, and looks at what each does and what stands there all the while.

    What is looked for is the time of the newest row, while the newest rows are followed.
    """

    def __init__(self, console: PtyConsole, chance: Random) -> None:
        super().__init__(newest_row)
        self._console = console
        self._chance = chance

    def waits_for(self, condition: Callable[[Sight], object], within: float = PATIENCE) -> float:
        """Wait until what stands there is so; the moment when it was."""

        def noted(console: PtyConsole) -> bool:
            self.note(console)
            return bool(condition(self.now))

        return self._console.wait_for(noted, within)

    def presses_keys(self, seconds: float) -> list[float]:
        """Stop following and follow again, for so many seconds. Returns how long each key took to be seen, seconds."""
        taken: list[float] = []
        end = monotonic() + seconds
        while monotonic() < end or len(taken) % 2:
            follows = bool(self.now.seen)
            pressed = self._console.press("F")
            taken.append(self.waits_for(lambda now, follows=follows: bool(now.seen) is not follows) - pressed)
            rest = monotonic() + self._chance.uniform(0.02, 0.1 if follows else 0.3)
            with suppress(TimeoutError):
                self.waits_for(lambda _: False, max(0.0, rest - monotonic()))
        return taken


def newest_row(lines: list[str]) -> str:
    """The time of the newest row; nothing while rows are not followed."""
    if not any(" following " in line for line in lines):
        return ""
    return max((stamp for line in lines for stamp in STAMP.findall(line)), default="")


def how_far_off_the_lag_is(sights: list[Sight]) -> float:
    """By how many seconds the lag differed at most, over all moments, from the age of the newest row on the screen."""
    worst = 0.0
    offset = time.time() - monotonic()
    looked_at = 0
    for sight, after in pairwise(sights):
        # A frame comes in pieces, of which the status line is the first.
        is_piece = after.line == sight.line and after.moment - sight.moment < IN_PIECES
        if not sight.seen or sight.lag is None or is_piece:
            continue
        looked_at += 1
        hour, minute, second = str(sight.seen).split(":")
        happened = int(hour) * 3600 + int(minute) * 60 + float(second)
        for moment in (sight.moment, after.moment):
            # The rows tell the time of day alone.
            behind = (moment + offset - happened + HALF_DAY) % (2 * HALF_DAY) - HALF_DAY
            worst = max(worst, abs(sight.lag - behind))
    assert looked_at >= 5
    return worst

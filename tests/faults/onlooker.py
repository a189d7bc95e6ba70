"""Someone who looks at a console all the time, and remembers what stood on it from when on."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.pty_console import PtyConsole
from tests.waiting import until

COLUMNS = 220
"""So wide that nothing of the status line is left out."""
_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_DRAWN_WITHIN = 10.0
"""How long drawing what has arrived may take: what counts is when it arrived."""

Look = Callable[[list[str]], object]
"""Picks what else is looked for, out of the lines of the screen."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The status line as it stood from `moment` on, and what else was looked for. Moments are `time.monotonic()`."""

    moment: float
    line: str
    seen: object = None

    @property
    def link(self) -> str:
        """`live`, `polling`, `reconnecting`, `connecting`; empty before anything is drawn."""
        found = re.search(r"[●◐✖◌] (live|polling|reconnecting|connecting)", self.line)
        return found[1] if found else ""

    @property
    def lag(self) -> float | None:
        """Seconds; None where there is none."""
        found = re.search(r"lag (-?[\d.]+) (s|min|h|d)\b", self.line)
        return float(found[1]) * _UNITS[found[2]] if found else None

    @property
    def rate(self) -> int:
        """Events a second."""
        return self._number(r"(-?[\d,]+) ev/s")

    @property
    def received(self) -> int:
        """Distinct events since the console was started; -1 when that is not shown."""
        return self._number(r"(-?[\d,]+) received")

    def count(self, name: str) -> int:
        """A number that stands behind its name: `gaps`, `dropped`, `missed`; 0 when it is not shown."""
        return max(0, self._number(rf"\b{name} (-?[\d,]+)"))

    def _number(self, pattern: str) -> int:
        found = re.search(pattern, self.line)
        return int(found[1].replace(",", "")) if found else -1


class Memory:
    """What stood on a console, in its order."""

    def __init__(self, look: Look = lambda _lines: None) -> None:
        self.sights: list[Sight] = []
        self._look = look

    @property
    def now(self) -> Sight:
        """What stands there."""
        return self.sights[-1] if self.sights else Sight(0.0, "")

    def since(self, moment: float) -> list[Sight]:
        """What stood there at `moment`, and all that came after it."""
        before = [index for index, sight in enumerate(self.sights) if sight.moment < moment]
        return self.sights[before[-1] if before else 0 :]

    def note(self, console: PtyConsole) -> None:
        """Look at the console, as it is drawn now."""
        lines = console.lines
        seen = self._look(lines)
        if not self.sights or (self.sights[-1].line, self.sights[-1].seen) != (lines[0], seen):
            self.sights.append(Sight(console.last_output_at, lines[0], seen))


class Onlooker(Memory):
    """Takes in the output of `console` in a thread of its own, as a context manager; nobody else may meanwhile."""

    def __init__(self, console: PtyConsole, look: Look = lambda _lines: None) -> None:
        super().__init__(look)
        self._console = console
        self._done = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._watch, name="onlooker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if error is not None:
            error.add_note(f"--- the screen:\n{self._console.text.rstrip()}")
        elif self._failure is not None:
            raise self._failure

    async def sees(
        self, matches: Callable[[Sight], object], since: float, within: float, what: str = "it came"
    ) -> float:
        """Wait for a state that came after `since`. Returns how many seconds after it that was.

        Raises:
            AssertionError: it came later than `within` seconds.
        """

        def found() -> list[float]:
            if self._failure is not None:
                raise AssertionError("the console has ended") from self._failure
            return [sight.moment for sight in self.sights if sight.moment >= since and matches(sight)]

        await until(found, within + _DRAWN_WITHIN)
        took = found()[0] - since
        assert took <= within, f"{what} after {took:.2f} s, more than {within:g}"
        return took

    def _watch(self) -> None:
        while not self._done.is_set():
            try:
                # A moment to notice that it is done; the screen is looked at after each piece of output.
                with suppress(TimeoutError):
                    self._console.wait_for(self._noted, 0.1)
            except BaseException as failure:
                self._failure = failure
                return

    def _noted(self, console: PtyConsole) -> bool:
        self.note(console)
        return self._done.is_set()


def gap_rows(lines: list[str]) -> tuple[str, ...]:
    """The gaps on the screen, as they are written, without the rule around them."""
    rows = [re.search(r"·{6} (gap .*?)[ ·]*(?:[│█]|$)", line) for line in lines]
    return tuple(row[1] for row in rows if row)

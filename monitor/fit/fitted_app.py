"""The application as the terminal sees it: its colours and signs, what is written, and how often."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual._compositor import CompositorUpdate
from textual.app import SystemCommand
from textual.events import DescendantFocus, Resize
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widgets import Input

from monitor.fit.choices import TerminalFit
from monitor.fit.glyphs import AsciiFilter, in_ascii
from monitor.fit.keys_in_order import KeysInOrder
from monitor.fit.pace import Pace
from monitor.fit.painter import Painter
from monitor.terminal import ConsoleDriver
from monitor.text import clean_row
from monitor.themes import THEMES, VARIABLE_DEFAULTS, ColourlessFilter
from monitor.widgets.cleaning import CleaningFilter

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.timer import Timer, TimerCallback

DRAWING_SHARE, LOW_DRAWING_SHARE = 0.06, 0.025
"""How much of a core it may take to draw what comes by itself."""
GRACE, LOW_GRACE = 0.3, 0.0
"""Seconds of the allowance that may be owed."""
ASKED_MAX = 2.0
"""Seconds of it that are owed at most for what keys, and the size of the terminal, asked to be drawn."""
TRICKLE = 200
"""Bytes a second that count as none."""
FRAME_MAX, FRAME_WORK_MAX = 0.25, 0.05
"""Seconds from the wish to draw until it is written, and of work in them: what is beyond was something else."""


class FittedApp(KeysInOrder):
    """Draws as `fit` says. Widgets need to know nothing of it.

    Keys are answered at once. What comes by itself is drawn when `wait_to_draw` is 0; `drawing` says so.
    """

    def __init__(self, fit: TerminalFit | None = None) -> None:
        super().__init__(ConsoleDriver)
        self.fit = fit or TerminalFit()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES[self.fit.theme].name
        self.wire = ""
        """What goes over the line, for the status line."""
        self._cleaning = CleaningFilter()
        self._ascii = AsciiFilter(self.fit.encoding) if self.fit.ascii else None
        self._colourless = None if self.fit.colour else ColourlessFilter()
        self._painter = Painter()
        low = self.fit.low_bandwidth
        grace = LOW_GRACE if low else GRACE
        self._byte_pace = Pace(self.fit.budget, grace)
        self._work_pace = Pace(LOW_DRAWING_SHARE if low else DRAWING_SHARE, grace)
        self._drawing_since = (0.0, -math.inf)
        """Processor time of this thread, and the clock, when drawing began."""
        self._written_before = 0
        if low:
            self.animation_level = "none"

    # Colours and signs

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """What the style sheets use beside Textual's own variables."""
        return VARIABLE_DEFAULTS

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What every line passes on its way to the terminal, whichever widget draws it, a title and a toast too."""
        # Textual's own answer to NO_COLOR still writes greys.
        usual = () if self._colourless else super().get_line_filters()
        own = (self._cleaning, self._ascii, self._colourless)
        return (*usual, *(line_filter for line_filter in own if line_filter))

    def theme_commands(self) -> Iterable[SystemCommand]:
        """One command a theme, for the palette."""
        for name, theme in THEMES.items():
            if self.fit.colour or name == "monochrome":
                yield SystemCommand(f"Theme: {name}", "colours", partial(setattr, self, "theme", theme.name))

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """As Textual's, for a timer that is late as soon as it begins as well.

        Textual (8.2, `Timer._run`) takes that for one tick of many and leaves it out: where the processor was taken
        away for 8 ms at that moment, the last change of the terminal's size was never heeded.
        """
        timer = super().set_timer(delay, callback, name=name, pause=pause)
        timer._skip = False  # pyright: ignore[reportPrivateUsage]
        return timer

    # What is written

    def forget_screen(self) -> None:
        """Something else may have drawn on the terminal: what is drawn next is drawn whole."""
        self._painter.forget()

    def print_plain(self, lines: Sequence[str]) -> None:
        """Print lines on the terminal's own screen, where its mouse can copy them, until enter is pressed there."""
        driver = self._driver
        if not isinstance(driver, ConsoleDriver):
            self.notify("there is no terminal to print on", markup=False)
            return
        texts = [clean_row(line) for line in lines]
        if self.fit.ascii:
            texts = [in_ascii(text, self.fit.encoding) for text in texts]
        self.run_worker(driver.show_aside(texts), group="aside", exit_on_error=False)

    def on_resize(self, _event: Resize) -> None:
        """The terminal has moved about what was on it."""
        self.forget_screen()

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Keep the cursor of an input from blinking where each blink costs."""
        if self.fit.low_bandwidth and isinstance(event.widget, Input):
            event.widget.cursor_blink = False

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        driver = self._driver
        if isinstance(driver, ConsoleDriver) and driver.is_aside:
            return
        is_drawn = self._running and not self._closed and not self._batch_count and not self.is_headless
        text = None
        if driver is not None and is_drawn and isinstance(renderable, CompositorUpdate):
            text = self._painter.paint(renderable, self.size, self.console._color_system)  # pyright: ignore[reportPrivateUsage]
        if driver is None or text is None:
            self._painter.forget()
            super()._display(screen, renderable)  # pyright: ignore[reportUnknownMemberType]
            return
        if text:
            if isinstance(self.focused, Input):
                # Where input methods of some languages show what is being typed.
                x, y = self.cursor_position
                text += f"\x1b[{y + 1};{x + 1}H"
            if self._sync_available:
                text = f"\x1b[?2026h{text}\x1b[?2026l"
            driver.write(text)
            driver.flush()
        (work, moment), now = self._drawing_since, time.monotonic()
        came_by_itself = now - moment < FRAME_MAX
        self._byte_pace.spent(len(text.encode()), now, math.inf if came_by_itself else ASKED_MAX)
        if came_by_itself:
            self._work_pace.spent(min(time.thread_time() - work, FRAME_WORK_MAX), now)
        self._drawing_since = (0.0, -math.inf)
        self.post_display_hook()

    # How often

    def wait_to_draw(self) -> float:
        """Seconds until what comes by itself may be drawn."""
        now = time.monotonic()
        return max(self._byte_pace.wait(now), self._work_pace.wait(now))

    def drawing(self) -> None:
        """What comes by itself is being drawn: from here on until it is written, the work counts."""
        self._drawing_since = (time.thread_time(), time.monotonic())

    def measure_wire(self, seconds: float = 1.0) -> None:
        """Look at how much went to the terminal since the last look, `seconds` ago."""
        if isinstance(self._driver, ConsoleDriver):
            written = self._driver.bytes_written
            rate, self._written_before = (written - self._written_before) / seconds, written
            # What telling it costs does not count, or it would be told for ever.
            self.wire = f"{rate / 1000 if rate >= TRICKLE else 0:.1f} kB/s"

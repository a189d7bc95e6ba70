"""Taking in what the feed hands on, drawing it when there is room, saying what came while the program was stopped."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from textual.timer import Timer

from monitor.alerting_app import AlertingApp
from monitor.fit.choices import TerminalFit
from monitor.garbage import GarbageCollection
from monitor.messages import FeedAdvanced
from monitor.model.arrivals import Arrivals, Link
from monitor.screens.console_screen import ConsoleScreen
from monitor.stop_notice import StopNotice
from monitor.terminal import LOOK_EVERY, ConsoleDriver
from monitor.text import clean
from monitor.zone import age

if TYPE_CHECKING:
    from monitor.backend import Backend

STOP_WORTH_TELLING = 1.0
QUIET_AFTER, QUIET_DRAWING = 10.0, 5.0
"""Seconds of silence after which ages have nothing to tell each second, and seconds between looks at them then."""
SETTLED_AFTER = 6.0
"""Seconds after a stop of the program until a connection that died meanwhile was noticed, at the latest."""


class FollowingApp(AlertingApp):
    """Draws at once what keys ask for, and what comes by itself as often as the line and the processor have room.

    `now` is the wall clock, `tick` seconds of a monotonic one. `garbage`, when given, decides when Python collects
    garbage in this process.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        tick: Callable[[], float],
        garbage: GarbageCollection | None,
        fit: TerminalFit | None = None,
    ) -> None:
        super().__init__(fit)
        self.now = now
        self.tick = tick
        self._garbage = garbage
        self._backend: Backend | None = None
        self._undrawn: Arrivals | None = None
        self._arrived_at = self._drawn_at = tick()
        self._draw_timer: Timer | None = None
        self._stop = StopNotice()
        self._continued_at = 0.0

    def on_feed_advanced(self, message: FeedAdvanced) -> None:
        """Take in a frame, and draw it as soon as the line and the processor have room for it."""
        self.model.apply(message.arrivals, self.now(), self.tick())
        if message.arrivals.opening is not None:
            self.look_back()
        self._stop.count(self.model.tally.received, time.monotonic())
        self._undrawn = message.arrivals.after(self._undrawn)
        self._arrived_at = self.tick()
        self._draw_when_due()

    def on_console_driver_continued(self, message: ConsoleDriver.Continued) -> None:
        """Say that the picture stood still; what came meanwhile is told when it is there."""
        if message.seconds >= STOP_WORTH_TELLING:
            moment, now = time.monotonic(), self.now()
            # It was looked at last so long before the stop at most, and no frame came while it lasted.
            self._continued_at = self.tick()
            self._stop.stopped(moment - message.seconds + LOOK_EVERY, moment)
            stopped_for = age(now - timedelta(seconds=message.seconds), now)
            self.notify(f"evtop was stopped for {clean(stopped_for)}; catching up", markup=False)

    def second(self) -> None:
        """Let a second pass: tell what is due, and show how late the picture is."""
        self.model.alerts.tick(self.now())
        self.tell_of_silences()
        self.tell_of_alerts()
        self._tell_what_came_while_stopped()
        if self._garbage is not None:
            self._garbage.second(quiet=self.model.rate.per_second(self.tick()) == 0)
        self.measure_wire()
        is_quiet = self._is_quiet()
        # What is on the way to the screen may have to wait; how late the screen is must not.
        if (
            (is_quiet or self.wait_to_draw() > 0)
            and isinstance(self.screen, ConsoleScreen)
            and self.screen.is_ready
        ):
            self.screen.show_vitals()
        if not is_quiet:
            self._draw_when_due()

    def _is_quiet(self) -> bool:
        """Whether nothing has come for a while, and what stands on the screen was looked at lately."""
        tick = self.tick()
        return tick - self._arrived_at >= QUIET_AFTER and tick - self._drawn_at < QUIET_DRAWING

    def _draw_when_due(self) -> None:
        wait = 0.0 if self._undrawn and self._undrawn.opening else self.wait_to_draw()
        if wait <= 0:
            self._draw()
        elif self._draw_timer is None:
            self._draw_timer = self.set_timer(wait, self._draw)

    def _draw(self) -> None:
        if self._draw_timer is not None:
            self._draw_timer.stop()
            self._draw_timer = None
        arrivals, self._undrawn = self._undrawn, None
        self._drawn_at = self.tick()
        self.drawing()
        self.advance(arrivals)

    def _tell_what_came_while_stopped(self) -> None:
        stop, status = self._stop, self.model.status
        if not stop.waits or self._backend is None or self.tick() - self._continued_at < SETTLED_AFTER:
            return
        is_whole = status.link not in {Link.CONNECTING, Link.RECONNECTING} and not (
            status.repairing or status.store_error
        )
        if is_whole and self._backend.caught_up_at >= stop.continued_at:
            count = stop.told(self.model.tally.received)
            self.notify(f"caught up: {count:,} received since evtop was stopped", markup=False)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Tell the screens: all that collect events, and the one in sight, of which a dialog may hide a part."""
        covered = False
        for screen in reversed(self.screen_stack):
            if isinstance(screen, ConsoleScreen) and screen.is_ready:
                if screen is self.screen or (arrivals and screen.collects):
                    screen.advance(arrivals)
                elif not covered:
                    screen.show_vitals()
                covered = True

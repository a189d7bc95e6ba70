"""The terminal of the console: Textual's driver, and what that leaves out. It is given back whatever happens.

Signals end the console in order, and by force when that takes longer than `END_WITHIN`: a store that does not
answer, or a terminal that takes no more output, keeps nobody waiting. The exit status is 128 + the signal's number.

* SIGTERM, SIGINT (the signal: the key ^C is only a key), SIGHUP, and a terminal that is gone without one: an end
  in order.
* SIGQUIT: for a console that hangs. It waits for nothing, and writes on stderr where each thread was.
* SIGTSTP: the terminal is given back, and taken again with `fg`. Nothing happens where no shell could do that.
* SIGCONT: the terminal is taken anew, as whoever had it meanwhile may have changed it.
* SIGINT while something stands on the terminal's own screen: back to the console, as with the enter key, for there ^C
  is the signal.

A signal that was ignored when the program started stays ignored, as with `nohup`.
"""

from __future__ import annotations

import asyncio
import contextvars
import faulthandler
import math
import os
import signal
import sys
import termios
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from monitor.escape_parser import EscapeParser
from monitor.terminal_device import TerminalOutput, give_back_at_once, terminal_size
from monitor.text import clean

if TYPE_CHECKING:
    from monitor.app import EvtopApp

END_WITHIN = 1.5
"""Seconds in which the console may end in order."""
LOOK_EVERY = 0.5
"""Seconds between looks at whether the terminal is still there."""
SETTLE = 0.1
"""Seconds in which signals that were sent together have all arrived."""
ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LEAVING, _COMING_BACK = 0, -1
"""Noted among signals: the application is ending by itself; it is wanted back on the terminal."""


class ConsoleDriver(LinuxDriver):
    """Textual's driver for Linux and macOS, on stdout, with the signals and the watch described above.

    Signal handlers only take a note: whatever they interrupted may hold the locks that acting needs. A thread
    of its own reads the notes, so that they are acted upon while the event loop is stuck.
    """

    class Continued(Message):
        """The program runs on after it was stopped for `seconds`."""

        def __init__(self, seconds: float) -> None:
            self.seconds = seconds
            super().__init__()

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        watched = (*ENDING, signal.SIGQUIT, signal.SIGTSTP)
        heeded = [number for number in watched if signal.getsignal(number) is not signal.SIG_IGN]
        super().__init__(app, debug=debug, mouse=mouse, size=size or terminal_size())  # pyright: ignore[reportUnknownMemberType]
        self._output = TerminalOutput(sys.__stdout__ or sys.stdout, self._hang_up)
        self._file = cast("Any", self._output)
        self._context = contextvars.copy_context()
        self._notes: SimpleQueue[int] = SimpleQueue()
        self._taken = False
        self._aside: asyncio.Future[None] | None = None
        """Done when the console is wanted back, while it has stepped aside."""
        self._stop_asked = False
        self._end_asked = 0
        """Number of the first signal to end."""
        if signal.SIGTSTP not in heeded:
            signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        for number in (*heeded, signal.SIGCONT):
            signal.signal(number, self._note)
        threading.Thread(target=self._watch, name="terminal watch", daemon=True).start()

    @property
    def bytes_written(self) -> int:
        """What went to the terminal so far."""
        return self._output.written

    @property
    def can_suspend(self) -> bool:
        """Whether a shell with job control started the program: only that can continue it.

        Such a shell gives each job a process group of its own. Elsewhere the group is the session's first one.
        """
        return signal.getsignal(signal.SIGTSTP) is not signal.SIG_IGN and os.getpgrp() != os.getsid(0)

    @property
    def is_aside(self) -> bool:
        """Whether the terminal's own screen is shown, for someone to read or copy."""
        return self._aside is not None

    def write(self, data: str) -> None:
        """Draw on the terminal, as long as it is ours."""
        if self._taken:
            super().write(data)

    async def show_aside(self, lines: Sequence[str]) -> None:
        """Print lines on the terminal's own screen, cleaned once more, and come back when enter was pressed there.

        The console goes on meanwhile, undrawn. Where it does not have the terminal, nothing happens.
        """
        if not self._taken or self._end_asked or self._aside is not None:
            return
        text = "".join(f"{clean(line)}\n" for line in lines)
        self._aside = aside = self._loop.create_future()
        try:
            self._release()
            # Where what is typed cannot be waited for, the lines stay in the terminal's memory all the same.
            with suppress(OSError):
                # Not here: a line that stalls must not keep the feed waiting.
                await asyncio.to_thread(self._print, text)
                self._loop.add_reader(self.fileno, self._read_aside)
                await aside
        finally:
            self._loop.remove_reader(self.fileno)
            self._aside = None
        if not self._end_asked and self._wait_for_foreground():
            self.resume_application_mode()
            self._app.refresh(layout=True)

    def _print(self, text: str) -> None:
        self._output.write(text)
        self._output.flush()

    def _read_aside(self) -> None:
        """Something was typed. The terminal hands it over by lines; an empty read is ^D."""
        try:
            typed = os.read(self.fileno, 4096)
        except OSError:
            self._hang_up()
            self._loop.remove_reader(self.fileno)
            return
        if not typed or typed.endswith((b"\n", b"\r")):
            self._come_back()

    def _come_back(self) -> None:
        if self._aside is not None and not self._aside.done():
            self._aside.set_result(None)

    def start_application_mode(self) -> None:
        """Take the terminal.

        Raises:
            SystemExit: told to end while the program waited in the background, where it may not touch the terminal.
        """
        with _default_action(signal.SIGCONT):
            self._wait_for_foreground()
        if self._end_asked and self._writer_thread is None:
            raise SystemExit(128 + self._end_asked)
        if self._end_asked:
            return
        # A program before this one may have left it so, and output that does not fit would be lost.
        os.set_blocking(1, True)
        self._taken = True
        cast("EvtopApp", self._app).forget_screen()
        super().start_application_mode()

    def stop_application_mode(self) -> None:
        """Give the terminal back; what is left of the program then has `END_WITHIN` seconds."""
        self._notes.put(_LEAVING)
        self._release()

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        self._release()

    def disable_input(self) -> None:
        """Read no more keys."""
        if self._taken:
            super().disable_input()

    def run_input_thread(self) -> None:
        """Read keys until told to stop, or the terminal is gone."""
        # The driver offers no other way to choose its parser.
        linux_driver.XTermParser = EscapeParser  # pyright: ignore[reportPrivateImportUsage]
        try:
            super().run_input_thread()
        except OSError:
            self._hang_up()

    def _get_terminal_size(self) -> tuple[int, int]:
        return terminal_size() or super()._get_terminal_size()

    def _release(self) -> None:
        if not self._taken:
            return
        # A shell whose job was stopped around this program may have the terminal already, and would stop it half way.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        super().stop_application_mode()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTTOU})
        # Written by now, rather than at some time before the program ends.
        self.close()
        self._taken = False

    # Signals

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._aside is not None:
            number = _COMING_BACK
        elif number in ENDING:
            self._end_asked = self._end_asked or number
        elif number == signal.SIGTSTP:
            self._stop_asked = True
        self._notes.put(number)

    def _hang_up(self) -> None:
        """Reading from the terminal or writing to it has failed."""
        self._notes.put(signal.SIGHUP)

    def _watch(self) -> None:
        # From the background too the terminal is given back, rather than the program stopped for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        deadline, status = math.inf, 0
        looked = stopped_at = time.monotonic()
        while True:
            wait = min(LOOK_EVERY, deadline - time.monotonic())
            try:
                note = self._notes.get(timeout=max(0.0, wait))
            except Empty:
                note = None
            now = time.monotonic()
            # Nobody says when SIGSTOP came. After it, this thread may run before the note of SIGCONT is there.
            if now - looked > 2 * LOOK_EVERY or note is None:
                stopped_at = looked
            looked = now
            if note == signal.SIGQUIT:
                self._end_at_once(128 + signal.SIGQUIT, tell_why=True)
            elif note == signal.SIGTSTP:
                self._call(self._stop_as_told)
            elif note == signal.SIGCONT:
                self._call(self._go_on, stopped_at)
            elif note == _COMING_BACK:
                self._call(self._come_back)
            if not status and not self._is_there():
                note = signal.SIGHUP
            if note == _LEAVING or note in ENDING:
                deadline = min(deadline, now + END_WITHIN)
            if note in ENDING and not status:
                status = 128 + cast("int", note)
                # Not at once: a screen that is being composed would be left without the widgets that it counts on.
                self._call(self._app.call_after_refresh, self._app.exit, None, status)
            if now >= deadline:
                if status or not self._loop.is_closed():
                    self._end_at_once(status or self._app.return_code or 0)
                # The application has ended by itself; what its program does then is not of this terminal.
                deadline = math.inf

    def _call(self, step: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(step, *arguments, context=self._context)

    # A terminal that is gone

    def _is_there(self) -> bool:
        try:
            termios.tcgetattr(self.fileno)
        except termios.error:
            return False
        return True

    # Stopping and going on, in the event loop

    def stop_job(self) -> None:
        """Stop, and with it what was started to wait for this program, as the key does outside of consoles."""
        self._stop(0)

    def _stop_as_told(self) -> None:
        # Told twice, it stops once.
        if self._stop_asked:
            self._stop(os.getpid())
            self._stop_asked = False

    def _stop(self, whom: int) -> None:
        if self._taken and self.can_suspend and not self._end_asked:
            began = time.monotonic()
            # First of all: the shell is back as soon as the first of its job has stopped.
            self._release()
            with _default_action(signal.SIGTSTP, signal.SIGCONT):
                os.kill(whom, signal.SIGTSTP)
                self._take_again(began)

    def _go_on(self, stopped_at: float) -> None:
        if self._taken and not self._end_asked:
            with _default_action(signal.SIGCONT):
                if self._wait_for_foreground():
                    self._release()
                    self._take_again(stopped_at)

    def _take_again(self, stopped_at: float) -> None:
        if self._wait_for_foreground():
            self.resume_application_mode()
            self._app.refresh(layout=True)
            self._app.post_message(self.Continued(time.monotonic() - stopped_at))

    def _wait_for_foreground(self) -> bool:
        """Stay stopped while the program is in the background. False when it is to end, or there is no terminal."""
        while not self._end_asked:
            try:
                if os.tcgetpgrp(self.fileno) == os.getpgrp():
                    return True
            except OSError:
                # Either it is gone, or it does not control this program, and nobody forbids anything.
                return self._is_there()
            # A shell's `kill` continues what it tells to end, and any thread may be the one that hears the latter.
            time.sleep(SETTLE)
            if not self._end_asked:
                os.kill(os.getpid(), signal.SIGTTOU)
        return False

    # The end by force

    def _end_at_once(self, status: int, *, tell_why: bool = False) -> NoReturn:
        try:
            if self._taken:
                give_back_at_once(self.fileno, self.attrs_before, self._writer_thread)
            if tell_why:
                faulthandler.dump_traceback(2)
            failure = cast("EvtopApp", self._app).failure
            if failure:
                os.write(2, f"evtop: {clean(failure)}\n".encode())
        finally:
            os._exit(status)


@contextmanager
def _default_action(*numbers: signal.Signals) -> Generator[None]:
    handlers = [(number, signal.signal(number, signal.SIG_DFL)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)

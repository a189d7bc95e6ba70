"""The console application: owns the model, takes in what the feed hands on, and starts and ends it all."""

from __future__ import annotations

import asyncio
import importlib
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from textual.app import SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from monitor.bindings import actions_of
from monitor.errors import StartError, internal_error
from monitor.exports import Exports
from monitor.fit.choices import TerminalFit
from monitor.forgetting_app import ForgettingApp
from monitor.garbage import GarbageCollection
from monitor.health.rule import Rule
from monitor.messages import FeedAdvanced
from monitor.model.arrivals import Arrivals
from monitor.model.console import ConsoleModel
from monitor.model.filter import Filter
from monitor.model.start import Start
from monitor.model.subjects import PageSubject, ResourceName
from monitor.model.timeline import CAPACITY
from monitor.notify.chosen import Telling
from monitor.paths import style
from monitor.screens.actor import ActorScreen
from monitor.screens.console_screen import Answer, Reader
from monitor.screens.live import LiveScreen
from monitor.screens.question import Question
from monitor.screens.resource import ResourceScreen
from monitor.screens.timeline_screen import TimelineScreen
from monitor.terminal import ConsoleDriver
from monitor.text import clean
from monitor.views import ViewFile, ViewsError
from monitor.zone import Zone
from store.errors import StoreError
from store.event_filter import EventFilter

if TYPE_CHECKING:
    from rich.console import RenderableType

    from monitor.backend import Backend
    from monitor.export.formats import Format

QUIT_AGAIN_WITHIN = 2.0
NOTICE_FOR = 10.0
"""Seconds that what is to be known of the start is told."""


class EvtopApp(ForgettingApp):
    """`connect` opens the store and the bus; it is called after the first paint, which waits for neither.

    `garbage`, when given, decides when Python collects garbage in this process.
    `places` tells the help where things are; `name` is what the status line calls this system; `start` is what to
    show first. `views` are the saved ones; what is shown at the end goes to `last`.
    `sources` are the words of the command line that name files to read. `window` is how many rows the timeline keeps.
    `rules` say what is an alert; without, they are those that evtop comes with, which are read after the first paint.
    `telling` says how people hear of alerts.
    """

    TITLE = "evtop"
    CSS_PATH = [style("app.tcss"), style("live.tcss"), style("dialogs.tcss")]
    NOTIFICATION_TIMEOUT = 4
    BINDINGS = [
        Binding("colon,ctrl+p", "command_palette", "Commands"),
        Binding("ctrl+l", "redraw", "Draw the screen again"),
        Binding("tab", "next_pane(1)", "Next / previous pane", show=False, id="app.next-pane"),
        Binding("shift+tab", "next_pane(-1)", "Next / previous pane", show=False, id="app.previous-pane"),
        Binding("ctrl+c", "interrupt", "Twice: quit", priority=True),
        Binding("ctrl+z", "suspend_process", "Stop; fg in the shell goes on", priority=True),
    ]

    def __init__(
        self,
        connect: Callable[[], Awaitable[Backend]],
        *,
        name: str = "local",
        places: Sequence[tuple[str, str]] = (),
        sources: Sequence[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tick: Callable[[], float] = time.monotonic,
        preload: Sequence[str] = ("monitor.backend",),
        garbage: GarbageCollection | None = None,
        start: Start | None = None,
        views: ViewFile | None = None,
        last: ViewFile | None = None,
        fit: TerminalFit | None = None,
        window: int = CAPACITY,
        rules: Sequence[Rule] | None = None,
        telling: Telling | None = None,
    ) -> None:
        super().__init__(now, tick, garbage, fit)
        self.model = ConsoleModel(window)
        self._rules = rules
        self._tells_by = telling
        self._starts_with = start = start or Start()
        self.zone = start.zone
        self.named_zone = None if start.zone in Zone.USUAL else start.zone
        """The zone that was chosen last beside the usual ones."""
        self.reader: Reader | None = None
        self._places = tuple(places)
        self.sources = tuple(sources)
        self.transport = ""
        """What someone on the way to the bus can do, in a line; empty when nothing."""
        self.failure = ""
        """Why the console ended by itself; one line for stderr."""
        self.views = views
        self._last = last
        self.exports = Exports(self._tell_of_export)
        self.unkept = ""
        """Why what was shown is not known the next time; one line for stderr."""
        self._system_name = name
        self._connect = connect
        self._preload = tuple(preload)
        self._interrupted_at = -QUIT_AGAIN_WITHIN

    @property
    def system_name(self) -> str:
        """What the status line calls this system."""
        return self._system_name

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Where things are, and who works for them."""
        done = self.work_done
        return (*self._places, ("worker", done)) if done else self._places

    def open_screen(
        self, screen: Screen[Answer], answered: Callable[[Answer | None], None] | None = None
    ) -> None:
        """Show a screen on top of the present one; `answered` gets what it was dismissed with."""
        self.push_screen(screen, answered)

    def open_page(self, subject: PageSubject) -> None:
        """Show the page of a resource or an actor on top of the present screen."""
        self.open_screen(
            ResourceScreen(subject) if isinstance(subject, ResourceName) else ActorScreen(subject)
        )

    def replace_page(self, subject: PageSubject) -> None:
        """Show the page of a resource or an actor in the place of the present one."""
        self.pop_screen()
        self.open_page(subject)

    def show_events(self, shown: Filter) -> None:
        """Go back to the live screen, with this filter."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if isinstance(self.screen, LiveScreen):
            self.screen.timeline.focus()
            self.screen.apply_filter(shown)

    def show_in(self, zone: Zone) -> None:
        """Show times in `zone`, on all screens."""
        self.zone = zone
        if zone not in Zone.USUAL:
            self.named_zone = zone
        for screen in self.screen_stack:
            if isinstance(screen, TimelineScreen) and screen.is_ready:
                screen.zone_changed()
        self.advance()

    def start_export(self, path: Path, form: Format, chosen: EventFilter, *, replaces: bool) -> None:
        """Write the stored events of `chosen` to a file, beside everything else, in the zone that is shown."""
        # What reads the store takes longer to import than the first paint may wait for.
        from monitor.export.job import ExportJob
        from store.repository import EventRepository

        if self._backend is None or self.exports.job is not None:
            return
        job = ExportJob(path, form, chosen, self.zone.tzinfo, replaces, self.tick)
        repository = EventRepository(self._backend.store.database)
        self.run_worker(self.exports.run(job, repository), group="export", exit_on_error=False)

    def _tell_of_export(self, line: str, is_error: bool) -> None:
        self.notify(clean(line), severity="error" if is_error else "information", markup=False, timeout=10)
        self.advance()

    def exit(self, result: None = None, return_code: int = 0, message: RenderableType | None = None) -> None:
        """End, and keep what is shown for the next time."""
        live = self.screen_stack[0] if self.screen_stack else None
        if self._last is not None and self.model.opened and isinstance(live, LiveScreen) and live.is_ready:
            try:
                self._last.save(self._system_name, live.present(fixed=True))
            except ViewsError as error:
                self.unkept = str(error)
        self._put_title_back()
        super().exit(result, return_code, message)

    async def action_quit(self) -> None:
        """Quit; while something is being exported, ask first."""
        if self.exports.job is None:
            self.exit()
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.exit()

        self.open_screen(Question("an export is running", "quit and give it up"), answered)

    def get_default_screen(self) -> Screen[object]:
        """Start on the live screen."""
        return cast("Screen[object]", LiveScreen(self._starts_with))

    def on_mount(self) -> None:
        """Connect once the first paint is out."""
        self.set_interval(1.0, self.second)
        if self._tells_by is not None:
            self.tell_by(self._tells_by)
        if self._starts_with.notice:
            self.notify(clean(self._starts_with.notice), markup=False, timeout=NOTICE_FOR)
        self.call_after_refresh(self._start)

    async def on_unmount(self) -> None:
        """Close what was opened."""
        self.workers.cancel_all()
        if self._backend is not None:
            await self._backend.close()

    def action_next_pane(self, step: int) -> None:
        """Go to the next or previous pane."""
        if step > 0:
            self.screen.focus_next()
        else:
            self.screen.focus_previous()

    def action_redraw(self) -> None:
        """Draw everything again, for a terminal that something else wrote on."""
        self.forget_screen()
        self.refresh(layout=True)

    def action_interrupt(self) -> None:
        """Quit when pressed twice: one slip of the hand must not end the watch."""
        now = self.tick()
        if now - self._interrupted_at < QUIT_AGAIN_WITHIN:
            # Not at once: a screen that is being composed would be left without the widgets that it counts on.
            self.call_after_refresh(self.exit)
        self._interrupted_at = now
        self.notify("press ^C again to quit", markup=False, timeout=QUIT_AGAIN_WITHIN)

    def action_suspend_process(self) -> None:
        """Stop, until the shell goes on with it."""
        if isinstance(self._driver, ConsoleDriver) and self._driver.can_suspend:
            self._driver.stop_job()
        else:
            self.notify("there is no shell that could continue evtop", markup=False)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The command palette offers what the keys of the screen do."""
        for description, keys, action in actions_of(screen):
            yield SystemCommand(description, f"key {keys}", partial(self._run_on, screen, action))
        yield from self.theme_commands()

    def _run_on(self, screen: Screen[object], action: str) -> None:
        self.call_later(screen.run_action, action)

    def _start(self) -> None:
        # Called by the worker itself: one that is ended before it began leaves no coroutine that nobody waits for.
        self.run_worker(self._run_backend, name="feed", exit_on_error=False)

    async def _run_backend(self) -> None:
        try:
            # SQLAlchemy and redis take longer to import than the first paint may wait for.
            for module in self._preload:
                await asyncio.to_thread(importlib.import_module, module)
            self._backend = await self._connect()
            self.reader = self._backend
            if self._backend.weakness:
                self.transport = self._backend.weakness
                self._places += (("transport", self.transport),)
            await self.watch_by(self._rules, self._backend)
            if self._garbage is not None:
                self._garbage.settle()
            await self._backend.run(self._deliver, self.model.alerts.interest)
        except (StoreError, StartError) as error:
            self._fail(str(error))
        except Exception as error:
            # A feed that has ended must not look like a quiet one; Textual's own report would print locals,
            # and with them credentials.
            self.log.error("the feed ended", error)
            cause: BaseException = error
            while isinstance(cause, BaseExceptionGroup):
                cause = cause.exceptions[0]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            self._fail(f"internal error in the feed: {type(cause).__name__}")  # pyright: ignore[reportUnknownArgumentType]

    def _fatal_error(self) -> None:
        # Textual's own report prints locals, with the credentials in them, and event text as it came.
        self.failure = internal_error(sys.exception())
        self._close_messages_no_wait()

    def _fail(self, message: str) -> None:
        self.failure = message
        self.exit(return_code=1)

    def _deliver(self, arrivals: Arrivals) -> None:
        self.post_message(FeedAdvanced(arrivals))

"""The dashboard: how much happened in a period, what failed, who was busy, what was searched for."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content

from monitor.dashboard_reading import Figures, read_figures
from monitor.errors import read_failure
from monitor.model.arrivals import Arrivals
from monitor.model.dashboard import Period, Ranked
from monitor.model.filter import Facet, Filter
from monitor.model.subjects import ActorName, ResourceName
from monitor.screens.console_screen import ConsoleScreen, Reader
from monitor.screens.help import HelpScreen
from monitor.screens.reading_screen import RETRY_AFTER
from monitor.text import clean
from monitor.widgets.key_hints import KeyHints
from monitor.widgets.lines import Part
from monitor.widgets.ranked_list import RankedList
from monitor.widgets.resource_lines import counted, label
from monitor.widgets.spark import spark
from monitor.widgets.status_line import StatusLine
from monitor.widgets.subject_header import SubjectHeader
from monitor.zone import age

REFRESH_AFTER = 60.0
"""Seconds until the figures are read again, at the earliest."""
READING_SHARE = 0.05
"""The share of the time that reading them may take."""
HINTS = [
    ("z Z", "shorter, longer"),
    ("tab", "next list"),
    ("enter", "page, events"),
    ("esc", "back"),
    ("?", "help"),
]
LISTS = {
    "categories": "Categories",
    "failing": "Errors by resource",
    "resources": "Busiest resources",
    "actors": "Busiest actors",
    "searches": "Searches",
    "fruitless": "Searches that found nothing",
}
"""Figures, and the titles of their lists."""


class DashboardScreen(ConsoleScreen):
    """Six lists under a trend. What is read already stands there while the rest is read."""

    BINDINGS = [
        Binding("z", "period(-1)", "A shorter period", id="dashboard.shorter"),
        Binding("Z", "period(1)", "A longer period", id="dashboard.longer"),
        Binding("tab", "next_list(1)", "Next / previous list", id="dashboard.next-list"),
        Binding("shift+tab", "next_list(-1)", "Next / previous list", id="dashboard.previous-list"),
        Binding("ctrl+r", "read_again", "Read the figures again"),
        Binding("question_mark,f1", "help", "Help"),
        Binding("escape,q,5", "app.pop_screen", "Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._period = Period.HOUR
        self._figures: Figures | None = None
        self._is_reading = False
        self._failure = ""
        self._due = 0.0

    def compose(self) -> ComposeResult:
        """Status line, trend, lists, hints."""
        yield StatusLine(id="status")
        trend = SubjectHeader(id="trend")
        trend.add_class("pane")
        yield trend
        with Container(id="dashboard"):
            for name, title in LISTS.items():
                ranked = RankedList(id=f"ranked-{name}")
                ranked.add_class("pane")
                ranked.border_title = Content(clean(title))
                yield ranked
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Start on what fails."""
        self.query_one("#ranked-failing", RankedList).focus()
        self.call_after_refresh(self.advance)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Read when it is time, and draw what is known now."""
        self.show_vitals()
        if self.console.tick() >= self._due and not self._is_reading:
            self._read()
        self._draw()

    def action_period(self, steps: int) -> None:
        """Show a shorter or longer period."""
        period = self._period.step(steps)
        if period is not self._period:
            self._period = period
            self._figures = None
            self._read()
            self._draw()

    def action_next_list(self, step: int) -> None:
        """Go to the next or previous list."""
        lists = list(self.query(RankedList))
        place = next((number for number, one in enumerate(lists) if one.has_focus), 0)
        lists[(place + step) % len(lists)].focus()

    def action_read_again(self) -> None:
        """Read all figures again."""
        self._read()

    def action_help(self) -> None:
        """Tell the keys."""
        self.console.open_screen(HelpScreen(self.focused, self, self.console.places))

    def on_ranked_list_chosen(self, message: RankedList.Chosen) -> None:
        """Open the page of what was chosen, or its events on the timeline."""
        match message.target:
            case ResourceName() | ActorName() as subject:
                self.console.open_page(subject)
            case Facet() as facet:
                self.console.show_events(Filter().soloed(facet))
            case query:
                # Lark costs more to import than the first paint may wait for.
                from store.query.parser import describe

                self.console.show_events(Filter().with_query(describe(query), query))

    # Reading

    def _read(self) -> None:
        reader = self.console.reader
        if reader is not None:
            self._is_reading = True
            work = partial(self._read_period, reader, self._period)
            self.run_worker(work, group="dashboard", exclusive=True, exit_on_error=False)

    async def _read_period(self, reader: Reader, period: Period) -> None:
        console = self.console
        began = console.tick()
        try:
            async for figures in read_figures(reader, period, console.now()):
                before = self._figures
                # The figures of before stand until all of the new ones are there.
                if before is None or before.resources is None or figures.resources is not None:
                    self._figures = figures
                    self._draw()
        except Exception as error:
            # Whatever it was, what was read stands there, and is read again.
            self._failure = read_failure(error)
            self._due = console.tick() + RETRY_AFTER
        else:
            self._failure = ""
            taken = console.tick() - began
            self._due = console.tick() + max(REFRESH_AFTER, taken / READING_SHARE)
        self._is_reading = False
        if self.is_ready:
            self._draw()

    # Drawing

    def _draw(self) -> None:
        if not self.is_ready:
            return
        figures, trend = self._figures, self.query_one(SubjectHeader)
        trend.border_title = Content(clean(f"The last {self._period.label}"))
        trend.border_subtitle = Content(clean(self._told()))
        trend.show(self._trend())
        for name in LISTS:
            entries: tuple[Ranked, ...] | None = getattr(figures, name) if figures is not None else None
            empty = "reading…" if entries is None else "none"
            ranked = self.query_one(f"#ranked-{name}", RankedList)
            ranked.show(entries or (), empty)
            if name in {"searches", "fruitless"}:
                is_cut = figures is not None and figures.searches_cut
                ranked.border_subtitle = Content(clean("of the newest" if is_cut else ""))

    def _told(self) -> str:
        if self._failure:
            return f"not read: {self._failure}"
        if self._figures is None:
            return "reading…"
        return f"read {age(self._figures.at, self.console.now())} ago"

    def _trend(self) -> list[list[Part]]:
        trend = self._figures.trend if self._figures is not None else None
        if trend is None:
            return [[label("events")], [label("errors")]]
        events, errors = sum(trend.events), sum(trend.errors)
        share = f"  {100 * errors / events:.1f} %" if events else ""
        return [
            [label("events"), (spark(trend.events), "accent"), (f"  {events:,}", "")],
            [
                label("errors"),
                (spark(trend.errors), "error"),
                (f"  {counted(errors, 'error')}{share}", "error" if errors else "dim"),
            ],
        ]

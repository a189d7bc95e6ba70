"""The dashboard: how much happened in a period, what failed, who was busy, what was searched for."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from enum import Enum
from functools import partial

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.content import Content

from monitor.errors import read_failure
from monitor.model.arrivals import Arrivals
from monitor.model.dashboard import by_weekday, catalogue, operations
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
from monitor.widgets.trend_chart import TrendChart
from monitor.widgets.week_heatmap import WeekHeatmap
from monitor.zone import age
from store.featured_item import FeaturedItem
from store.figures.figures import Figures
from store.figures.period import Period

REFRESH_AFTER = 60.0
"""Seconds until the figures are read again, at the earliest."""
READING_SHARE = 0.05
"""The share of the time that reading them may take."""
HINTS = [
    ("v", "other figures"),
    ("z Z", "shorter, longer"),
    ("tab", "next list"),
    ("enter", "page, events"),
    ("esc", "back"),
    ("?", "help"),
]
LISTS = 6


class Board(Enum):
    """What of the figures is shown: lists for those who keep it running, for those who run a catalogue, or times."""

    OPERATIONS = "operations"
    CATALOGUE = "catalogue"
    TIMES = "times"


class DashboardScreen(ConsoleScreen):
    """Six lists under a trend, or the trend at length and the hours of the week. What is known already stands there."""

    BINDINGS = [
        Binding("v", "board(1)", "Operations, catalogue, times", id="dashboard.board"),
        Binding("z", "period(-1)", "A shorter period", id="dashboard.shorter"),
        Binding("Z", "period(1)", "A longer period", id="dashboard.longer"),
        Binding("tab", "next_list(1)", "Next / previous list", id="dashboard.next-list"),
        Binding("shift+tab", "next_list(-1)", "Next / previous list", id="dashboard.previous-list"),
        Binding("ctrl+r", "read_again", "Work the figures out anew"),
        Binding("question_mark,f1", "help", "Help"),
        Binding("escape,q,5", "app.pop_screen", "Back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._period = Period.HOUR
        self._board = Board.OPERATIONS
        self._figures: Figures | None = None
        self._featured: list[FeaturedItem] | None = None
        self._is_reading = False
        self._failure = ""
        self._due = 0.0

    @property
    def is_reading(self) -> bool:
        """Whether figures are awaited."""
        return self._is_reading

    def compose(self) -> ComposeResult:
        """Status line, trend, lists, chart and heatmap, hints."""
        yield StatusLine(id="status")
        trend = SubjectHeader(id="trend")
        trend.add_class("pane")
        yield trend
        with Container(id="dashboard"):
            for number in range(LISTS):
                ranked = RankedList(id=f"ranked-{number}")
                ranked.add_class("pane")
                yield ranked
        with Container(id="times"):
            for lines in (TrendChart(id="chart"), WeekHeatmap(id="week")):
                lines.add_class("pane")
                yield lines
        yield KeyHints(HINTS, id="hints")

    def on_mount(self) -> None:
        """Start on what fails."""
        self.query_one("#times").display = False
        self.query_one("#ranked-1", RankedList).focus()
        self.call_after_refresh(self.advance)

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """Read when it is time, and draw what is known now."""
        self.show_vitals()
        if self.console.tick() >= self._due and not self._is_reading:
            self._read()
        self._draw()

    def action_board(self, step: int) -> None:
        """Show other figures of the same period."""
        boards = list(Board)
        self._board = boards[(boards.index(self._board) + step) % len(boards)]
        shows_times = self._board is Board.TIMES
        self.query_one("#times").display = shows_times
        self.query_one("#dashboard").display = not shows_times
        self.query_one("#trend").display = not shows_times
        if not shows_times:
            lists = self.query(RankedList)
            (next((one for one in lists if one.has_focus), None) or lists.first()).focus()
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
        """Work all figures out, though somebody did lately."""
        self._read(anew=True)

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

    def _read(self, *, anew: bool = False) -> None:
        reader = self.console.reader
        if reader is not None:
            self._is_reading = True
            work = partial(self._read_period, reader, self._period, anew)
            self.run_worker(work, group="dashboard", exclusive=True, exit_on_error=False)

    async def _read_period(self, reader: Reader, period: Period, anew: bool) -> None:
        console = self.console
        began = console.tick()
        try:
            async with aclosing(reader.figures(period, anew=anew)) as steps:
                async for figures in steps:
                    before = self._figures
                    # The figures of before stand until all of the new ones are there.
                    if before is None or before.lists is None or figures.lists is not None:
                        self._figures = figures
                        self._draw()
            self._featured = await reader.featured()
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
        figures, title = self._figures, Content(clean(f"The last {self._period.label}"))
        told = Content(clean(self._told()))
        if self._board is Board.TIMES:
            self._draw_times(figures, title, told)
            return
        trend = self.query_one(SubjectHeader)
        trend.border_title, trend.border_subtitle = title, told
        trend.show(self._trend(figures))
        if self._board is Board.OPERATIONS:
            shown = operations(figures)
        else:
            shown = catalogue(figures, self._featured, self.console.now())
        for number, one in enumerate(shown):
            ranked = self.query_one(f"#ranked-{number}", RankedList)
            ranked.border_title = Content(clean(one.title))
            ranked.border_subtitle = Content(clean(one.told))
            ranked.show(one.entries or (), "reading…" if one.entries is None else "none")

    def _draw_times(self, figures: Figures | None, title: Content, told: Content) -> None:
        chart, week, console = self.query_one(TrendChart), self.query_one(WeekHeatmap), self.console
        chart.border_title, chart.border_subtitle = title, told
        week.border_title = Content(clean("Events by weekday and hour"))
        if figures is None:
            chart.show((), ("", ""))
            week.show((), "reading…")
            return
        moments = [
            datetime.fromtimestamp(60 * minute, UTC)
            for minute in (figures.since, figures.since + figures.period.bars * figures.period.bar)
        ]
        ends = [f"{moment.astimezone(console.zone.tzinfo):%m-%d %H:%M}" for moment in moments]
        series = (("events", "accent", figures.events), ("errors", "error", figures.errors))
        chart.show(series, (ends[0], ends[1]))
        week.show(
            by_weekday(figures.hours, console.zone.tzinfo),
            "a day or longer (Z) tells the hours" if figures.period is Period.HOUR else "none",
        )

    def _told(self) -> str:
        if self._failure:
            return f"not read: {self._failure}"
        figures = self._figures
        if figures is None:
            return "reading…"
        told = f"worked out {age(figures.computed_at, self.console.now())} ago"
        if figures.lists is None:
            return f"{told}, lists are to come"
        return told if figures.lists.is_exact else f"{told}, rare ones left out"

    def _trend(self, figures: Figures | None) -> list[list[Part]]:
        if figures is None:
            return [[label("events")], [label("errors")]]
        events, errors = sum(figures.events), sum(figures.errors)
        share = f"  {100 * errors / events:.1f} %" if events else ""
        return [
            [label("events"), (spark(figures.events), "accent"), (f"  {events:,}", "")],
            [
                label("errors"),
                (spark(figures.errors), "error"),
                (f"  {counted(errors, 'error')}{share}", "error" if errors else "dim"),
            ],
        ]

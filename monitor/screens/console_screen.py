"""What the screens of the console share: the model, the clock, and being told when the feed moved on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, cast

from textual.screen import Screen

from monitor.exports import Exports
from monitor.masking import is_masking
from monitor.model.arrivals import Arrivals, FeedStatus, Link
from monitor.model.console import ConsoleModel
from monitor.model.subjects import PageSubject
from monitor.text import clean, fit
from monitor.views import ViewFile
from monitor.widgets.status_line import StatusLine, Vitals
from monitor.zone import Zone, lasted
from store.event import Event
from store.event_filter import EventFilter
from store.featured_item import FeaturedItem
from store.figures.figures import Figures
from store.figures.period import Period
from store.query.syntax import Node

if TYPE_CHECKING:
    from monitor.export.formats import Format
    from monitor.model.filter import Filter
    from monitor.model.rows import SortKey


SILENT_AFTER = 1.0
"""Seconds beyond the usual delay after which the picture is as late as the newest event is old."""
TENTHS_UNTIL = 60.0
"""Seconds of delay of which tenths are told."""
Answer = TypeVar("Answer")
Selection = Node | EventFilter
"""What is asked of the store: a query, or a filter with a span of time."""


class Reader(Protocol):
    """What screens read from the store: pages of events, newest first."""

    async def before(self, floor: SortKey | None, limit: int, query: Selection) -> list[Event]:
        """The newest events that match `query` and come before `floor`."""
        ...

    async def newest_of_types(self, types: Sequence[str], limit: int) -> list[Event]:
        """The newest events of `types`."""
        ...

    async def after(self, ceiling: SortKey, limit: int, query: Selection) -> list[Event]:
        """The events that match `query` and come right after `ceiling`, newest first."""
        ...

    async def resource_events(
        self,
        resource_type: str,
        resource_id: str,
        limit: int,
        query: Selection,
        *,
        before: SortKey | None = None,
        after: SortKey | None = None,
    ) -> list[Event]:
        """The newest events of a resource, in both roles, that match `query`; right before or right after a place."""
        ...

    async def resource_span(self, resource_type: str, resource_id: str) -> tuple[int, datetime | None]:
        """How many events a resource has, and the time of its first."""
        ...

    async def span(self, chosen: EventFilter) -> tuple[int, datetime | None]:
        """How many events there are of `chosen`, and the time of the first."""
        ...

    async def histogram(
        self, since: int, until: int, step: int, query: Node
    ) -> list[tuple[int, str | None, int]]:
        """(First minute of a bar, severity, number) of the minutes from `since` up to and without `until`."""
        ...

    async def combinations(
        self, names: Sequence[str], chosen: EventFilter, limit: int
    ) -> list[tuple[tuple[str | None, ...], int]]:
        """The most frequent values of the fields `names` together, with how many events of `chosen` have them."""
        ...

    def figures(self, period: Period, *, anew: bool = False) -> AsyncGenerator[Figures]:
        """The figures of `period` as far as they are known, then whole; those worked out lately, unless `anew`."""
        ...

    async def featured(self) -> list[FeaturedItem]:
        """What is featured now."""
        ...

    async def counters(self, resource_type: str, resource_id: str) -> Mapping[str, int]:
        """What events counted for a resource."""
        ...

    async def known_types(self) -> list[str]:
        """Every event type that was ever stored."""
        ...


class Console(Protocol):
    """What screens need of the application."""

    model: ConsoleModel
    zone: Zone
    named_zone: Zone | None
    reader: Reader | None
    system_name: str
    places: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]
    transport: str
    wire: str
    exports: Exports
    views: ViewFile | None
    now: Callable[[], datetime]
    tick: Callable[[], float]

    def copy(self, text: str, what: str) -> None:
        """Put clean text on the clipboard of the terminal, and say so; `what` names it."""
        ...

    def save_note(self, text: str) -> None:
        """Write clean Markdown to a file, and to the clipboard, and say so."""
        ...

    def print_plain(self, lines: Sequence[str]) -> None:
        """Print lines on the terminal's own screen, where its mouse can copy them, until enter is pressed there."""
        ...

    def show_in(self, zone: Zone) -> None:
        """Show times in `zone`, on all screens."""
        ...

    @property
    def unrecorded(self) -> str:
        """Why what fires is not on record, so that no other console knows of it; empty when it is."""
        ...

    @property
    def worker_trouble(self) -> str:
        """What is the matter with workers, in a few words; empty when there is nothing to look at."""
        ...

    @property
    def untold(self) -> str:
        """Why people were not told of alerts lately; empty when they were."""
        ...

    def show_events(self, shown: Filter) -> None:
        """Go back to the live screen, with this filter."""
        ...

    def record_alert(self, event: Event, said: str) -> None:
        """Record what someone says of an alert, beside everything else, and then tell `said`; or why it cannot be."""
        ...

    def start_export(self, path: Path, form: Format, chosen: EventFilter, *, replaces: bool) -> None:
        """Write the stored events of `chosen` to a file, beside everything else, in the zone that is shown."""
        ...

    def open_page(self, subject: PageSubject) -> None:
        """Show the page of a resource or an actor on top of this screen."""
        ...

    def replace_page(self, subject: PageSubject) -> None:
        """Show the page of a resource or an actor in the place of this screen."""
        ...

    def open_screen(
        self, screen: Screen[Answer], answered: Callable[[Answer | None], None] | None = None
    ) -> None:
        """Show a screen on top of this one."""
        ...


class ConsoleScreen(Screen[None]):
    """A screen of the console."""

    collects: ClassVar[bool] = False
    """Whether the screen keeps events of its own, and so must be told of them while another one is on top."""

    @property
    def console(self) -> Console:
        """The application, as screens may use it."""
        return cast("Console", self.app)  # pyright: ignore[reportUnknownMemberType]

    @property
    def is_ready(self) -> bool:
        """Whether its widgets are there: a frame may come before they are composed, or after they are removed."""
        return self.is_mounted and self.is_attached and self.is_running

    def vitals(self) -> Vitals:
        """What the status line shows now."""
        console, model, status = self.console, self.console.model, self.console.model.status
        now, tick = console.now(), console.tick()
        silence = model.newest_age(tick)
        return Vitals(
            place=console.system_name,
            status=status,
            tally=model.tally,
            rate=model.rate.per_second(tick),
            lag="" if silence is None else _lag(silence, model.lag, status.link),
            stale=f"stale since {console.zone.second(status.stale_since)}" if status.stale_since else "",
            retry=_retry(status, now),
            skew=_skew(model.skew.worst(tick)),
            late=model.late,
            open_gaps=model.open_gaps,
            firing=sum(one.attention for one in model.alerts.shown(now)),
            open_to_others=bool(console.transport),
            worker=console.worker_trouble,
            shows_personal=not is_masking(),
            clock=console.zone.clock(now),
            wire=console.wire,
        )

    def show_vitals(self) -> None:
        """Bring the status line up to date: it goes on whatever is frozen, or lies on top."""
        self.query_one(StatusLine).show(self.vitals())

    def advance(self, arrivals: Arrivals | None = None) -> None:
        """The feed moved on (`arrivals`), or just time did."""

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was on top."""
        if self.is_ready:
            self.advance()


def _lag(silence: float, delivery: float | None, link: Link) -> str:
    """How late the picture is: the delay of the last batch while events keep coming, else the silence since."""
    if delivery is not None and silence < delivery + SILENT_AFTER:
        return f"{max(0.0, delivery):.1f} s" if delivery < TENTHS_UNTIL else lasted(round(delivery))
    # While the feed lives, silence is no news that a quiet line should be kept busy with.
    return lasted(round(silence), is_exact=link is not Link.LIVE)


def _retry(status: FeedStatus, now: datetime) -> str:
    """Which try to reach the bus comes next, and when."""
    if status.link is Link.LIVE or not status.attempt:
        return ""
    seconds = 0.0 if status.retry_at is None else (status.retry_at - now).total_seconds()
    # Whatever happened to the clock meanwhile.
    seconds = min(seconds, status.retry_in)
    # A try that is under way may take as long as the bus is given to answer.
    return f"try {status.attempt + 1} in {seconds:.0f} s" if seconds >= 0.5 else f"try {status.attempt + 1}"


def _skew(worst: tuple[str, float] | None) -> str:
    """The producer whose clock is furthest off, by its host, and by how much: `web-1 +92 s`."""
    if worst is None:
        return ""
    producer, ahead = worst
    host = fit(clean(producer.partition(":")[0]), 16, pad=False)
    return f"{host} {'+' if ahead > 0 else '−'}{_duration(abs(ahead))}"


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"

"""What the screens of the console share: the model, the clock, and being told when the feed moved on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar, cast

from textual.screen import Screen

from monitor.model.arrivals import Arrivals
from monitor.model.console import ConsoleModel
from monitor.widgets.status_line import StatusLine, Vitals
from monitor.zone import Zone, age
from store.event import Event
from store.query.syntax import Node

if TYPE_CHECKING:
    from monitor.model.rows import SortKey


Answer = TypeVar("Answer")


class Reader(Protocol):
    """What screens read from the store: pages of events, newest first."""

    async def before(self, floor: SortKey | None, limit: int, query: Node) -> list[Event]:
        """The newest events that match `query` and come before `floor`."""
        ...

    async def resource_events(
        self, resource_type: str, resource_id: str, floor: SortKey | None, limit: int
    ) -> list[Event]:
        """The newest events of a resource, in both roles, before `floor`."""
        ...

    async def resource_span(self, resource_type: str, resource_id: str) -> tuple[int, datetime | None]:
        """How many events a resource has, and the time of its first."""
        ...


class Console(Protocol):
    """What screens need of the application."""

    model: ConsoleModel
    zone: Zone
    reader: Reader | None
    system_name: str
    places: tuple[tuple[str, str], ...]
    now: Callable[[], datetime]
    tick: Callable[[], float]

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
        console, model = self.console, self.console.model
        now = console.now()
        return Vitals(
            console.system_name,
            model.status,
            model.tally,
            model.rate.per_second(console.tick()),
            "" if model.newest_at is None else _lag(age(model.newest_at, now), model.lag),
            model.open_gaps,
            model.alerts.firing,
            console.zone.clock(now),
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


def _lag(since_newest: str, delivery: float | None) -> str:
    """How late the picture is: the delay of the last batch while events keep coming, else the silence since."""
    if delivery is not None and since_newest in {"0 s", "1 s", "2 s"}:
        return f"{max(0.0, delivery):.1f} s"
    return since_newest

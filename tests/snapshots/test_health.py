"""Pictures of the board of all components."""

from __future__ import annotations

from datetime import timedelta

from textual.pilot import Pilot

from monitor.fit.choices import TerminalFit
from monitor.screens.health_board import HealthBoardScreen
from store.errors import StoreUnavailableError
from store.event import Event
from tests.events import make_event
from tests.snapshots.conftest import Drawn, at_every_size
from tests.snapshots.scenes import NOW, Scene
from tests.waiting import until

PAST = {
    "indexer/tidepool": [(24 * 50, "up"), (24 * 9, "down"), (24 * 8.5, "up"), (3, "degraded"), (0.1, "down")],
    "indexer/gullnest": [(24 * 50, "up")],
    "indexer/orchard": [(24 * 6, "up"), (20, "down"), (19, "up"), (9, "degraded"), (7.5, "up")],
    "download_client/seedbox": [
        (24 * 50, "up"),
        *((12 - number / 3, "up" if number % 2 else "down") for number in range(18)),
    ],
    "download_client/attic": [(24 * 50, "up"), (24 * 12, "down"), (24 * 11, "up")],
    "disk/library": [(24 * 50, "up"), (5, "degraded")],
    "transcoder": [(7, "up")],
    "subtitle_provider/\x1b[31m蓬莱 [b]🏮": [(24 * 50, "up"), (2, "rebooting")],
}
"""What each reported, and how many hours ago."""


def a_month_of_health() -> list[Event]:
    events: list[Event] = []
    for component, reports in PAST.items():
        kind, _, identifier = component.partition("/")
        events += [
            make_event(
                100 + len(events) + number,
                event_type=f"{kind}.health_changed",
                resource_type=kind,
                resource_id=identifier or None,
                status=status,
                severity=None,
                inserted_at=NOW - timedelta(hours=hours),
            )
            for number, (hours, status) in enumerate(reports)
        ]
    return events


async def read(scene: Scene, pilot: Pilot[None]) -> None:
    """Open the board and wait until the past is there."""
    await pilot.press("H")
    screen = scene.app.screen
    assert isinstance(screen, HealthBoardScreen)
    await until(lambda: screen._is_read)
    await pilot.pause()


@at_every_size
def test_the_board(drawn: Drawn) -> None:
    """Indexers first, of which tidepool is down in red, with the cursor on it; then the degraded disk in amber, a
    provider whose state is unknown and whose name is a harmless mess, and at the end what is up.

    The seedbox has many flaps, and its strip many high bars; orchard's uptime over 30 days is of 6 days, the
    transcoder's is of 7 hours, with a strip that is blank before. At 80 columns the last change has no room; nothing
    wraps. At 200, a cell of the strips is a quarter of an hour.
    """
    assert drawn(act=read, events=a_month_of_health)


def test_the_board_in_ascii_without_colours(drawn: Drawn) -> None:
    """The same in ASCII and without colours: x ! ? * and the words tell the states; strips go from . over = to %."""
    fit = TerminalFit(theme="monochrome", colour=False, ascii=True, encoding="ascii")
    assert drawn(act=read, events=a_month_of_health, fit=fit)


def test_the_board_when_the_store_is_away(drawn: Drawn) -> None:
    """What the console knows is there, and the lower edge says in one line that the past is not read, and why."""

    async def fail(scene: Scene, pilot: Pilot[None]) -> None:
        async def away() -> list[str]:
            raise StoreUnavailableError("EVTOP_STORE: connection refused")

        assert scene.app.reader is not None
        scene.app.reader.known_types = away
        await pilot.press("H")
        screen = scene.app.screen
        assert isinstance(screen, HealthBoardScreen)
        await until(lambda: screen._failure)
        await pilot.pause()

    assert drawn(act=fail, events=a_month_of_health)

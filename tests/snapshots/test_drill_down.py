"""Pictures of what opens from a row: detail, resource page, help, palette."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from monitor import masking
from monitor.masking import Mask
from monitor.screens.actor import ActorScreen
from monitor.screens.dashboard import DashboardScreen
from monitor.screens.resource import ResourceScreen
from monitor.screens.subject_page import SubjectPage
from store.figures.period import Period
from tests.events import make_event
from tests.snapshots.conftest import Drawn, at_every_size
from tests.snapshots.scenes import NOW, Scene
from tests.waiting import until


@at_every_size
def test_detail(drawn: Drawn) -> None:
    """The failed job in a framed box over the dimmed live screen: every field, then the metadata as a tree."""
    assert drawn("E", "enter")


@at_every_size
def test_detail_as_json(drawn: Drawn) -> None:
    """The same box with the event as indented JSON; the lower edge says which keys there are."""
    assert drawn("E", "enter", "v")


@at_every_size
def test_personal_data_is_hidden(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login: ip and user agent are stand-ins, `ip·` and six digits; the region is as it is."""
    monkeypatch.setattr(masking, "_active", [Mask(key=bytes(16))])
    assert drawn(act=_a_login)


@at_every_size
def test_personal_data_is_shown(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same login with address and user agent; behind it, the status line says in yellow that they are shown."""
    monkeypatch.setattr(masking, "_active", [None])
    assert drawn(act=_a_login)


async def _a_login(scene: Scene, pilot: Pilot[None]) -> None:
    metadata = {"ip": "203.0.113.7", "user_agent": "Firefox/141.0", "region": "eu-west"}
    await scene.happens(pilot, make_event(9001, event_type="user.login", metadata=metadata, inserted_at=NOW))
    await pilot.press("G", "enter")
    await pilot.pause()


@at_every_size
def test_refusals(drawn: Drawn) -> None:
    """Three reasons with how many messages have them, then the messages, newest first, hostile text as marks."""

    async def refuse(scene: Scene, pilot: Pilot[None]) -> None:
        assert scene.bus is not None
        for payload in (b"this is no event", b'{"msg":"\x1b[31mred"}', b'{"level":30,"msg":"Disk full"}'):
            scene.bus.publish(payload)
        await until(lambda: len(scene.app.model.refusals) == 3)
        await pilot.pause()

    assert drawn("M", act=refuse)


async def known(page: SubjectPage) -> None:
    """Wait until its top tells of all that is below it."""
    await until(lambda: page._summed_up and not page._facts_stale)
    if isinstance(page, ResourceScreen):
        await until(lambda: not page._more_stale)
        await until(lambda: not any(one.is_running for one in page.app.workers if one.group == "more"))


@at_every_size
def test_resource_page(drawn: Drawn) -> None:
    """The indexer that is down: status in red with since when, its history newest first, its own timeline."""

    async def open_page(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("3", "enter")
        screen = scene.app.screen
        assert isinstance(screen, ResourceScreen)
        await known(screen)

    assert drawn(act=open_page)


@at_every_size
def test_nothing_refused(drawn: Drawn) -> None:
    """One line says that nothing was refused."""
    assert drawn("M")


@at_every_size
def test_resource_page_in_its_secondary_role(drawn: Drawn) -> None:
    """A series with the failed downloads that name it as their secondary resource; its first event, who acted."""

    async def open_page(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("E", "E", "enter", "R")
        screen = scene.app.screen
        assert isinstance(screen, ResourceScreen)
        await known(screen)

    assert drawn(act=open_page)


@at_every_size
def test_actor_page(drawn: Drawn) -> None:
    """What one user did: when it began, a bar for each half hour of the last day, categories, resources, lists.

    Its own timeline is below, with nothing but its rows.
    """

    async def open_page(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("g", "enter", "a")
        screen = scene.app.screen
        assert isinstance(screen, ActorScreen)
        await known(screen)

    assert drawn(act=open_page)


@at_every_size
def test_dashboard(drawn: Drawn) -> None:
    """The last hour: bars of events, errors in red, six lists in two columns; the cursor is on what fails most.

    Of categories, the share of errors stands in red before the number. At 80 columns all lists have their first rows.
    """

    async def open_dashboard(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("5")
        screen = scene.app.screen
        assert isinstance(screen, DashboardScreen)
        await until(lambda: screen._figures and screen._figures.lists is not None)

    assert drawn(act=open_dashboard)


@at_every_size
def test_dashboard_of_a_catalogue(drawn: Drawn) -> None:
    """What was viewed, downloaded and liked most, searches, recommendations with the share that was clicked.

    The last list is what is featured now, each with how long it has been.
    """

    async def open_catalogue(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("5", "v")
        screen = scene.app.screen
        assert isinstance(screen, DashboardScreen)
        await until(lambda: screen._featured is not None)

    assert drawn(act=open_catalogue)


@at_every_size
def test_dashboard_of_times(drawn: Drawn) -> None:
    """The last day: two lines of braille, errors in red, each with its highest number, and a row for each weekday.

    Both ends of the lines have their time; the busiest hour of the week is the darkest.
    """

    async def open_times(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("5", "v", "v", "Z")
        screen = scene.app.screen
        assert isinstance(screen, DashboardScreen)
        await until(lambda: screen._figures and screen._period is Period.DAY and screen._featured is not None)
        await until(
            lambda: screen._figures and screen._figures.period is Period.DAY and screen._figures.lists
        )

    assert drawn(act=open_times)


@at_every_size
def test_help(drawn: Drawn) -> None:
    """Keys of the timeline first, then keys everywhere; terms in colour at the left, meanings beside them."""
    assert drawn("question_mark")


def test_help_legend(drawn: Drawn) -> None:
    """The end of the help: what the signs and counts mean, where store and bus are, that there is no worker."""
    assert drawn("question_mark", "G")


def test_palette(drawn: Drawn) -> None:
    """The command palette lists what the keys do, each with its key."""

    async def open_palette(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("colon")
        await until(lambda: scene.app.screen.query("Input"))
        scene.app.screen.query_one("Input").cursor_blink = False  # pyright: ignore[reportAttributeAccessIssue]
        await pilot.press(*"next")
        await until(lambda: "Next warning" in scene.drawn())
        await pilot.pause()

    assert drawn(act=open_palette)

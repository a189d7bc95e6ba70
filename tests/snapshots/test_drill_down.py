"""Pictures of what opens from a row: detail, resource page, help, palette."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from monitor.screens.resource import ResourceScreen
from monitor.widgets.timeline_view import TimelineView
from tests.snapshots.conftest import Scene
from tests.waiting import until

SIZES = [(120, 40), (80, 24)]


@pytest.mark.parametrize("size", SIZES)
def test_detail(scene: Scene, snap_compare: Any, size: tuple[int, int]) -> None:
    """The failed job in a framed box over the dimmed live screen: every field, then the metadata as a tree."""
    assert snap_compare(scene.app, terminal_size=size, run_before=scene.before("E", "enter"))


@pytest.mark.parametrize("size", SIZES)
def test_refusals(scene: Scene, snap_compare: Any, size: tuple[int, int]) -> None:
    """Three reasons with how many messages have them, then the messages, newest first, hostile text as marks."""

    async def refuse(scene: Scene, pilot: Pilot[None]) -> None:
        assert scene.bus is not None
        for payload in (b"this is no event", b'{"msg":"\x1b[31mred"}', b'{"level":30,"msg":"Disk full"}'):
            scene.bus.publish(payload)
        await until(lambda: len(scene.app.model.refusals) == 3)
        await pilot.pause()

    assert snap_compare(scene.app, terminal_size=size, run_before=scene.before("M", act=refuse))


@pytest.mark.parametrize("size", SIZES)
def test_resource_page(scene: Scene, snap_compare: Any, size: tuple[int, int]) -> None:
    """The indexer that is down: status in red with since when, its history newest first, its own timeline."""

    async def open_page(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("3", "enter")
        screen = scene.app.screen
        assert isinstance(screen, ResourceScreen)
        view = screen.query_one(TimelineView)
        await until(lambda: view.timeline.rows)
        await pilot.pause()

    assert snap_compare(scene.app, terminal_size=size, run_before=scene.before(act=open_page))


@pytest.mark.parametrize("size", SIZES)
def test_help(scene: Scene, snap_compare: Any, size: tuple[int, int]) -> None:
    """Keys of the timeline first, then keys everywhere; terms in colour at the left, meanings beside them."""
    assert snap_compare(scene.app, terminal_size=size, run_before=scene.before("question_mark"))


def test_help_legend(scene: Scene, snap_compare: Any) -> None:
    """The end of the help: what the signs and counts mean, and where store and bus are."""
    assert snap_compare(scene.app, terminal_size=(120, 40), run_before=scene.before("question_mark", "G"))


def test_palette(scene: Scene, snap_compare: Any) -> None:
    """The command palette lists what the keys do, each with its key."""

    async def open_palette(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("colon")
        await until(lambda: scene.app.screen.query("Input"))
        scene.app.screen.query_one("Input").cursor_blink = False  # pyright: ignore[reportAttributeAccessIssue]
        await pilot.press(*"next")
        await until(lambda: "Next warning" in _drawn(scene))
        await pilot.pause()

    assert snap_compare(scene.app, terminal_size=(120, 40), run_before=scene.before(act=open_palette))


def _drawn(scene: Scene) -> str:
    strips = scene.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)

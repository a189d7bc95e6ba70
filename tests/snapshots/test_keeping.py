"""Pictures of what is kept: saved views, an export that is under way, a zone that is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from monitor.export.formats import Format
from monitor.export.job import ExportJob
from monitor.model.view import View
from monitor.screens.live import LiveScreen
from monitor.views import ViewFile
from store.event import Severity
from store.event_filter import EVERY_EVENT
from tests.snapshots.conftest import Scene

SIZES = [(120, 40), (80, 24)]


@pytest.mark.parametrize("size", SIZES)
def test_saved_views(scene: Scene, snap_compare: Any, size: tuple[int, int], tmp_path: Path) -> None:
    """Two views in a framed box, the second under the cursor: name, filter with the minimum severity, zone."""
    views = ViewFile(tmp_path / "views.toml")
    views.save(
        "night shift", View(query="-actor:system last:1h", minimum=Severity.WARNING, zone="Europe/Berlin")
    )
    views.save("everything", View(zone="UTC"))
    scene.app.views = views
    assert snap_compare(scene.app, terminal_size=size, run_before=scene.before("V", "j"))


@pytest.mark.parametrize("size", SIZES)
def test_an_export(scene: Scene, snap_compare: Any, size: tuple[int, int]) -> None:
    """Over the key hints, a line: the file, a bar that is a third full where there is room, numbers, how to cancel."""

    async def export(scene: Scene, pilot: Pilot[None]) -> None:
        job = ExportJob(Path("/srv/incident-42.csv"), Format.CSV, EVERY_EVENT, tick=lambda: 2.0)
        job.written, job.total = 12_000, 40_000
        scene.app.exports.job = job
        live = scene.app.screen
        assert isinstance(live, LiveScreen)
        live.show_vitals()
        await pilot.pause()

    assert snap_compare(scene.app, terminal_size=size, run_before=scene.before(act=export))


def test_a_zone_is_asked_for(scene: Scene, snap_compare: Any) -> None:
    """At the bottom what is typed, beside it in grey the zones that it may become."""

    async def ask(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("T")
        scene.app.screen.query_one(Input).cursor_blink = False
        await pilot.press(*"europe/ma")
        await pilot.pause()

    assert snap_compare(scene.app, terminal_size=(120, 40), run_before=scene.before(act=ask))

"""Pictures of what is kept: saved views, an export that is under way, a zone that is asked for."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from monitor.export.formats import Format
from monitor.export.job import ExportJob
from monitor.model.view import View
from monitor.screens.live import LiveScreen
from monitor.views import ViewFile
from store.event import Severity
from store.event_filter import EVERY_EVENT
from tests.snapshots.conftest import Drawn, at, at_every_size
from tests.snapshots.scenes import Scene

NIGHT_SHIFT = View(query="-actor:system last:1h", minimum=Severity.WARNING, zone="Europe/Berlin")


@at_every_size
def test_saved_views(drawn: Drawn, tmp_path: Path) -> None:
    """Two views in a framed box, the second under the cursor: name, filter with the minimum severity, zone."""

    async def list_them(scene: Scene, pilot: Pilot[None]) -> None:
        views = ViewFile(tmp_path / "views.toml")
        views.save("night shift", NIGHT_SHIFT)
        views.save("everything", View(zone="UTC"))
        scene.app.views = views

    assert drawn("V", "j", act=list_them)


@at((120, 40))
def test_no_saved_views(drawn: Drawn, tmp_path: Path) -> None:
    """An empty box that says how a view is saved."""

    async def look(scene: Scene, pilot: Pilot[None]) -> None:
        scene.app.views = ViewFile(tmp_path / "views.toml")

    assert drawn("V", act=look)


@at_every_size
def test_an_export(drawn: Drawn) -> None:
    """Over the key hints, a line: the file, a bar that is a third full where there is room, numbers, how to cancel.

    The newest row, the failed job, is still in sight: the line took one of the oldest.
    """

    async def export(scene: Scene, pilot: Pilot[None]) -> None:
        job = ExportJob(Path("/srv/incident-42.csv"), Format.CSV, EVERY_EVENT, tick=lambda: 2.0)
        job.written, job.total = 12_000, 40_000
        scene.app.exports.job = job
        live = scene.app.screen
        assert isinstance(live, LiveScreen)
        live.show_vitals()
        await pilot.pause()

    assert drawn(act=export)


def test_a_zone_is_asked_for(drawn: Drawn) -> None:
    """At the bottom what is typed, beside it in grey the zones that it may become."""

    async def ask(scene: Scene, pilot: Pilot[None]) -> None:
        await scene.types(pilot, "T", "europe/ma")

    assert drawn(act=ask)

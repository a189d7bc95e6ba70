"""Pictures of what asks: lines to type in, questions, what is wrong with an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from monitor.export.formats import Format
from monitor.export.job import ExportJob
from monitor.model.view import View
from monitor.screens.live import LiveScreen
from monitor.views import ViewFile
from store.event_filter import EVERY_EVENT
from tests.snapshots.conftest import Drawn, at, at_every_size
from tests.snapshots.scenes import Scene
from tests.waiting import until


@pytest.mark.parametrize(("key", "answer"), [("at", "yesterdy"), ("ampersand", "severty>=error")])
@at_every_size
def test_a_wrong_answer(drawn: Drawn, key: str, answer: str) -> None:
    """What is asked for, what was typed, and in red at the right what is wrong with it, cut with an ellipsis."""

    async def answer_it(scene: Scene, pilot: Pilot[None]) -> None:
        await scene.types(pilot, key, answer)
        await pilot.press("enter")

    assert drawn(act=answer_it)


@at_every_size
def test_where_to_export(drawn: Drawn) -> None:
    """A name with an ending that says no kind of file; in red at the right those that do."""

    async def export(scene: Scene, pilot: Pilot[None]) -> None:
        await scene.types(pilot, "ctrl+e", "/srv/incident-42.docx")
        await pilot.press("enter")

    assert drawn(act=export)


@at_every_size
def test_quitting_while_an_export_runs(drawn: Drawn) -> None:
    """The last line asks, on a ground of its own, and says what y and n do; the export goes on over it."""

    async def quit_it(scene: Scene, pilot: Pilot[None]) -> None:
        job = ExportJob(Path("/srv/incident-42.csv"), Format.CSV, EVERY_EVENT, tick=lambda: 2.0)
        job.written, job.total = 12_000, 40_000
        scene.app.exports.job = job
        live = scene.app.screen
        assert isinstance(live, LiveScreen)
        live.show_vitals()
        await pilot.press("q")

    assert drawn(act=quit_it)


@at((80, 24))
def test_a_view_is_replaced(drawn: Drawn, tmp_path: Path) -> None:
    """Over the list of views, a question whether the one of that name is to be replaced."""

    async def save(scene: Scene, pilot: Pilot[None]) -> None:
        scene.app.views = ViewFile(tmp_path / "views.toml")
        scene.app.views.save("night shift", View(query="-actor:system last:1h"))
        await pilot.press("V")
        await scene.types(pilot, "s", "night shift")
        await pilot.press("enter")
        await until(lambda: scene.app.screen.query("#question"))

    assert drawn(act=save)


@at_every_size
def test_completions(drawn: Drawn) -> None:
    """The filter bar: what is typed, under it as many of the types that it may become as there is room for.

    No event has that type yet, and the timeline does not speak of C, which is a letter here.
    """

    async def type_it(scene: Scene, pilot: Pilot[None]) -> None:
        await scene.types(pilot, "slash", "type:dow")
        await until(lambda: "nothing matches the filter" in scene.drawn())
        await scene.settled(pilot)

    assert drawn(act=type_it)

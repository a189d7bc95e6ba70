"""Pictures of a timeline that is read: held still, folded, marked, with context, at another time."""

from __future__ import annotations

from datetime import timedelta

from textual.pilot import Pilot

from monitor.screens.live import LiveScreen
from tests.snapshots.conftest import Drawn, at, at_every_size
from tests.snapshots.scenes import Scene, just_now
from tests.waiting import until


@at_every_size
def test_reading_while_events_arrive(drawn: Drawn) -> None:
    """The cursor stands six rows above the end; the frame says `+2 new`, the row's number, and that G follows."""

    async def read(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press(*["k"] * 6)
        await scene.happens(pilot, just_now(1001), just_now(1002))

    assert drawn(act=read)


@at_every_size
def test_frozen(drawn: Drawn) -> None:
    """The frame says `+2 new · frozen · space resumes`; where there is room, the status line counts 2 received."""

    async def freeze(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("space")
        await scene.happens(pilot, just_now(1001), just_now(1002))

    assert drawn(act=freeze)


@at_every_size
def test_context_around_a_match(drawn: Drawn) -> None:
    """Only errors; of the three rows before the cursor two are hidden by the filter: they are dim, with `┊`.

    The frame says `3 around`.
    """

    async def filter_it(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("exclamation_mark", "3")
        await scene.settled(pilot)
        await pilot.press("E", "E", "E", "E", "E", "E", "plus")

    assert drawn(act=filter_it)


@at_every_size
def test_runs_folded(drawn: Drawn) -> None:
    """The last row is a run, `×14` with its last time and from when it goes; each error stands by itself."""

    async def burst(scene: Scene, pilot: Pilot[None]) -> None:
        alike = {"event_type": "movie.viewed", "resource_type": "movie", "resource_id": "umbra"}
        await scene.happens(pilot, *(just_now(1001 + number, 20 - number, **alike) for number in range(14)))

    assert drawn("Z", act=burst)


@at_every_size
def test_a_row_whole(drawn: Drawn) -> None:
    """Under the failed download, on a line of its own, what its cells have no room for; at 200 columns, nothing."""
    assert drawn("E", "full_stop")


@at_every_size
def test_an_incident_is_marked(drawn: Drawn) -> None:
    """Beside the time a column counts from the indexer's failure, which has a 0; the next row has a bookmark.

    The cell that keys act on is set off there, the resource.
    """
    assert drawn(*["E"] * 7, "0", "m", "e", "m", "l", "l")


@at((120, 40))
def test_relative_times(drawn: Drawn) -> None:
    """The time column says how long ago each event was, right-aligned."""
    assert drawn("t", "t")


@at((80, 24))
def test_a_zone_with_a_long_name(drawn: Drawn) -> None:
    """Times half an hour off; the status line names the zone, for which the last of its counts makes room."""

    async def choose(scene: Scene, pilot: Pilot[None]) -> None:
        await scene.types(pilot, "T", "asia/kolkata")
        await pilot.press("enter")

    assert drawn(act=choose)


@at_every_size
def test_the_past_away_from_the_end(drawn: Drawn) -> None:
    """Five hours ago, the cursor in the middle: `of the past, more below`, and that G follows."""

    async def go(scene: Scene, pilot: Pilot[None]) -> None:
        live = scene.app.screen
        assert isinstance(live, LiveScreen)
        moment = scene.app.now() - timedelta(hours=5)
        live.go_to((moment, 0))
        await until(
            lambda: live.timeline.selected_event and live.timeline.selected_event.inserted_at >= moment
        )
        await until(lambda: not live.timeline.viewport.following and live.timeline.viewport.cursor)

    assert drawn(act=go)

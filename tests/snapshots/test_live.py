"""Pictures of the live screen. Each docstring says what a person should see."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from store.errors import StoreUnavailableError
from store.events import EventStore
from store.repository import EventRepository
from store.wire import encode
from tests.snapshots.conftest import Drawn, at, at_every_size
from tests.snapshots.scenes import Scene, just_now, nothing, one_event
from tests.waiting import until


async def stream(scene: Scene, pilot: Pilot[None]) -> None:
    """A gap that was repaired, hostile text, a message that only the bus knows, one that is no event."""
    assert scene.bus is not None
    await scene.happens(
        pilot,
        just_now(1001, 3.2, event_type="download.initiated", resource_type="download", resource_id="a1"),
    )
    scene.bus.disconnect("connection reset by peer")
    await until(lambda: scene.app.model.open_gaps == 1)
    await scene.happens(
        pilot,
        *(
            just_now(
                1010 + number, 2.0, event_type="search.automatic", resource_type="series", resource_id="umbra"
            )
            for number in range(3)
        ),
    )
    scene.bus.reconnect()
    await until(lambda: scene.app.model.open_gaps == 0)
    await scene.happens(
        pilot,
        just_now(
            1020,
            0.0,
            event_type="download.failed",
            resource_type="download",
            resource_id="蓬莱-🏮",
            metadata={"error": "\x1b[31mred\x1b[0m [/b] [@click=app.quit]click[/] \u202egnp.exe"},
        ),
    )
    scene.bus.publish(
        b'{"event_type":"job.failed","resource_type":"job","resource_id":"sync","id":"01a1fc35-666b-7b49-8a5f-fab8ebdd865d","inserted_at":"2026-11-21T14:05:12Z"}'
    )
    scene.bus.publish(b"this is no event")
    await until(lambda: scene.app.model.tally.malformed == 1 and scene.app.model.timeline.unconfirmed)
    await pilot.pause()


async def counted(scene: Scene, pilot: Pilot[None]) -> None:
    """Wait until the store has told of the bars that it was asked for."""
    histogram = scene.app.screen.query_one("#histogram")
    await until(lambda: "reading" not in str(histogram.border_subtitle))
    await pilot.pause()


@at_every_size
def test_live(drawn: Drawn) -> None:
    """The stream is live and follows its newest row: a dotted line that says when the connection was lost, and
    that 3 events were recovered. The job above it is marked `?`: only the bus knows it. Above that a download
    failed with an escape sequence, markup and a right-to-left override in its error, shown as harmless signs.

    The status line says live, 4 alerts firing, 1 malformed. Wide: categories with counts and sparklines, the
    indexer down on top of the health pane, the alerts pane framed in red. At 80 columns only the timeline and
    the histogram; nothing wraps.
    """
    assert drawn(act=stream)


@at_every_size
def test_reconnecting(drawn: Drawn) -> None:
    """Red `reconnecting` on the status line with the reason and, where there is room, the next try; a gap is open.

    The last row of the timeline is the open gap: events may be missing there.
    """

    async def lose(scene: Scene, pilot: Pilot[None]) -> None:
        assert scene.bus is not None
        scene.bus.disconnect("connection refused", retry_in=1.5)
        await until(lambda: scene.app.model.open_gaps == 1)
        await pilot.pause()

    assert drawn(act=lose)


@at_every_size
def test_neither_bus_nor_store(drawn: Drawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red `reconnecting`, since when the picture is stale, and what fires; with room, the next try and why."""

    async def gone(_: EventRepository) -> int:
        raise StoreUnavailableError("EVTOP_STORE sqlite:///events.db: unable to open the file")

    async def lose(scene: Scene, pilot: Pilot[None]) -> None:
        assert scene.bus is not None
        monkeypatch.setattr(EventRepository, "last_position", gone)
        scene.bus.disconnect("connection refused", retry_in=1.5)
        await until(lambda: scene.app.model.status.stale_since and scene.app.model.open_gaps == 1)
        await pilot.pause()

    assert drawn(act=lose)


@at_every_size
def test_what_cannot_be_trusted(drawn: Drawn) -> None:
    """A red dotted line: 5 of 7 lost, which the store does not have. Below it a row from the future, marked `?`.

    The status line counts 5 lost in red, says that the clock of web-1 is 92 s ahead, and counts 7 missed in amber. At
    80 columns it has room for the red count alone.
    """

    async def mislead(scene: Scene, pilot: Pilot[None]) -> None:
        assert scene.bus is not None
        assert scene.store is not None
        quiet = EventStore(scene.store.database)
        events = await quiet.create_many(
            [just_now(1001 + number, 1.0, resource_type="job", resource_id="sync") for number in range(4)]
        )
        scene.bus.publish(encode(events[0], "web-1:4711:a1b2c3d4", 1))
        scene.bus.publish(encode(events[3], "web-1:4711:a1b2c3d4", 9))
        await until(lambda: scene.app.model.tally.lost == 5)
        scene.bus.publish(encode(just_now(1020, -92.0, event_type="job.failed"), "web-1:4711:a1b2c3d4", 10))
        await until(lambda: scene.app.model.timeline.unconfirmed)
        await pilot.pause()

    assert drawn(act=mislead)


@at_every_size
def test_polling_without_a_bus(drawn: Drawn) -> None:
    """No bus: `polling` in amber with the reason `no bus` beside it."""
    assert drawn(events=one_event, with_bus=False)


@at_every_size
def test_nothing_yet(drawn: Drawn) -> None:
    """An empty store: each pane says in one dim line that there is nothing, and what would be there."""
    assert drawn(events=nothing)


@at_every_size
def test_filtered(drawn: Drawn) -> None:
    """Only failures and warnings; the title shows the filter, the histogram's title how many it hides."""

    async def filter_it(scene: Scene, pilot: Pilot[None]) -> None:
        await scene.types(pilot, "slash", "severity>=warning -actor:user:ana")
        await pilot.press("enter")
        await counted(scene, pilot)

    assert drawn(act=filter_it)


@at_every_size
def test_a_broken_filter(drawn: Drawn) -> None:
    """The query is over the line of completions, which is empty, and in red the column and the nearest field name."""

    async def type_it(scene: Scene, pilot: Pilot[None]) -> None:
        await scene.types(pilot, "slash", "typ:download.failed")
        error = scene.app.screen.query_one("#filter-error")
        await until(lambda: error.display)
        await pilot.pause()

    assert drawn(act=type_it)


def test_categories_muted_and_soloed(drawn: Drawn) -> None:
    """The facets have the focus. One type is the only one shown: its dot is ringed, all others are hollow."""
    assert drawn("2", "j", "j", "X")


@at((80, 24))
def test_side_panes_over_the_timeline(drawn: Drawn) -> None:
    """At 80 columns `s` lays facets, health and alerts over the left of the timeline, which stays in place."""
    assert drawn("s")


@at_every_size
def test_minimum_severity_prompt(drawn: Drawn) -> None:
    """The bottom line asks for the minimum severity, with the digit for each."""
    assert drawn("exclamation_mark")


def test_facets_of_another_field(drawn: Drawn) -> None:
    """Severities by glyph, letter and colour; errors are up in amber; the frame says 2/5, and that the keys are ← →."""
    assert drawn("2", "right")


def test_searching_the_facets(drawn: Drawn) -> None:
    """Only types with `fail` in them and their categories; what is typed stands in the lower edge of the pane."""
    assert drawn("2", "slash", *"fail")


@at_every_size
def test_a_span_of_the_histogram(drawn: Drawn) -> None:
    """Five minutes a bar. The span lies between the cursor and a bracket, its numbers stand in the title.

    Errors in red at the foot of the bars, warnings in amber over them, E and W under them.
    """

    async def mark(scene: Scene, pilot: Pilot[None]) -> None:
        await pilot.press("i", "Z")
        await counted(scene, pilot)
        await pilot.press(*"hhh", "space", *"hhhh")

    assert drawn(act=mark)


@at_every_size
def test_the_heatmap(drawn: Drawn) -> None:
    """A row each for E, W, I and those without a severity, denser where there were more, and each row's peak."""
    assert drawn("i", "v", "escape")

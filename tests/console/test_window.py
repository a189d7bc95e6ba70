"""How long the timeline is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.model.console import ConsoleModel
from monitor.model.timeline import CAPACITY, WHOLE
from store.bus import CHANNEL
from store.wire import encode
from tests.events import make_events
from tests.pty_console import EVTOP, PrivateHome, PtyConsole

WITHIN = 15.0


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """An environment of this test's own, with nothing configured."""
    with PrivateHome() as home:
        yield home


async def never() -> Backend:
    raise AssertionError("nothing is to be connected")


def test_the_console_keeps_as_many_rows_as_it_is_told() -> None:
    timeline = EvtopApp(never, window=1000).model.timeline
    timeline.add(make_events(1050))
    assert len(timeline.rows) == 1050
    timeline.add(make_events(1, start=1050))
    assert len(timeline.rows) == 1000


def test_a_long_window_is_packed_and_one_of_the_usual_length_is_not() -> None:
    events = make_events(WHOLE + 200)
    for capacity, is_whole in ((CAPACITY, True), (CAPACITY + 1, False)):
        timeline = ConsoleModel(capacity).timeline
        timeline.add(events)
        assert list(timeline.rows) == events
        assert (timeline.rows[0] is events[0]) is is_whole
        assert (timeline.recent[0] is events[0]) is is_whole
        assert timeline.rows[-1] is events[-1]


@pytest.mark.pty
def test_a_length_that_cannot_be_used_is_said_before_the_screen_is_taken(home: PrivateHome) -> None:
    with PtyConsole([EVTOP], environment={**home.environment, "EVTOP_WINDOW": "5"}) as console:
        assert console.wait_for_end(WITHIN) == 1
        assert console.lines[0] == "evtop: EVTOP_WINDOW: a number from 1000 to 100000"


@pytest.mark.pty
def test_the_timeline_is_as_long_as_the_environment_says(home: PrivateHome) -> None:
    with PtyConsole([EVTOP], environment={**home.environment, "EVTOP_WINDOW": "1000"}) as console:
        console.wait_for_text("no events yet", WITHIN)
        with Redis(unix_socket_path=str(home.bus_socket)) as bus:
            for event in make_events(1051):
                bus.publish(CHANNEL, encode(event))
        console.wait_for_text("1,051 received", WITHIN)
        console.press("k")
        console.wait_for_text("/1,000 · G follows", WITHIN)

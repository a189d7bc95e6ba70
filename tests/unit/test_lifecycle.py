"""How long work on a resource took, how long it takes others, and what a strip of statuses shows."""

from __future__ import annotations

import pytest

from monitor.model.lifecycle import Passage, Usual, passages, took, usual
from monitor.model.resource import StatusSpan, resource_facts, status_strip
from monitor.model.subjects import ResourceName
from store.event import Event
from store.taxonomy import active
from tests.events import at, make_event

ENDS = active().ends
MINE = ResourceName("download", "mine")


def step(number: int, verb: str, second: float, name: str = "mine") -> Event:
    return make_event(
        number,
        event_type=f"download.{verb}",
        resource_type="download",
        resource_id=name,
        inserted_at=at(second),
    )


def test_work_goes_from_its_beginning_to_its_end_in_any_order() -> None:
    events = [
        step(3, "failed", 90),
        step(1, "initiated", 0),
        step(4, "initiated", 100),
        step(2, "paused", 30),
    ]
    assert passages(events, ENDS, MINE) == [
        Passage(at(0), "download.initiated", at(90), "download.failed"),
        Passage(at(100), "download.initiated"),
    ]
    assert resource_facts(events, MINE, ENDS).passage == Passage(at(100), "download.initiated")
    assert resource_facts(events, MINE).passage is None


def test_an_end_without_a_beginning_and_others_work_are_no_passage() -> None:
    secondary = make_event(
        5,
        event_type="download.initiated",
        secondary_resource_type="download",
        secondary_resource_id="mine",
    )
    events = [step(1, "completed", 5), step(2, "initiated", 1, "other"), secondary]
    assert passages(events, ENDS, MINE) == []


def test_work_that_is_begun_twice_goes_on_from_its_first_beginning() -> None:
    events = [step(1, "initiated", 0), step(2, "initiated", 50), step(3, "completed", 60)]
    assert passages(events, ENDS, MINE) == [
        Passage(at(0), "download.initiated", at(60), "download.completed")
    ]


def test_usual_is_the_median_of_others_that_ended_alike() -> None:
    others: list[Event] = []
    for place, seconds in enumerate([10, 20, 30, 40, 1000]):
        others += [
            step(10 + 2 * place, "initiated", 0, f"o{place}"),
            step(11 + 2 * place, "completed", seconds, f"o{place}"),
        ]
    others += [step(90, "initiated", 0, "x"), step(91, "failed", 1, "x"), step(92, "initiated", 3, "y")]
    mine = [step(1, "initiated", 0), step(2, "completed", 7)]
    done = Passage(at(0), "download.initiated", at(7), "download.completed")
    assert usual([*others, *mine], ENDS, done, MINE) == Usual(30, 5)
    # Of what goes on, nobody knows how it will end.
    running = Passage(at(0), "download.initiated")
    assert usual([*others, *mine], ENDS, running, MINE) == Usual(25, 6)
    failed = Passage(at(0), "download.initiated", at(7), "download.failed")
    assert usual(others, ENDS, failed, MINE) is None


def test_work_that_goes_on_has_taken_the_time_since_and_never_less_than_none() -> None:
    running = Passage(at(10), "download.initiated")
    assert running.seconds(at(25)) == 15
    assert running.seconds(at(5)) == 0


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 ms"),
        (0.84, "840 ms"),
        (4.2, "4.2 s"),
        (59.94, "59.9 s"),
        (60, "1 min"),
        (192.9, "3 min 12 s"),
        (7500, "2 h 5 min"),
        (273_600, "3 d 4 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert took(seconds) == told


def test_a_strip_has_the_last_status_of_each_slice() -> None:
    statuses = [StatusSpan("up", at(0)), StatusSpan("down", at(50)), StatusSpan("up", at(80))]
    assert status_strip(statuses, at(100), 10) == [*["up"] * 5, *["down"] * 3, *["up"] * 2]
    assert status_strip(statuses, at(0), 3) == ["up"] * 3
    assert status_strip([], at(0), 5) == status_strip(statuses, at(9), 0) == []

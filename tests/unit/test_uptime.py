"""How components were over the last day and the last 30 days."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.reports import State
from monitor.health.uptime import (
    CELLS,
    DAY,
    MONTH,
    OBSERVATIONS_MAX,
    ComponentHealth,
    HealthRecord,
    Uptime,
    coarser,
    grouped,
    worst,
)
from store.event import Event

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
UP, DEGRADED, DOWN, UNKNOWN = State.UP, State.DEGRADED, State.DOWN, State.UNKNOWN


def health(ago: timedelta, status: str | None, identifier: str = "qbt", kind: str = "client") -> Event:
    """A health event so long before NOW; its id follows from its time."""
    moment = NOW - ago
    return Event(
        id=UUID(int=int(moment.timestamp() * 1_000_000)),
        event_type="download_client.health_changed",
        resource_type=kind,
        resource_id=identifier,
        status=status,
        severity=None,
        inserted_at=moment,
    )


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def only(*events: Event, now: datetime = NOW) -> ComponentHealth:
    record = HealthRecord()
    record.apply(events)
    (component,) = record.components(now)
    return component


@pytest.mark.parametrize(
    ("past", "day", "month"),
    [
        # (hours ago, state) ...
        ([(24 * 40, "up")], "100 %", "100 %"),
        ([(24 * 40, "down")], "0 %", "0 %"),
        ([(24 * 40, "degraded")], "100 %", "100 %"),
        ([(24 * 40, "up"), (12, "down"), (6, "up")], "75.00 %", "99.16 %"),
        ([(24 * 40, "up"), (24 * 20, "down"), (24 * 5, "up")], "100 %", "50.00 %"),
        ([(24 * 6, "up"), (12, "down"), (11, "up")], "95.83 %", "99.30 % of 6 d"),
        ([(19, "up")], "100 % of 19 h", "100 % of 19 h"),
        ([(0.5, "down"), (0.25, "up")], "50.00 % of 30 min", "50.00 % of 30 min"),
        # Time in which the state was unknown is not counted.
        ([(24 * 40, "up"), (12, "strange"), (6, "up")], "100 % of 18 h", "100 %"),
        ([(24 * 40, "strange")], "–", "–"),
        # A moment of being down is never rounded away.
        ([(24 * 40, "up"), (1, "down"), (1 - 1 / 3600, "up")], "99.99 %", "99.99 %"),
        # One that is to come tells nothing of what was.
        ([(24 * 40, "up"), (-1, "down")], "100 %", "100 %"),
        ([(-1, "down")], "–", "–"),
    ],
)
def test_uptime_is_the_share_of_what_is_known(past: list[tuple[float, str]], day: str, month: str) -> None:
    component = only(*(health(hours(ago), status) for ago, status in past))
    assert (str(component.day), str(component.month)) == (day, month)


def test_state_since_and_last_change() -> None:
    component = only(health(hours(50), "up"), health(hours(3), "down"), health(hours(2), "offline"))
    assert (component.state, component.since, component.previous) == (DOWN, NOW - hours(3), UP)
    assert component.name == "client/qbt"
    first = only(health(hours(50), "up"), health(hours(3), "ok"))
    assert (first.state, first.since, first.previous) == (UP, NOW - hours(50), None)


def test_flaps_are_the_changes_of_the_last_day() -> None:
    past = [(50, "up"), (30, "down"), (23, "up"), (22, "up"), (21, "down"), (1, "degraded"), (-1, "up")]
    component = only(*(health(hours(ago), status) for ago, status in past))
    assert component.flaps == 3
    assert only(health(hours(1), "up")).flaps == 0


def test_the_strip_has_the_worst_of_each_slice_and_stands_still() -> None:
    quarter = hours(0.25)
    events = [
        health(40 * quarter, "up"),
        health(20 * quarter, "degraded"),
        health(19 * quarter, "up"),
        health(10 * quarter - timedelta(minutes=1), "down"),
        health(10 * quarter - timedelta(minutes=2), "up"),
        health(2 * quarter, "strange"),
    ]
    expected = [UNKNOWN] * 56 + [UP] * 20 + [DEGRADED] + [UP] * 9 + [DOWN] + [UP] * 7 + [UNKNOWN] * 2
    assert list(only(*events).strip) == expected
    assert len(expected) == CELLS
    # A minute later another slice has begun, and until it ends nothing moves.
    for minute in (1, 7, 15):
        later = only(*events, now=NOW + timedelta(minutes=minute)).strip
        assert list(later) == [*expected[1:], UNKNOWN]


def test_a_coarser_strip_hides_nothing_bad() -> None:
    strip = [UNKNOWN, UP, UP, DEGRADED, DOWN, UP, UNKNOWN, UNKNOWN]
    assert coarser(strip, 4) == (UP, DEGRADED, DOWN, UNKNOWN)
    assert coarser(strip, 8) == tuple(strip)
    assert worst([]) == UNKNOWN


def test_groups_are_sorted_worst_first_and_so_is_what_is_in_them() -> None:
    record = HealthRecord()
    said = [
        ("client", "b", "up"),
        ("client", "a", "up"),
        ("client", "c", "degraded"),
        ("indexer", "x", "down"),
        ("indexer", "y", "up"),
        ("agent", "z", "up"),
        ("disk", "z", "strange"),
        ("area", "q", "degraded"),
    ]
    record.apply(health(hours(1), status, identifier, kind) for kind, identifier, status in said)
    groups = grouped(record.components(NOW))
    assert [(group.kind, [one.identifier for one in group.components]) for group in groups] == [
        ("indexer", ["x", "y"]),
        ("area", ["q"]),
        ("client", ["c", "a", "b"]),
        ("disk", ["z"]),
        ("agent", ["z"]),
    ]


# Whatever the order

MINUTES = 60 * 24 * 32
past = st.lists(
    st.tuples(st.integers(-60, MINUTES), st.sampled_from(["up", "degraded", "down", "strange"])),
    min_size=1,
    max_size=40,
    unique_by=lambda said: said[0],
)


@given(past, st.randoms(use_true_random=False))
def test_neither_order_nor_duplicates_matter(said: list[tuple[int, str]], chance: random.Random) -> None:
    events = [health(timedelta(minutes=ago), status) for ago, status in said]
    shuffled = events + chance.choices(events, k=10)
    chance.shuffle(shuffled)
    one, other = HealthRecord(), HealthRecord()
    one.apply(events)
    for event in shuffled:
        other.apply([event])
    assert not other.apply(events)
    assert other.components(NOW) == one.components(NOW)


@given(past)
def test_it_agrees_with_looking_at_every_minute(said: list[tuple[int, str]]) -> None:
    """An oracle: the state of each whole minute before NOW, by going through them."""
    component = only(*(health(timedelta(minutes=ago), status) for ago, status in said))
    words = {"up": UP, "degraded": DEGRADED, "down": DOWN, "strange": UNKNOWN}
    begins = {ago: words[status] for ago, status in said}
    state = UNKNOWN
    minutes: list[State] = []
    for ago in range(MINUTES, 0, -1):
        state = begins.get(ago, state)
        minutes.append(state)
    for uptime, span in ((component.day, DAY), (component.month, MONTH)):
        seen = [state for state in minutes[-(span // timedelta(minutes=1)) :] if state != UNKNOWN]
        assert uptime.known == 60 * len(seen)
        assert uptime.working == 60 * sum(state != DOWN for state in seen)
        assert (uptime.share is None) is (not seen)
    last_day = minutes[-1440:]
    assert list(component.strip) == [worst(last_day[start : start + 15]) for start in range(0, 1440, 15)]


# Bounds


def test_a_component_that_reports_every_minute_is_known_for_all_of_the_time() -> None:
    record = HealthRecord()
    for minute in range(1, 60 * 24 * 2):
        status = "down" if 600 <= minute < 660 else "up"
        assert record.apply([health(timedelta(minutes=minute), status)])
    (component,) = record.components(NOW)
    assert str(component.month) == "97.91 % of 47 h"
    assert component.flaps == 2
    assert len(record._tracks["client", "qbt"]._keys) <= OBSERVATIONS_MAX


@pytest.mark.parametrize("newest_first", [True, False])
def test_of_one_that_changes_all_the_time_the_newest_changes_are_known(newest_first: bool) -> None:
    events = [health(timedelta(minutes=minute), "up" if minute % 2 else "down") for minute in range(1, 3000)]
    record = HealthRecord()
    record.apply(events if newest_first else reversed(events))
    (component,) = record.components(NOW)
    assert component.state == UP
    known = component.month.known / 60
    assert OBSERVATIONS_MAX * 0.8 <= known <= OBSERVATIONS_MAX
    assert component.month.share == pytest.approx(0.5, abs=0.01)
    # What is older than what was given up is not taken for the state until then.
    assert not record.apply([health(timedelta(minutes=2999, seconds=30), "up")])


def test_too_many_components_are_forgotten_those_that_are_well_first() -> None:
    record = HealthRecord(limit=20)
    record.apply([health(hours(20), "down", "broken")])
    record.apply(health(timedelta(minutes=number), "up", f"c{number}") for number in range(1, 101))
    components = record.components(NOW)
    assert len(components) <= 22
    assert "broken" in {one.identifier for one in components}
    assert "c1" in {one.identifier for one in components}
    assert record.forgotten >= 79


def test_events_of_any_time_break_nothing() -> None:
    record = HealthRecord()
    for year in (2, 9998):
        moment = datetime(year, 1, 1, tzinfo=UTC)
        record.observe(("client", "qbt"), (moment, 1), DOWN)
    for now in (NOW, datetime(2, 1, 2, tzinfo=UTC), datetime(9998, 12, 30, tzinfo=UTC)):
        (component,) = record.components(now)
        assert component.state == DOWN
        assert component.day.share == 0


def test_the_text_of_an_uptime() -> None:
    assert str(Uptime(86_399.9999, 86_400, DAY)) == "99.99 %"
    assert str(Uptime(0.0001, 86_400, DAY)) == "0.00 %"
    assert str(Uptime(5, 5, DAY)) == "100 % of 5 s"

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.components import (
    OBSERVATIONS_MAX,
    Component,
    ComponentBoard,
    State,
    StateHistory,
    component_of,
    state_of,
)
from store.event import Event, Severity

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def health(
    second: float,
    status: str | None,
    identifier: str | None = "qbt",
    kind: str | None = "client",
    number: int | None = None,
    **fields: object,
) -> Event:
    """A health event `second` seconds after START; its id follows from its time and `number`."""
    return Event.model_validate(
        {
            "id": UUID(int=int(second * 1000) + (number or 0) + 2**64),
            "event_type": "download_client.health_changed",
            "resource_type": kind,
            "resource_id": identifier,
            "status": status,
            "inserted_at": START + timedelta(seconds=second),
            **fields,
        }
    )


def only(board: ComponentBoard, now: datetime | None = None) -> Component:
    (component,) = board.components(now)
    return component


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("up", State.UP),
        ("Healthy", State.UP),
        ("OK", State.UP),
        (" online ", State.UP),
        ("degraded", State.DEGRADED),
        ("SLOW", State.DEGRADED),
        ("warning", State.DEGRADED),
        ("down", State.DOWN),
        ("unhealthy", State.DOWN),
        ("failed", State.DOWN),
        ("offline", State.DOWN),
        ("Error", State.DOWN),
    ],
)
def test_the_status_word_gives_the_state_whatever_the_severity(status: str, state: State) -> None:
    assert state_of(health(0, status, severity="error")) == state
    assert state_of(health(0, status, severity=None)) == state


@pytest.mark.parametrize("status", [None, "flapping"])
@pytest.mark.parametrize(
    ("severity", "state"),
    [
        (Severity.INFO, State.UP),
        (Severity.WARNING, State.DEGRADED),
        (Severity.ERROR, State.DOWN),
        (None, State.UNKNOWN),
    ],
)
def test_without_a_known_status_the_severity_gives_the_state(
    status: str | None, severity: Severity | None, state: State
) -> None:
    assert state_of(health(0, status, severity=severity)) == state


def test_an_event_about_no_resource_is_about_the_first_word_of_its_type() -> None:
    assert component_of(health(0, "up", None, None)) == ("download_client", None)
    assert component_of(health(0, "up", None, "client")) == ("client", None)
    assert component_of(health(0, "up")) == ("client", "qbt")


def test_only_health_events_make_components() -> None:
    board = ComponentBoard()
    assert not board.apply([Event(event_type="download.failed", resource_type="client", resource_id="qbt")])
    assert board.components() == ()


def test_the_newest_event_by_time_wins_whatever_the_order() -> None:
    board = ComponentBoard()
    assert board.apply([health(20, "down")])
    assert board.apply([health(10, "up")])
    component = only(board)
    assert (component.state, component.since) == (State.DOWN, START + timedelta(seconds=20))
    assert component.last_seen == START + timedelta(seconds=20)
    assert component.name == "client/qbt"


def test_a_duplicate_changes_nothing() -> None:
    board = ComponentBoard()
    event = health(0, "down")
    assert board.apply([event])
    before = board.components()
    assert not board.apply([event, event])
    assert board.components() == before


def test_a_repeated_state_keeps_the_older_since_also_when_it_arrives_late() -> None:
    board = ComponentBoard()
    board.apply([health(30, "down"), health(40, "offline")])
    assert only(board).since == START + timedelta(seconds=30)
    board.apply([health(10, "down")])
    assert only(board).since == START + timedelta(seconds=10)
    board.apply([health(20, "up")])
    assert only(board).since == START + timedelta(seconds=30)


def test_flaps_are_the_changes_of_the_last_hour() -> None:
    board = ComponentBoard()
    minutes = [(0, "up"), (10, "down"), (70, "up"), (75, "up"), (80, "down"), (90, "up")]
    board.apply(health(60 * minute, status) for minute, status in minutes)
    assert only(board).flaps == 3
    assert only(board, START + timedelta(minutes=145)).flaps == 1
    assert only(board, START + timedelta(hours=9)).flaps == 0


def test_components_are_sorted_worst_first_and_then_by_name() -> None:
    board = ComponentBoard()
    board.apply(
        [
            health(1, "up", "b"),
            health(2, "up", "a"),
            health(3, "down", "z"),
            health(4, "slow", "y"),
            health(5, "what", "x", severity=None),
        ]
    )
    assert [(c.name, c.state) for c in board.components()] == [
        ("client/z", "down"),
        ("client/y", "degraded"),
        ("client/x", "unknown"),
        ("client/a", "up"),
        ("client/b", "up"),
    ]


def test_a_full_board_forgets_the_well_before_the_broken_and_counts_it() -> None:
    board = ComponentBoard(limit=2)
    board.apply([health(1, "down", "old"), health(2, "up", "b"), health(3, "up", "c")])
    assert [c.identifier for c in board.components()] == ["old", "c"]
    board.apply([health(4, "down", "c"), health(5, "down", "d")])
    assert [c.identifier for c in board.components()] == ["c", "d"]
    board.apply([health(6, "up", "e")])
    assert [c.identifier for c in board.components()] == ["c", "d"]
    assert board.forgotten == 3


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_since_survives_more_repetitions_than_are_kept(order: str) -> None:
    events = [health(0, "up"), *(health(second, "down") for second in range(1, 5 * OBSERVATIONS_MAX))]
    board = ComponentBoard()
    board.apply(events if order == "forward" else reversed(events))
    component = only(board)
    assert (component.state, component.since) == (State.DOWN, START + timedelta(seconds=1))


def test_a_run_that_ended_long_ago_is_still_counted_whole() -> None:
    history = StateHistory()
    for second in range(100):
        history.observe(health(second, "down").sort_key, State.DOWN)
    for second in range(100, 150):
        history.observe(health(second, "up").sort_key, State.UP)
    (run,) = history.runs_of(State.DOWN)
    assert (run.since, run.until, run.count) == (START, START + timedelta(seconds=100), 100)
    assert history.runs_of(State.DEGRADED) == []


def test_memory_stays_bounded_and_the_present_state_right_in_a_flood_out_of_order() -> None:
    events = [health(second, random.Random(second).choice(["up", "down"])) for second in range(2000)]
    events.append(health(2000, "slow"))
    random.Random(1).shuffle(events)
    board = ComponentBoard()
    board.apply(events)
    component = only(board)
    assert (component.state, component.since) == (State.DEGRADED, START + timedelta(seconds=2000))
    assert component.flaps < OBSERVATIONS_MAX


@pytest.mark.parametrize("moment", [datetime(2, 1, 1), datetime(9998, 12, 31, 23, 59, 59, 999999)])
def test_events_of_any_time_are_taken(moment: datetime) -> None:
    board = ComponentBoard()
    board.apply([health(0, "down", inserted_at=moment.replace(tzinfo=UTC))])
    assert only(board).state == State.DOWN


steps = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(["up", "down", "slow"]), st.sampled_from("ab")),
    max_size=OBSERVATIONS_MAX,
)


@given(steps, st.randoms(use_true_random=False))
def test_any_order_and_any_duplication_gives_the_same_board(
    steps: list[tuple[int, str, str]], shuffler: random.Random
) -> None:
    events = [health(second, status, who, number=n) for n, (second, status, who) in enumerate(steps)]
    in_order = ComponentBoard()
    in_order.apply(sorted(events, key=lambda event: event.sort_key))
    mixed = events + shuffler.choices(events, k=5) if events else []
    shuffler.shuffle(mixed)
    shuffled = ComponentBoard()
    for event in mixed:
        shuffled.apply([event])
    assert shuffled.components() == in_order.components()


@given(steps)
def test_since_is_the_start_of_the_last_run(steps: list[tuple[int, str, str]]) -> None:
    events = sorted(
        (health(second, status, number=n) for n, (second, status, _) in enumerate(steps)),
        key=lambda event: event.sort_key,
    )
    board = ComponentBoard()
    board.apply(events)
    if events:
        start = len(events) - 1
        while start and state_of(events[start - 1]) == state_of(events[-1]):
            start -= 1
        assert only(board).since == events[start].inserted_at
    else:
        assert board.components() == ()

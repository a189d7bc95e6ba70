"""What happened while nobody watched: found, recorded once, and no news."""

from __future__ import annotations

from datetime import datetime, timedelta

import hypothesis.strategies as st
from hypothesis import given

from monitor.health.alert_history import PastEpisode
from monitor.health.alerting import RECORDED_AT_ONCE, Alerting
from monitor.health.engine import Alert, AlertState
from monitor.health.grouping import Key
from monitor.health.ratio import Ratio
from monitor.health.rule import Rule
from monitor.health.state import StateRule
from monitor.health.threshold import Threshold
from store.event import Event, Severity
from store.query.parser import parse
from store.query.syntax import Field
from tests.events import at, make_event
from tests.unit.alert_cases import told

RESOURCE: tuple[Key, ...] = ((Field.RESOURCE,),)
DOWN = Rule(
    name="component-down",
    query=parse("type:*.health_changed"),
    kind=StateRule(),
    severity=Severity.ERROR,
    group_by=RESOURCE,
)
MANY = Rule(
    name="many-failures",
    query=parse("type:job.failed"),
    kind=Threshold(3, timedelta(seconds=60)),
    severity=Severity.ERROR,
)
SHARE = Rule(
    name="share",
    query=parse("type:job.failed"),
    kind=Ratio(parse("type:job.*"), 0.5, timedelta(minutes=2), minimum=4),
    severity=Severity.WARNING,
)
RULES = (DOWN, MANY, SHARE)


def health(number: int, second: float, status: str, name: str = "qbt") -> Event:
    return make_event(
        number,
        event_type="client.health_changed",
        resource_type="client",
        resource_id=name,
        status=status,
        inserted_at=at(second),
    )


def job(number: int, second: float, outcome: str = "failed") -> Event:
    return make_event(number, event_type=f"job.{outcome}", inserted_at=at(second))


def begun(page: list[Event], complete_from: float | None, now: float) -> Alerting:
    alerting = Alerting(RULES)
    alerting.open(page, None if complete_from is None else at(complete_from), at(now))
    return alerting


def recall(alerting: Alerting, record: list[Event], now: float) -> None:
    alerting.apply(record, at(now))
    alerting.recalled()


def looked_back(alerting: Alerting, stored: list[Event], now: float, since: float = 0) -> None:
    """As the console does it: the stored events from the replay's beginning on, in the order of time."""
    replay = alerting.look_back(at(since))
    ordered = sorted(stored, key=lambda event: event.sort_key)
    replay.apply(event for event in ordered if event.inserted_at >= replay.since)
    alerting.looked_back(replay, at(now))


def record_all(alerting: Alerting, now: float) -> list[Event]:
    recorded: list[Event] = []
    while events := alerting.to_record(at(now)):
        recorded += events
        alerting.apply(events, at(now))
    return recorded


def spans(history: list[PastEpisode] | tuple[PastEpisode, ...]) -> list[tuple[datetime, datetime | None]]:
    return sorted((one.fired, one.resolved) for one in history)


FLAPS = [
    health(1, 10, "down"),
    health(2, 20, "up"),
    health(3, 100, "down"),
    health(4, 130, "up"),
    health(5, 200, "down"),
    health(6, 260, "up"),
]


def test_what_began_and_ended_while_nobody_watched_is_recorded_with_its_times() -> None:
    # The newest page holds the last change alone; the episode at 10 is on record.
    alerting = begun(FLAPS[5:], 250, 300)
    recall(alerting, told(10, 20, "component-down:client/qbt"), 300)
    looked_back(alerting, FLAPS, 300)
    recorded = record_all(alerting, 300)
    assert [(event.event_type, event.inserted_at) for event in recorded if event.resource_id == "qbt"] == [
        ("alert.fired", at(100)),
        ("alert.resolved", at(130)),
        ("alert.fired", at(200)),
        ("alert.resolved", at(260)),
    ]
    assert spans(list(alerting.history())) == [(at(10), at(20)), (at(100), at(130)), (at(200), at(260))]
    assert not any(one.attention for one in alerting.shown(at(300)))


def test_what_ended_before_the_last_of_the_record_is_left_as_it_is() -> None:
    alerting = begun(FLAPS[5:], 250, 300)
    recall(alerting, told(100, 150, "component-down:client/other"), 300)
    looked_back(alerting, FLAPS, 300)
    record_all(alerting, 300)
    assert spans([one for one in alerting.history() if one.fingerprint.endswith("qbt")]) == [
        (at(200), at(260))
    ]


def test_what_is_not_known_yet_is_waited_for_but_not_for_ever() -> None:
    alerting = begun(FLAPS[4:5], 190, 250)
    recall(alerting, told(10, 20, "component-down:client/qbt"), 250)
    assert not alerting.is_settled(at(279))
    assert alerting.to_record(at(279)) == []
    assert alerting.is_settled(at(280))
    assert [event.event_type for event in alerting.to_record(at(280))] == ["alert.fired"]


def test_the_first_console_of_all_records_nothing_that_is_over() -> None:
    alerting = begun(FLAPS[5:], 250, 300)
    recall(alerting, [], 300)
    looked_back(alerting, FLAPS, 300)
    assert record_all(alerting, 300) == []


def test_nothing_is_recorded_before_the_record_is_known() -> None:
    alerting = begun(FLAPS[5:], 250, 300)
    looked_back(alerting, FLAPS, 300)
    assert alerting.to_record(at(300)) == []
    recall(alerting, told(10, 20, "component-down:client/qbt"), 300)
    assert len(record_all(alerting, 300)) == 4


def test_what_fires_for_long_has_its_true_beginning() -> None:
    jobs = [job(number, 100 + 10 * number) for number in range(1, 11)]
    alerting = begun(jobs[7:], 175, 205)
    looked_back(alerting, jobs, 205)
    [many] = [one for one in alerting.shown(at(205)) if one.alert.rule == "many-failures"]
    assert (many.since, many.alert.count) == (at(130), 10)


def test_what_came_meanwhile_counts_once_whether_it_was_read_or_not() -> None:
    stored = [job(1, 100), job(2, 101), job(3, 102, "completed"), job(4, 103, "completed")]
    alerting = begun(stored[3:], 103, 110)
    replay = alerting.look_back(at(0))
    replay.apply(stored)
    # One came by the bus and is stored before the last page is read, the other one after.
    both = [job(5, 111), job(6, 112)]
    alerting.apply(both, at(112))
    replay.apply(both[:1])
    alerting.looked_back(replay, at(112))
    alerting.tick(at(120))
    [share] = [one for one in alerting.shown(at(120)) if one.alert.rule == "share"]
    assert share.alert.count == 4


def test_what_is_older_than_it_looks_back_counts_by_the_latest_of_its_kind() -> None:
    first = health(1, 10, "down")
    alerting = begun([first, health(2, 500, "up", "other")], 400, 600)
    looked_back(alerting, [first, health(2, 500, "up", "other")], 600, since=300)
    assert [(one.alert.fingerprint, one.since) for one in alerting.shown(at(600))] == [
        ("component-down:client/qbt", at(10))
    ]


def test_who_was_given_all_there_is_knows_all_there_is_afterwards() -> None:
    for complete_from, known_since in ((None, None), (190.0, at(0))):
        alerting = begun(FLAPS[4:], complete_from, 300)
        looked_back(alerting, FLAPS, 300)
        assert alerting.desk.evaluation is not None
        assert alerting.desk.evaluation.known_since == known_since


def test_many_are_recorded_in_portions() -> None:
    flaps = [
        event
        for number in range(RECORDED_AT_ONCE)
        for event in (
            health(2 * number + 1, number, "down", f"c{number}"),
            health(2 * number + 2, number + 0.5, "up", f"c{number}"),
        )
    ]
    alerting = begun([], 1000, 1000)
    recall(alerting, told(-20, -10), 1000)
    looked_back(alerting, flaps, 1000)
    assert len(alerting.to_record(at(1000))) == RECORDED_AT_ONCE
    assert len(record_all(alerting, 1000)) == 2 * RECORDED_AT_ONCE
    assert len(alerting.history()) == RECORDED_AT_ONCE + 1


@given(
    st.lists(
        st.tuples(st.integers(0, 400), st.sampled_from(["down", "up", "failed", "completed"])),
        min_size=1,
        max_size=60,
        unique_by=lambda step: step[0],
    ),
    st.integers(0, 400),
    st.integers(0, 400),
)
def test_whoever_looks_back_knows_what_one_who_watched_all_the_time_knows(
    steps: list[tuple[int, str]], opened: int, read: int
) -> None:
    opened, read = sorted((opened, read))
    events = [
        health(number, second, what) if what in {"down", "up"} else job(number, second, what)
        for number, (second, what) in enumerate(sorted(steps), start=1)
    ]
    before = [event for event in events if event.inserted_at < at(opened)]
    watched = Alerting(RULES)
    watched.open([], None, at(0))
    for event in events:
        watched.apply([event], event.inserted_at)
    # Not from before the other one began: a window that is known in part tells nothing.
    late = begun(before[-3:], max(0, opened - 50), opened)
    replay = late.look_back(at(0))
    for event in events:
        if event.inserted_at >= at(opened):
            late.apply([event], event.inserted_at)
    replay.apply(event for event in events if event.inserted_at < at(read))
    late.looked_back(replay, at(400))
    for one in (watched, late):
        one.tick(at(400))

    def known(alerting: Alerting) -> set[tuple[str, AlertState, datetime, int]]:
        alerts: list[Alert] = [one.alert for one in alerting.shown(at(400))]
        return {(one.fingerprint, one.state, one.since, one.count) for one in alerts}

    assert known(late) == known(watched)

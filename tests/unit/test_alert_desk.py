"""The desk: what is made of an alert, case by case. Times are seconds after noon."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.health import acknowledgements, alert_record, silences
from monitor.health.alert_events import FIRED, RESOLVED, alert_of, fired, resolved
from monitor.health.alert_history import response_times
from monitor.health.desk import AlertDesk, DeskAlert, Evaluation
from monitor.health.engine import Alert, AlertState
from store.event import Event, Severity
from tests.events import at
from tests.unit.alert_cases import NAME, ack, alert, ending, pending, silence, silencing, told, unack

MINUTE, HOUR = 60, 3600


def shown(events: list[Event], one: Alert, now: float) -> DeskAlert:
    """What a desk that was told of `events`, in no order, makes of one alert."""
    desk = AlertDesk()
    random.Random(1).shuffle(events)
    desk.apply(events)
    [only] = desk.show([one], at(now))
    return only


def facts(one: DeskAlert) -> tuple[str | None, bool]:
    """Who took care of it, and whether it calls for attention."""
    return one.acknowledged and one.acknowledged.by, one.attention


# Acknowledging


@pytest.mark.parametrize(
    ("events", "one", "now", "expected"),
    [
        ([], alert(0), 10, (None, True)),
        ([], alert(0, 5), 10, (None, False)),
        ([], pending(0), 10, (None, False)),
        ([ack(0, 10)], pending(0), 20, (None, False)),
        # Nothing need be on record but what the person said.
        ([ack(0, 10)], alert(0), 20, ("ana", False)),
        ([*told(0), ack(0, 10)], alert(0), 20, ("ana", False)),
        # It holds until the alert clears, and is then forgotten.
        ([*told(0), ack(0, 10)], alert(0, 100), 200, (None, False)),
        ([*told(0, 100), ack(0, 10)], alert(1000), 1010, (None, True)),
        ([*told(0), ack(0, 10)], alert(1000), 1010, (None, True)),
        ([ack(0, 10)], alert(1000), 1010, (None, True)),
        # Named by a beginning that nobody else knows of, it was said in this episode.
        ([*told(500), ack(0, 510)], alert(500), 520, ("ana", False)),
        ([*told(0, 100), *told(500), ack(0, 510)], alert(500), 520, (None, True)),
        ([*told(0, 100), *told(1000), ack(0, 10)], alert(1000), 1010, (None, True)),
        ([*told(0, 100), *told(1000), ack(1000, 1005, "bo")], alert(1000), 1010, ("bo", False)),
        # The latest word counts.
        ([*told(0), ack(0, 10), unack(0, 20)], alert(0), 30, (None, True)),
        ([*told(0), ack(0, 10), unack(0, 20), ack(0, 25, "bo")], alert(0), 30, ("bo", False)),
        ([*told(0), unack(0, 5), ack(0, 10)], alert(0), 30, ("ana", False)),
        # Another alert's.
        ([ack(0, 10, fingerprint="component-down:client/other")], alert(0), 20, (None, True)),
        # An evaluator that knew more, or a little less, of what went before means the same episode.
        ([*told(100), ack(100, 110)], alert(0), 200, ("ana", False)),
        ([*told(100), ack(100, 110)], alert(150), 200, ("ana", False)),
        ([*told(100), ack(100, 110)], alert(161), 200, (None, True)),
        # Nobody means an episode that is still to come.
        ([*told(0, 100), ack(9000, 50)], alert(1000), 1010, (None, True)),
        # A producer's clock that runs ahead.
        ([*told(500), ack(500, 10)], alert(500), 20, ("ana", False)),
    ],
)
def test_who_takes_care_of_an_alert(
    events: list[Event], one: Alert, now: float, expected: tuple[str | None, bool]
) -> None:
    assert facts(shown(list(events), one, now)) == expected


def test_an_acknowledgement_tells_who_when_and_why() -> None:
    acknowledged = shown([ack(0, 10, comment="disks")], alert(0), 20).acknowledged
    assert acknowledged is not None
    assert (acknowledged.by, acknowledged.comment, acknowledged.at) == ("ana", "disks", at(10))


def test_what_an_acknowledgement_is_made_of_names_the_recorded_episode() -> None:
    one = shown(told(30), alert(0), 60)
    assert (one.since, one.episode.since, one.alert.since) == (at(30), at(30), at(0))


def test_a_console_that_knows_little_of_the_past_takes_the_recorded_episode_for_the_same() -> None:
    desk = AlertDesk(evaluation=Evaluation(began=at(9000), known_since=at(5000)))
    desk.apply([*told(0), ack(0, 10)])
    assert facts(desk.show([alert(7000)], at(9000))[0]) == ("ana", False)
    assert desk.to_record([alert(7000)], at(9000)) == []
    desk.evaluation = Evaluation(began=at(9000))
    assert facts(desk.show([alert(7000)], at(9000))[0]) == (None, True)


# Silencing


@pytest.mark.parametrize(
    ("events", "now", "is_silenced"),
    [
        ([silencing()], 10, True),
        ([silencing()], HOUR, False),
        ([silencing(starts=100)], 99, False),
        ([silencing(starts=100)], 100, True),
        ([silencing("@rule:component-down severity>=warning")], 10, True),
        ([silencing("resource:client/other")], 10, False),
        ([silencing(), ending(50)], 49, True),
        ([silencing(), ending(50)], 50, False),
        ([silencing(), ending(50), ending(20)], 30, False),
        ([silencing(), ending(50, "another")], 60, True),
        ([silencing(), ending(-50)], 10, False),
    ],
)
def test_a_silence_holds_from_its_start_to_its_end(
    events: list[Event], now: float, is_silenced: bool
) -> None:
    one = shown(list(events), alert(0), now)
    assert (one.silenced_by is not None, one.attention) == (is_silenced, not is_silenced)
    assert shown(list(events), alert(0, 1), now).silenced_by is None


def test_of_several_silences_the_one_that_ends_last_is_told() -> None:
    long = silence("severity:error", ends=7200, name="long")
    one = shown([silencing(), silences.silenced(long)], alert(0), 10)
    assert one.silenced_by == long
    assert long.author == "ana"


def test_an_alert_that_becomes_another_is_held_against_silences_anew() -> None:
    desk = AlertDesk()
    desk.apply([silencing("severity:error")])
    for severity in (Severity.ERROR, Severity.WARNING, Severity.ERROR):
        [one] = desk.show([alert(0, severity=severity)], at(10))
        assert (one.silenced_by is not None) is (severity is Severity.ERROR)


def test_the_end_of_a_silence_is_told_once() -> None:
    desk = AlertDesk()
    desk.apply([silencing(), silences.silenced(silence(name="b", ends=100)), ending(60, "b")])
    [by_hand, by_itself] = sorted(desk.silences(), key=lambda one: one.ends)
    assert (by_hand.ends, by_hand.ended_by, by_itself.ended_by) == (at(60), "bo", "")
    assert desk.expired(at(0), at(HOUR - 1)) == ()
    assert desk.expired(at(HOUR - 1), at(HOUR)) == (by_itself,)
    assert desk.expired(at(HOUR), at(HOUR + 1)) == ()
    assert not by_itself.is_expired(at(HOUR - 1))
    assert by_itself.is_expired(at(HOUR))


def test_the_first_that_claims_an_id_has_it() -> None:
    other = replace(silence("severity:warning"), created=at(5), author="mallory")
    for order in ([silencing(), silences.silenced(other)], [silences.silenced(other), silencing()]):
        desk = AlertDesk()
        desk.apply(order)
        assert [one.author for one in desk.silences()] == ["ana"]


def test_times_in_the_query_of_a_silence_are_those_of_its_making() -> None:
    # An alert is dated when it began.
    desk = AlertDesk()
    desk.apply([silencing("since:-1m", starts=600)])
    old, new = desk.show([alert(0), alert(570, fingerprint="job-failed:job/a")], at(660))
    assert (old.silenced_by is None, new.silenced_by is None) == (True, False)


# Flapping


def episodes(*spans: tuple[float, float | None]) -> list[Event]:
    return [event for since, until in spans for event in told(since, until)]


FLAPS = ((0, 30), (100, 130), (200, 230))


@pytest.mark.parametrize(
    ("spans", "one", "now", "expected"),
    [
        (FLAPS, alert(300), 310, (4, True)),
        (FLAPS, alert(300, 330), 340, (4, False)),
        (FLAPS[1:], alert(300), 310, (0, True)),
        ((*FLAPS, (300, 330)), alert(400), 410, (5, False)),
        # What the record has and the engine has count once.
        ((*FLAPS, (300, None)), alert(300), 310, (4, True)),
        # Quiet for ten minutes: it is up, or down for good.
        ((*FLAPS, (300, 330)), alert(400, 430), 1029, (5, False)),
        ((*FLAPS, (300, 330)), alert(400, 430), 1030, (0, False)),
        ((*FLAPS, (300, 330)), alert(400), 999, (5, False)),
        ((*FLAPS, (300, 330)), alert(400), 1000, (0, True)),
        # After that it may begin again, and calls once more.
        ((*FLAPS, (300, 330)), alert(930), 931, (5, True)),
        ((*FLAPS, (300, 330)), alert(929), 930, (5, False)),
        ((*FLAPS, (300, 901)), alert(910), 911, (5, True)),
        # Within an hour.
        (FLAPS, alert(3599), 3599, (4, True)),
        (FLAPS, alert(3600), 3600, (0, True)),
        ((*FLAPS, (300, 330), (3500, 3510)), alert(3600), 3605, (5, False)),
    ],
)
def test_an_alert_that_comes_and_goes_is_shown_once(
    spans: tuple[tuple[float, float | None], ...], one: Alert, now: float, expected: tuple[int, bool]
) -> None:
    made = shown(episodes(*spans), one, now)
    assert (made.flapping, made.attention) == expected


@pytest.mark.parametrize(
    ("said", "spans", "one", "now", "by"),
    [
        # It holds while it flaps, also while it is well for a moment.
        (ack(300, 310), (*FLAPS, (300, 330)), alert(400), 410, "ana"),
        (ack(300, 310), (*FLAPS, (300, 330)), alert(400, 430), 500, "ana"),
        (ack(200, 210), (*FLAPS, (300, 330)), alert(400), 410, "ana"),
        # Before it flapped, it cleared.
        (ack(100, 110), (*FLAPS, (300, 330)), alert(400), 410, None),
        # It stays down: taken care of until it clears.
        (ack(300, 310), (*FLAPS, (300, 330)), alert(400), 4000, "ana"),
        # Quiet for a while: forgotten.
        (ack(300, 310), (*FLAPS, (300, 330)), alert(400, 430), 1030, None),
        (ack(300, 310), (*FLAPS, (300, 330)), alert(930), 940, None),
        (unack(400, 405), (*FLAPS, (300, 330)), alert(400), 410, None),
    ],
)
def test_an_acknowledgement_holds_while_it_flaps(
    said: Event, spans: tuple[tuple[float, float | None], ...], one: Alert, now: float, by: str | None
) -> None:
    made = shown(
        [*episodes(*spans), ack(300, 310), said]
        if said.event_type.endswith("unacknowledged")
        else [*episodes(*spans), said],
        one,
        now,
    )
    assert (made.acknowledged and made.acknowledged.by) == by
    assert not (by and made.attention)


# Recording

Told = list[tuple[str, float, float]]
"""Type, since when, and the time of the event."""


def recorded(desk: AlertDesk, alerts: list[Alert], now: float) -> Told:
    return [
        (
            event.event_type,
            (alert_of(event).since - at(0)).total_seconds(),
            (event.inserted_at - at(0)).total_seconds(),
        )
        for event in desk.to_record(alerts, at(now))
    ]


@pytest.mark.parametrize(
    ("events", "one", "now", "expected"),
    [
        ([], alert(0), 10, [(FIRED, 0, 0)]),
        ([], pending(0), 10, []),
        (told(0), alert(0), 10, []),
        (told(0), alert(0, 20), 30, [(RESOLVED, 0, 20)]),
        (told(0, 20), alert(0, 20), 30, []),
        (told(0, 20), alert(50), 60, [(FIRED, 50, 50)]),
        (told(0, 20), alert(20), 60, [(FIRED, 20, 20)]),
        # Another evaluator knew less, or more, of what went before.
        (told(50), alert(0), 60, []),
        (told(0), alert(60), 70, []),
        # It ended, and began anew, while nobody looked.
        (told(0), alert(61), 70, [(RESOLVED, 0, 61), (FIRED, 61, 61)]),
        (told(0), alert(100, 200), 300, [(RESOLVED, 0, 200)]),
        (told(0), pending(100), 110, [(RESOLVED, 0, 100)]),
        (told(100), pending(50), 110, []),
        # Old: before the newest that is on record of it.
        (told(100), alert(0, 20), 110, []),
        (told(100, 200), alert(0, 20), 300, []),
        # The news that it is over came before what ended it; if nothing comes, it fires still.
        (told(0, 100), alert(0), 159, []),
        (told(0, 100), alert(0), 160, [(FIRED, 100, 100)]),
        ([*told(0, 100), *told(100)], alert(0), 500, []),
        ([*told(0, 100), *told(100)], alert(0, 100), 500, []),
        # What is on record already is not recorded again, though it did not help.
        ([*told(0, 100), *told(100, 100)], alert(0), 500, []),
        # An episode without length.
        (told(10), alert(10, 10), 20, [(RESOLVED, 10, 10)]),
        (told(10, 10), alert(10, 10), 20, []),
        (told(10, 10), alert(10), 69, []),
        (told(10, 10), alert(10), 70, [(FIRED, 10.000001, 10.000001)]),
        ([*told(10, 10), *told(10.000001)], alert(10), 70, []),
    ],
)
def test_what_the_record_lacks_is_recorded(
    events: list[Event], one: Alert, now: float, expected: Told
) -> None:
    desk = AlertDesk(evaluation=Evaluation(began=at(0)))
    desk.apply(events)
    assert recorded(desk, [one], now) == expected
    # The same until it is stored; nothing afterwards.
    new = desk.to_record([one], at(now))
    assert [event.id for event in desk.to_record([one], at(now))] == [event.id for event in new]
    desk.apply(new)
    assert desk.to_record([one], at(now)) == []


@pytest.mark.parametrize(
    ("on_record", "began", "one", "is_recorded"),
    [
        # It fired and ended while this evaluator was at work.
        ([], 50, alert(60, 70), True),
        ([], 50, alert(40, 70), True),
        # Before: old, unless others have recorded what was older.
        ([], 50, alert(20, 40), False),
        (told(0, 10, "job-failed:job/a"), 50, alert(20, 40), True),
        (told(0, 45, "job-failed:job/a"), 50, alert(20, 40), False),
        (told(60, 65, "job-failed:job/a"), 50, alert(52, 55), True),
    ],
)
def test_nothing_old_is_recorded_and_nothing_is_missed_that_nobody_watched(
    on_record: list[Event], began: float, one: Alert, is_recorded: bool
) -> None:
    desk = AlertDesk(evaluation=Evaluation(began=at(began)))
    desk.apply(on_record)
    types = [event.event_type for event in desk.to_record([one], at(100))]
    assert types == ([FIRED, RESOLVED] if is_recorded else [])
    desk.apply(desk.to_record([one], at(100)))
    assert desk.to_record([one], at(100)) == []


def test_what_fires_since_long_ago_is_recorded_with_its_own_time() -> None:
    desk = AlertDesk(evaluation=Evaluation(began=at(9000)))
    assert recorded(desk, [alert(0)], 9001) == [(FIRED, 0, 0)]


def test_what_the_engine_knows_nothing_of_is_over_when_it_would_know() -> None:
    rules = frozenset({"component-down"})
    desk = AlertDesk()
    desk.apply(told(0))
    assert recorded(desk, [], 50) == []
    desk.evaluation = Evaluation(began=at(10), rules=frozenset({"another"}))
    assert recorded(desk, [], 50) == []
    desk.evaluation = Evaluation(began=at(10), known_since=at(5), rules=rules)
    assert recorded(desk, [], 50) == []
    desk.evaluation = Evaluation(began=at(10), known_since=at(0), rules=rules)
    # What it tells of may be on its way here.
    assert recorded(desk, [], 50) == recorded(desk, [], 109) == []
    assert recorded(desk, [], 110) == [(RESOLVED, 0, 110)]
    desk.apply(desk.to_record([], at(110)))
    # Someone who knows better says that it fires: that is believed, until the engine has heard of it too.
    desk.apply([fired(alert(110), at(120))])
    assert recorded(desk, [], 130) == recorded(desk, [], 9000) == []
    assert recorded(desk, [alert(0, 150)], 9000) == [(RESOLVED, 110, 150)]


def test_what_was_taken_up_again_by_mistake_is_over_in_the_end() -> None:
    mistaken, right = (
        AlertDesk(evaluation=Evaluation(at(0), None, frozenset({"component-down"}))) for _ in "ab"
    )
    events = [*told(0, 100), *told(100)]
    for desk in (mistaken, right):
        desk.apply(events)
    # While they differ, each of the others contradicts once; then the one that has it firing is believed.
    assert recorded(mistaken, [alert(0)], 500) == []
    assert recorded(right, [alert(0, 100)], 500) == []
    assert recorded(right, [alert(0, 100)], 560) == [(RESOLVED, 100, 560)]
    for desk in (mistaken, right):
        desk.apply(right.to_record([alert(0, 100)], at(560)))
    assert recorded(mistaken, [alert(0)], 619) == []
    again = mistaken.to_record([alert(0)], at(620))
    assert [(event.event_type, event.inserted_at) for event in again] == [(FIRED, at(560))]
    for desk in (mistaken, right):
        desk.apply(again)
    assert recorded(right, [alert(0, 100)], 9000) == []
    # It learns better.
    assert recorded(mistaken, [alert(0, 100)], 9000) == []
    assert recorded(mistaken, [alert(0, 100)], 9060) == [(RESOLVED, 560, 9060)]


def test_each_alert_is_recorded_once_and_one_that_no_event_can_hold_hinders_no_other() -> None:
    desk = AlertDesk()
    good = alert(0)
    bad = alert(0, None, "component-down:client/bad", title="\x00")
    assert [event.resource for event in desk.to_record([good, bad, alert(5)], at(10))] == ["client/qbt"]
    assert [one.alert for one in desk.show([good, bad, alert(5)], at(10))] == [good, bad]


# The record alone


def test_the_record_alone_tells_what_fires() -> None:
    desk = AlertDesk()
    mild = fired(alert(50, None, "slow:db/a", severity=Severity.WARNING, runbook="https://x"), at(51))
    desk.apply([*told(0), mild, *told(5, 9, "job-failed:job/a"), *told(5, 8, "job-failed:job/b")])
    found = desk.recorded()
    assert [(one.fingerprint, one.state) for one in found] == [
        (NAME, AlertState.FIRING),
        ("slow:db/a", AlertState.FIRING),
        ("job-failed:job/a", AlertState.RESOLVED),
        ("job-failed:job/b", AlertState.RESOLVED),
    ]
    assert (found[1].runbook, found[1].since) == ("https://x", at(50))
    assert desk.written_at == at(51)
    assert [one.attention for one in desk.show(found, at(60))] == [True, True, False, False]


def test_an_alert_is_as_it_was_told_last_whatever_comes_first() -> None:
    events = [fired(alert(since, title=title), at(since)) for since, title in ((0, "old"), (90, "new"))]
    for order in (events, events[::-1]):
        desk = AlertDesk()
        desk.apply(order)
        assert [one.title for one in desk.recorded()] == ["new"]


def test_an_episode_is_known_by_its_end_alone() -> None:
    desk = AlertDesk()
    desk.apply([resolved(alert(5, 9), at(9))])
    assert [(one.fired, one.resolved) for one in desk.history()] == [(at(5), at(9))]


def test_episodes_that_several_evaluators_recorded_are_one() -> None:
    desk = AlertDesk()
    desk.apply([*told(10), *told(5, 50), resolved(alert(10, 50), at(50)), resolved(alert(10, 60), at(60))])
    assert [(one.fired, one.resolved) for one in desk.history()] == [(at(5), at(50))]


# History


def test_history_tells_who_took_care_and_how_soon() -> None:
    desk = AlertDesk()
    desk.apply([
        *told(0, 100), ack(0, 20), ack(0, 50, "bo"),
        *told(1000, 1300), ack(1000, 1040, "bo"), unack(1000, 1050),
        *told(2000),
        *told(0, 10, "job-failed:job/a"), ack(0, -5, fingerprint="job-failed:job/a"),
    ])  # fmt: skip
    past = desk.history()
    assert [(one.rule, one.fired, one.resolved, one.acknowledged_by) for one in past] == [
        ("component-down", at(2000), None, ""),
        ("component-down", at(1000), at(1300), "bo"),
        ("job-failed", at(0), at(10), "ana"),
        ("component-down", at(0), at(100), "ana"),
    ]
    down, job = response_times(past)
    assert (down.rule, down.episodes, down.acknowledged, down.resolved) == ("component-down", 3, 2, 2)
    assert (down.mean_to_acknowledge, down.mean_to_resolve) == (timedelta(seconds=30), timedelta(seconds=200))
    # Clocks differ: nothing was taken care of before it fired.
    assert (job.mean_to_acknowledge, job.mean_to_resolve) == (timedelta(0), timedelta(seconds=10))
    assert response_times([past[0]])[0].mean_to_acknowledge is None


# Bounds


def test_of_one_alert_the_latest_episodes_are_kept_and_the_others_counted() -> None:
    desk = AlertDesk()
    events = episodes(*((100 * n, 100 * n + 50) for n in range(80)))
    random.Random(3).shuffle(events)
    desk.apply(events)
    past = desk.history()
    assert len(past) == alert_record.MARKS_MAX // 2
    assert past[0].fired == at(7900)
    assert desk.forgotten == 60


def test_of_many_alerts_those_that_fire_and_the_latest_are_kept() -> None:
    desk = AlertDesk()
    many = alert_record.ALERTS_MAX * 2
    desk.apply(told(-5000))
    for n in range(many):
        desk.apply(told(n, n + 0.5, f"job-failed:job/{n}"))
    kept = desk.recorded()
    assert alert_record.ALERTS_MAX <= len(kept) <= alert_record.ALERTS_MAX * 5 // 4
    assert (kept[0].fingerprint, kept[1].fingerprint) == (NAME, f"job-failed:job/{many - 1}")
    assert desk.forgotten >= many * 2 - len(kept) * 2


def test_what_people_say_is_bounded_too() -> None:
    desk = AlertDesk()
    desk.apply(ack(0, n, f"p{n}") for n in range(acknowledgements.STATEMENTS_MAX + 10))
    assert desk.forgotten == 10
    assert facts(desk.show([alert(0)], at(100))[0])[0] == f"p{acknowledgements.STATEMENTS_MAX + 9}"
    desk = AlertDesk()
    desk.apply(ack(0, n, fingerprint=f"r:{n}") for n in range(acknowledgements.ALERTS_MAX * 2))
    assert desk.forgotten >= acknowledgements.ALERTS_MAX * 3 // 4
    desk = AlertDesk()
    desk.apply(silences.silenced(silence(name=str(n), ends=n + 1)) for n in range(silences.SILENCES_MAX * 2))
    desk.apply(ending(5, str(n)) for n in range(silences.SILENCES_MAX * 3))
    assert silences.SILENCES_MAX <= len(desk.silences()) <= silences.SILENCES_MAX * 5 // 4
    assert desk.silences()[-1].ends <= at(5)


def test_a_clock_that_goes_back_gives_what_was_then() -> None:
    desk = AlertDesk()
    desk.apply([*told(0), silencing(ends=100)])
    before = desk.show([alert(0)], at(50))
    assert desk.show([alert(0)], at(5000))[0].attention
    assert desk.show([alert(0)], at(50)) == before

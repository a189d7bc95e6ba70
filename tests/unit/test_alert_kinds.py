"""Each kind of rule, through the engine: what is pending, fires and resolves, and when."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.engine import Alert, AlertEngine, AlertState
from monitor.health.interest import loosened
from monitor.health.rule import Rule
from monitor.health.rules_file import RulesText, read_rules
from monitor.health.usual import SLOT, UsualRates, slot_of
from monitor.rules import shipped_rules
from store.event import Event
from store.query.parser import parse
from store.sampling import KEPT_SHARE
from tests.events import at, make_event

DAY = 86_400


def rule(toml: str) -> Rule:
    """The one rule, called `r`, of these keys."""
    (found,) = read_rules([RulesText("rules.toml", f"[rules.r]\n{toml}")]).rules
    return found


def events(event_type: str, *seconds: float, **fields: Any) -> list[Event]:
    return [
        Event.model_validate(
            {
                "id": uuid5(NAMESPACE_OID, f"{event_type} {second} {number}"),
                "event_type": event_type,
                "inserted_at": at(second),
                **fields,
            }
        )
        for number, second in enumerate(seconds)
    ]


def states(
    subject: Rule, given: list[Event], moments: list[float], usual: UsualRates | None = None
) -> list[tuple[float, str]]:
    """What the one alert is at these moments, when all events are known, where it is something."""
    engine = AlertEngine([subject], usual=usual)
    engine.apply(given, at(moments[0]))
    told: list[tuple[float, str]] = []
    for moment in moments:
        engine.tick(at(moment))
        told.extend((moment, str(alert.state)) for alert in engine.alerts())
    return told


def changes(
    subject: Rule, given: list[Event], until: int, usual: UsualRates | None = None
) -> list[tuple[float, str]]:
    """When the one alert is something else, looked at each second up to `until`."""
    told = states(subject, given, [float(second) for second in range(until + 1)], usual)
    return [now for before, now in zip([(0, ""), *told], told, strict=False) if before[1] != now[1]]


def alerts(subject: Rule, given: list[Event], now: float) -> tuple[Alert, ...]:
    engine = AlertEngine([subject])
    engine.apply(given, at(now))
    return engine.alerts()


THRESHOLD = 'kind = "threshold"\nquery = "type:a.b"\ncount = 3\nwindow = "1m"\n'
STATE = 'kind = "state"\nquery = "type:a.begun"\nuntil = "type:a.ended"\n'
RATIO = 'kind = "ratio"\nquery = "type:a.b status:bad"\nof = "type:a.b"\nratio = 0.5\nwindow = "1m"\nminimum = 4\n'
SLOW = 'kind = "slow"\nquery = "type:a.b"\nwindow = "1m"\nminimum = 4\n'
SLOW += 'duration = "@t.ms"\nabove = 100\nquantile = 0.5\n'
ABSENCE = 'kind = "absence"\nquery = "type:a.b"\nallowed = "1m"\n'


@dataclass
class Case:
    toml: str
    given: list[Event]
    expected: list[tuple[float, str]]
    until: int = 400


BAD, GOOD = {"status": "bad"}, {"status": "good"}
CASES = {
    "a threshold fires with the event that is one too many, and until one is left out": Case(
        THRESHOLD, events("a.b", 10, 20, 30), [(0, "firing"), (70, "resolved")]
    ),
    "a threshold that holds for less than it must is pending and never fires": Case(
        THRESHOLD + 'for = "2m"', events("a.b", 10, 20, 30), [(0, "pending")]
    ),
    "a threshold that holds for long enough fires then": Case(
        THRESHOLD + 'for = "30s"',
        events("a.b", 10, 20, 30),
        [(0, "pending"), (60, "firing"), (70, "resolved")],
    ),
    "a state holds from its beginning to its end": Case(
        STATE + 'for = "1m"',
        events("a.begun", 10) + events("a.ended", 100),
        [(0, "pending"), (70, "firing"), (100, "resolved")],
    ),
    "a state that is not ended fires when it has held for long enough": Case(
        STATE + 'for = "1m"', events("a.begun", 10), [(0, "pending"), (70, "firing")]
    ),
    "a state that ends in time never fires": Case(
        STATE + 'for = "1m"', events("a.begun", 10) + events("a.ended", 60), [(0, "pending")]
    ),
    "nothing is absent before it was there": Case(ABSENCE, events("c.d", 10), []),
    "what stops is absent after the time that is allowed": Case(
        ABSENCE, events("a.b", 10, 60), [(120, "firing")]
    ),
    "what comes again is absent no more, and then again": Case(
        ABSENCE,
        events("a.b", 10, 100),
        [(70, "firing"), (100, "resolved"), (160, "firing")],
    ),
    "a short absence never fires when it has to hold": Case(
        ABSENCE + 'for = "1m"', events("a.b", 10, 100, 150), [(70, "pending"), (270, "firing")]
    ),
    "a ratio holds while the share of a window is too large": Case(
        RATIO,
        events("a.b", 10, 11, **BAD) + events("a.b", 12, 13, **GOOD),
        [(14, "firing"), (71, "resolved")],
    ),
    "a ratio of too few says nothing": Case(RATIO, events("a.b", 10, 11, 12, **BAD), []),
    "a ratio ends when enough go well": Case(
        RATIO,
        events("a.b", 10, 11, 12, 13, **BAD) + events("a.b", *range(20, 30), **GOOD),
        [(14, "firing"), (25, "resolved")],
    ),
    "a quantile is too slow when more than the rest is above": Case(
        SLOW,
        events("a.b", 10, 11, 12, metadata={"t": {"ms": 101}})
        + events("a.b", 13, 14, metadata={"t": {"ms": 100}}),
        [(15, "firing"), (71, "resolved")],
    ),
    "half of them is not more than half": Case(
        SLOW,
        events("a.b", 10, 11, metadata={"t": {"ms": 101}}) + events("a.b", 12, 13, metadata={"t": {"ms": 9}}),
        [],
    ),
    "what is no number is not slow": Case(
        SLOW, events("a.b", 10, 11, 12, 13, metadata={"t": {"ms": "900"}}), []
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_goes_from_state_to_state(name: str) -> None:
    case = CASES[name]
    told = changes(rule(case.toml), case.given, case.until)
    assert [state for _, state in told] == [state for _, state in case.expected]
    # The last bucket of a window ends within a second of it.
    assert all(
        abs(moment - expected) <= 1 for (moment, _), (expected, _) in zip(told, case.expected, strict=True)
    )


def test_a_state_that_went_on_for_long_enough_is_resolved_at_once_when_all_is_known() -> None:
    (alert,) = alerts(rule(STATE + 'for = "1m"'), events("a.begun", 10) + events("a.ended", 100), 150)
    assert (alert.state, alert.since, alert.resolved_at) == (AlertState.RESOLVED, at(10), at(100))


def test_groups_are_counted_apart_and_told_in_the_title_and_the_labels() -> None:
    toml = THRESHOLD + 'group_by = ["actor", "@a.b"]\nrunbook = "https://x.example/r"\n'
    subject = rule(toml + 'title = "{actor}: {count} of {threshold} in {window}, {group}; {@a.b}"')
    given = [
        *events("a.b", 1, 2, 3, 4, actor_type="user", actor_id="x", metadata={"a": {"b": 5}}),
        *events("a.b", 1.1, 2.1, actor_type="user", actor_id="x", metadata={"a": {"b": 6}}),
        *events("a.b", 1.2, 2.2, 3.2, actor_type="user", actor_id="y,z"),
    ]
    first, second = sorted(alerts(subject, given, 5), key=lambda alert: alert.fingerprint)
    assert first.title == "user:x: 4 of 3 in 1m, user:x 5; 5"
    assert (first.fingerprint, first.labels) == ("r:user:x,5", (("actor", "user:x"), ("@a.b", "5")))
    assert (second.fingerprint, second.title) == ("r:user:y%2Cz,", "user:y,z: 3 of 3 in 1m, user:y,z;")
    assert first.runbook == "https://x.example/r"


def test_a_title_is_filled_once_whatever_the_values_say() -> None:
    subject = rule(THRESHOLD + 'group_by = ["actor_id"]\ntitle = "{actor_id} {count}"')
    (alert,) = alerts(subject, events("a.b", 1, 2, 3, actor_id="{count}{rule}"), 5)
    assert alert.title == "{count}{rule} 3"


def test_an_event_of_which_a_share_is_kept_counts_for_all_it_stands_for() -> None:
    (alert,) = alerts(rule(THRESHOLD), events("a.b", 1, 2, metadata={KEPT_SHARE: 0.5}), 5)
    assert alert.state == AlertState.FIRING
    shares = events("a.b", 1, metadata={KEPT_SHARE: 0.25}, status="bad")
    (alert,) = alerts(rule(RATIO), shares, 5)
    assert (alert.state, alert.count) == (AlertState.FIRING, 4)


def test_events_about_alerts_are_given_to_no_rule() -> None:
    assert alerts(rule(THRESHOLD), events("a.b", 1, 2, 3, category="alerts"), 5) == ()


def test_firing_comes_before_pending_and_that_before_resolved() -> None:
    resolved, pending = rule(THRESHOLD), rule(STATE + 'for = "1h"\nseverity = "error"')
    firing = rule(STATE.replace("a.begun", "c.begun") + 'severity = "info"')
    engine = AlertEngine([resolved, pending, firing])
    engine.apply(events("a.b", 1, 2, 3) + events("a.begun", 100) + events("c.begun", 101), at(200))
    assert [alert.state for alert in engine.alerts()] == ["firing", "pending", "resolved"]
    assert engine.firing == 1


def test_too_many_groups_are_forgotten_by_age_and_counted() -> None:
    subject = rule(THRESHOLD + 'group_by = ["actor_id"]\ngroups = 5')
    engine = AlertEngine([subject])
    for number in range(20):
        engine.apply(events("a.b", number, number, number, actor_id=f"u{number}"), at(20))
    assert sorted(alert.title for alert in engine.alerts()) == ["r: 3 events"] * 5
    assert (engine.forgotten, engine.forgotten_groups) == (15, 15)


@pytest.mark.parametrize("toml", [RATIO, SLOW])
def test_a_window_that_is_known_in_part_says_nothing(toml: str) -> None:
    engine = AlertEngine([rule(toml)])
    engine.begin(at(12), at(60))
    given = events("a.b", *range(0, 60, 2), status="bad", metadata={"t": {"ms": 500}})
    engine.apply(given, at(60))
    assert engine.alerts() == ()
    engine.tick(at(72))
    (alert,) = engine.alerts()
    assert (alert.state, alert.since) == (AlertState.FIRING, at(72))


def test_an_absence_counts_from_where_watching_began_when_nothing_came_since() -> None:
    engine = AlertEngine([rule(ABSENCE)])
    engine.begin(at(0), at(0))
    assert engine.next_due() is None
    engine.tick(at(59))
    assert engine.alerts() == ()
    engine.tick(at(60))
    (alert,) = engine.alerts()
    assert (alert.state, alert.since) == (AlertState.FIRING, at(60))
    engine.apply(events("a.b", -30), at(61))
    (alert,) = engine.alerts()
    assert alert.since == at(30)


def usual_of(query: str, per_slot: list[float], first: float = 0) -> UsualRates:
    """So many events in the slot of noon and all others of the day, of each of the days before."""
    usual = UsualRates()
    slot, a_day = slot_of(at(first)), timedelta(days=1) // SLOT
    counts = {
        slot - day * a_day + other: number
        for day, number in enumerate(reversed(per_slot), 1)
        for other in range(-a_day // 2, a_day // 2)
    }
    usual.learn(parse(query), counts)
    return usual


ANOMALY = 'kind = "anomaly"\nquery = "type:a.b"\nwindow = "10m"\nfactor = 3\nminimum = 10\n'


@pytest.mark.parametrize(
    ("direction", "days", "number", "expected"),
    [
        ("high", [20, 22, 20, 18, 20], 40, True),
        ("high", [20, 22, 20, 18, 20], 25, False),
        ("high", [20, 22, 900, 18, 20], 40, True),  # one day out of the ordinary changes nothing
        ("high", [20, 20, 20, 20], 25, False),  # days that are all alike leave some room
        ("high", [20, 20], 400, False),  # too few days to tell
        ("high", [0, 0, 0], 9, False),  # below the minimum
        ("high", [0, 0, 0], 10, True),
        ("low", [100, 104, 96], 20, True),
        ("low", [100, 104, 96], 95, False),
        ("low", [8, 8, 8], 1, False),
        ("both", [100, 104, 96], 20, True),
        ("both", [20, 22, 20, 18, 20], 40, True),
    ],
)
def test_what_is_far_from_what_is_usual_fires(
    direction: str, days: list[float], number: int, expected: bool
) -> None:
    subject = rule(ANOMALY + f'direction = "{direction}"')
    # A whole window of it, and one event before, so that the window is known.
    given = events("a.b", *(600 * part / number for part in range(number)))
    usual = usual_of("type:a.b", days)
    assert bool("firing" in dict(states(subject, given, [600.0], usual)).values()) is expected


def test_what_falls_silent_is_low_until_it_is_back() -> None:
    subject = rule(ANOMALY + 'direction = "low"')
    usual = usual_of("type:a.b", [100, 104, 96])
    given = events("a.b", *range(0, 1200, 6))
    assert states(subject, given, [1200.0, 3000.0], usual) == [(3000.0, "firing")]
    again = given + events("a.b", *range(3000, 4000, 6))
    assert states(subject, again, [3000.0, 4000.0], usual) == [(3000.0, "firing"), (4000.0, "resolved")]


def test_silence_is_measured_by_the_usual_gap_of_the_hour_and_not_before_it_is_known() -> None:
    subject = rule('kind = "absence"\nquery = "type:a.b"\ngaps = 5')
    given = events("a.b", 10, 20)
    assert states(subject, given, [9000.0]) == []
    # One a minute.
    usual = usual_of("type:a.b", [10, 10, 10])
    assert states(subject, given, [319.0, 320.0], usual) == [(320.0, "firing")]


def test_what_becomes_known_of_the_usual_holds_at_once() -> None:
    subject, usual = rule(ANOMALY), UsualRates()
    engine = AlertEngine([subject], usual=usual)
    engine.begin(at(-600), at(-600))
    engine.apply(events("a.b", *range(0, 600, 2)), at(600))
    assert engine.alerts() == ()
    known = usual_of("type:a.b", [10, 10, 10])
    usual.norm = known.norm  # pyright: ignore[reportAttributeAccessIssue]
    engine.usual_is_known(at(600))
    assert engine.firing == 1


def test_a_producer_whose_clock_is_far_ahead_stops_no_rule() -> None:
    ahead = events("a.b", 10**8, **BAD)
    given = events("a.b", *(second / 2 for second in range(1000)), **GOOD) + events(
        "a.b", *range(500, 520), **BAD
    )
    told = changes(rule(RATIO.replace("0.5", "0.3")), ahead + given, 600)
    assert [state for _, state in told] == ["firing", "resolved"]


def test_a_ratio_that_goes_on_for_long_keeps_its_since_and_its_count() -> None:
    engine = AlertEngine([rule(RATIO)])
    for start in range(0, 5000, 50):
        engine.apply(events("a.b", *range(start, start + 50), **BAD), at(start + 50))
    (alert,) = engine.alerts()
    assert (alert.since, alert.count) == (at(4), 5000)


ALL_KINDS = [
    rule(toml)
    for toml in (
        THRESHOLD,
        THRESHOLD + 'group_by = ["actor_id"]\nfor = "20s"',
        STATE.replace("a.begun", "a.b status:bad").replace("a.ended", "a.b -status:bad") + 'for = "20s"',
        RATIO,
        SLOW + 'group_by = ["actor_id"]',
        ABSENCE + 'group_by = ["actor_id"]',
        ANOMALY + 'direction = "both"',
    )
]
happenings = st.lists(
    st.tuples(
        st.integers(0, 900), st.sampled_from(["good", "bad"]), st.sampled_from("xy"), st.integers(0, 200)
    ),
    max_size=60,
)


@pytest.mark.parametrize("subject", ALL_KINDS, ids=lambda subject: type(subject.kind).__name__)
@given(happenings, st.randoms(use_true_random=False), st.integers(900, 1500))
def test_order_batches_and_duplicates_change_nothing(
    subject: Rule, told: list[tuple[int, str, str, int]], shuffler: random.Random, now: int
) -> None:
    given = [
        make_event(
            number + 1,
            event_type="a.b",
            inserted_at=at(second),
            status=status,
            actor_id=actor,
            metadata={"t": {"ms": milliseconds}},
        )
        for number, (second, status, actor, milliseconds) in enumerate(told)
    ]
    usual = usual_of("type:a.b", [12, 14, 12])
    in_order = AlertEngine([subject], usual=usual)
    in_order.apply(sorted(given, key=lambda event: event.sort_key), at(now))
    mixed = given + shuffler.choices(given, k=len(given) // 2) if given else []
    shuffler.shuffle(mixed)
    engine = AlertEngine([subject], usual=usual)
    while mixed:
        size = shuffler.randint(1, len(mixed))
        batch, mixed = mixed[:size], mixed[size:]
        engine.apply(batch, at(shuffler.randint(0, now)))
    engine.tick(at(now))
    assert engine.alerts() == in_order.alerts()


@given(happenings, st.integers(900, 1500))
def test_only_a_moment_that_was_told_changes_anything(
    told: list[tuple[int, str, str, int]], now: int
) -> None:
    given = [
        make_event(number + 1, event_type="a.b", inserted_at=at(second), status=status, actor_id=actor)
        for number, (second, status, actor, _) in enumerate(told)
    ]
    engine = AlertEngine(ALL_KINDS[:6])
    engine.apply(given, at(now))
    before, due = engine.alerts(), engine.next_due()
    names = [alert.fingerprint for alert in before]
    assert len(names) == len(set(names))
    if due is not None:
        assert due > at(now)
        engine.tick(due - timedelta(microseconds=1))
        assert engine.alerts() == before


def test_the_shipped_rules_say_nothing_of_an_empty_store() -> None:
    engine = AlertEngine(shipped_rules(), usual=UsualRates())
    engine.begin(at(0), at(0))
    engine.tick(at(30 * DAY))
    assert engine.alerts() == ()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("type:a.b", "type:a.b"),
        ("type:a.b @c:1 word", "type:a.b"),
        ("type:a.b -@c:1 -status:d", "type:a.b -status:d"),
        ("type:a.b OR type:c.d status:/e/", "type:a.b OR type:c.d"),
        ("type:a.b OR @c:1", "*"),
        ("-(type:a.b @c:1)", "*"),
    ],
)
def test_a_query_is_loosened_to_plain_fields(query: str, expected: str) -> None:
    assert loosened(parse(query)) == parse(expected)

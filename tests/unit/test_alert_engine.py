from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.components import ComponentBoard
from monitor.health.engine import RESOLVED_MAX, Alert, AlertEngine, AlertState
from monitor.health.interest import may_concern, types_of_interest
from monitor.health.rule import Rule
from monitor.health.threshold import CountWatch, Threshold
from monitor.rules import shipped_rules
from store.event import Event, Severity

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOWNLOADS = "downloads-failing:download.failed"
THRESHOLD, WINDOW = 5, timedelta(minutes=5)
SHIPPED = {rule.name: rule for rule in shipped_rules()}
COMPONENT_DOWN, JOB_FAILED = SHIPPED["component-down"], SHIPPED["job-failed"]
RULES = (COMPONENT_DOWN, JOB_FAILED, SHIPPED["downloads-failing"])


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def event(event_type: str, second: float = 0, number: int = 0, **fields: object) -> Event:
    """An event `second` seconds after START; its id follows from its time and `number`."""
    return Event.model_validate(
        {
            "id": UUID(int=2**64 + int(second * 1000) * 1000 + number),
            "event_type": event_type,
            "inserted_at": at(second),
            **fields,
        }
    )


def failures(*seconds: float) -> list[Event]:
    return [event("download.failed", second) for second in seconds]


def key(second: float) -> tuple[datetime, int]:
    return event("download.failed", second).sort_key


def health(second: float, status: str | None, name: str = "qbt", **fields: object) -> Event:
    reported = {"resource_type": "client", "resource_id": name, "status": status}
    return event("download_client.health_changed", second, **{**reported, **fields})


def job(verb: str, second: float, name: str = "sync", **fields: object) -> Event:
    reported = {"resource_type": "job", "resource_id": name}
    return event(f"job.{verb}", second, **{**reported, **fields})


def engine_after(events: Iterable[Event], now: datetime) -> AlertEngine:
    engine = AlertEngine(RULES)
    engine.apply(events, now)
    return engine


def firing(engine: AlertEngine) -> dict[str, datetime]:
    return {alert.fingerprint: alert.since for alert in engine.alerts() if alert.state == AlertState.FIRING}


def only(engine: AlertEngine) -> Alert:
    (alert,) = engine.alerts()
    return alert


def test_nothing_fires_before_anything_happened() -> None:
    engine = AlertEngine(RULES)
    engine.tick(START)
    assert engine.alerts() == ()
    assert engine.next_due() is None


def test_a_component_that_is_down_fires_since_its_first_such_event() -> None:
    engine = engine_after([health(0, "up"), health(10, "down"), health(20, "offline")], at(30))
    assert only(engine) == Alert(
        fingerprint="component-down:client/qbt",
        rule="component-down",
        severity=Severity.ERROR,
        title="client/qbt is down",
        resource=("client", "qbt"),
        state=AlertState.FIRING,
        since=at(10),
        resolved_at=None,
        count=2,
        labels=(("resource", "client/qbt"),),
    )
    assert engine.next_due() is None


@pytest.mark.parametrize("status", ["up", "degraded"])
def test_a_component_that_is_up_or_degraded_again_is_resolved(status: str) -> None:
    engine = engine_after([health(10, "down")], at(11))
    engine.apply([health(20, status)], at(25))
    alert = only(engine)
    assert (alert.state, alert.since, alert.resolved_at) == (AlertState.RESOLVED, at(10), at(20))


def test_a_component_event_that_tells_no_state_ends_no_outage() -> None:
    engine = engine_after([health(10, "down"), health(20, "what?", severity=None)], at(30))
    assert firing(engine) == {"component-down:client/qbt": at(10)}


def test_components_fire_apart_and_a_slash_in_a_type_makes_no_two_one() -> None:
    split = health(2, "down", resource_type="client/qbt", resource_id=None)
    engine = engine_after([health(1, "down"), split], at(3))
    assert set(firing(engine)) == {"component-down:client/qbt", "component-down:client%2Fqbt"}


def test_a_failed_job_fires_until_the_same_job_works() -> None:
    engine = engine_after([job("failed", 1), job("failed", 5), job("failed", 2, "rss")], at(6))
    assert firing(engine) == {"job-failed:job/sync": at(1), "job-failed:job/rss": at(2)}
    engine.apply([job("executed", 9)], at(10))
    assert firing(engine) == {"job-failed:job/rss": at(2)}
    resolved = engine.alerts()[-1]
    assert (resolved.title, resolved.resolved_at, resolved.count) == ("job sync failed", at(9), 2)


def test_an_older_success_does_not_resolve_a_failed_job() -> None:
    engine = engine_after([job("failed", 5), job("executed", 4)], at(6))
    assert firing(engine) == {"job-failed:job/sync": at(5)}


def test_an_execution_that_says_it_went_wrong_does_not_resolve_a_failed_job() -> None:
    bad = [job("executed", 6, status="failed"), job("executed", 7, severity="error")]
    assert firing(engine_after([job("failed", 5), *bad], at(8))) == {"job-failed:job/sync": at(5)}


def test_a_job_without_a_resource_is_known_by_its_actor() -> None:
    by_actor: dict[str, Any] = {"actor_type": "job", "actor_id": "rss"}
    engine = engine_after([event("job.failed", 1, **by_actor), event("job.failed", 2)], at(3))
    assert [(alert.title, alert.resource) for alert in engine.alerts()] == [
        ("job failed", None),
        ("job rss failed", None),
    ]
    engine.apply([event("job.executed", 4, **by_actor), event("job.executed", 5)], at(6))
    assert firing(engine) == {}


def test_downloads_fire_with_the_fifth_failure_within_five_minutes() -> None:
    engine = engine_after(failures(0, 60, 120, 180), at(181))
    assert firing(engine) == {}
    engine.apply(failures(240), at(241))
    assert firing(engine) == {DOWNLOADS: at(240)}
    assert only(engine).count == 5
    assert engine.next_due() == at(300)


def test_failures_further_apart_than_the_window_do_not_fire() -> None:
    assert firing(engine_after(failures(0, 100, 200, 250, 300), at(300))) == {}


def test_downloads_resolve_by_time_alone_when_the_count_drops() -> None:
    engine = engine_after(failures(0, 1, 2, 3, 4), at(5))
    engine.tick(at(299.9))
    assert firing(engine) == {DOWNLOADS: at(4)}
    engine.tick(at(300))
    alert = only(engine)
    assert (alert.state, alert.resolved_at, alert.count) == (AlertState.RESOLVED, at(300), 5)
    assert engine.next_due() is None


def test_downloads_that_go_on_failing_keep_their_since() -> None:
    engine = engine_after(failures(*range(0, 3600, 60)), at(3541))
    assert firing(engine) == {DOWNLOADS: at(240)}
    assert only(engine).count == 60


def test_a_late_failure_counts_by_its_own_time() -> None:
    engine = engine_after(failures(10, 11, 12, 13), at(14))
    engine.apply(failures(-1000), at(15))
    assert firing(engine) == {}
    engine.apply(failures(9), at(16))
    assert firing(engine) == {DOWNLOADS: at(13)}


def test_a_failure_told_twice_counts_once() -> None:
    engine = engine_after(failures(1, 2, 3, 4) * 3, at(5))
    assert firing(engine) == {}


def test_failures_dated_ahead_of_the_clock_count_at_once() -> None:
    assert firing(engine_after(failures(1000, 1001, 1002, 1003, 1004), at(0))) == {DOWNLOADS: at(1004)}


def test_a_clock_that_goes_back_breaks_nothing() -> None:
    engine = engine_after(failures(0, 1, 2, 3, 4), at(400))
    assert firing(engine) == {}
    engine.tick(at(100))
    assert firing(engine) == {DOWNLOADS: at(4)}
    engine.tick(at(400))
    assert firing(engine) == {}
    engine.tick(at(-4000))
    engine.apply([health(1, "down")], at(-5000))
    assert set(firing(engine)) == {DOWNLOADS, "component-down:client/qbt"}


@pytest.mark.parametrize("moment", [datetime(2, 1, 1), datetime(9998, 12, 31, 23, 59, 59, 999999)])
def test_events_of_any_time_are_taken(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    engine = AlertEngine(RULES)
    engine.apply([event("download.failed", number=n, inserted_at=moment) for n in range(5)], START)
    engine.apply([health(0, "down", inserted_at=moment), job("failed", 0, inserted_at=moment)], START)
    assert {"component-down:client/qbt", "job-failed:job/sync"} <= set(firing(engine))


def test_alerts_are_sorted_by_severity_then_newest_and_resolved_ones_last() -> None:
    rules = (replace(COMPONENT_DOWN, severity=Severity.WARNING), JOB_FAILED)
    engine = AlertEngine(rules)
    engine.apply(
        [
            health(50, "down", "a"),
            health(60, "down", "b"),
            job("failed", 1, "x"),
            job("failed", 2, "y"),
            job("failed", 3, "z"),
            job("executed", 70, "z"),
            health(4, "down", "c"),
            health(80, "up", "c"),
        ],
        at(100),
    )
    assert [alert.fingerprint.rpartition("/")[2] for alert in engine.alerts()] == [
        "y",
        "x",
        "b",
        "a",
        "c",
        "z",
    ]


def test_the_engine_feeds_the_board() -> None:
    board = ComponentBoard()
    AlertEngine(RULES, board).apply(iter([health(0, "down")]), START)
    assert [component.name for component in board.components()] == ["client/qbt"]


def test_resolved_alerts_are_bounded_to_the_ones_resolved_last() -> None:
    engine = AlertEngine(RULES)
    for n in range(RESOLVED_MAX + 20):
        engine.apply([job("failed", 2 * n, f"j{n}"), job("executed", 2 * n + 1, f"j{n}")], at(2 * n + 1))
    alerts = engine.alerts()
    assert len(alerts) == RESOLVED_MAX
    assert alerts[0].title == f"job j{RESOLVED_MAX + 19} failed"
    assert alerts[-1].title == "job j20 failed"


def test_a_flood_of_healthy_subjects_pushes_no_alert_out() -> None:
    engine = AlertEngine((replace(JOB_FAILED, limit=10),))
    engine.apply([job("failed", 0)], START)
    engine.apply([job("executed", n + 1, f"j{n}") for n in range(100)], at(200))
    assert firing(engine) == {"job-failed:job/sync": START}
    assert engine.forgotten == 0


def test_a_flood_of_failing_subjects_is_bounded_and_what_is_given_up_is_counted() -> None:
    engine = AlertEngine((replace(JOB_FAILED, limit=10),))
    for n in range(100):
        engine.apply([job("failed", n, f"j{n}")], at(n))
    assert len(engine.alerts()) == 10
    assert engine.forgotten == 90


def test_an_alert_outlasts_the_failures_that_are_remembered_one_by_one() -> None:
    watch = CountWatch(THRESHOLD, WINDOW, kept=20)
    for second in range(0, 3000, 10):
        assert watch.add(key(second))
        if second >= 40:
            (episode,) = watch.episodes()
            assert (episode.since, episode.count) == (at(40), second // 10 + 1)
    assert not watch.add(key(0))
    for second in range(9000, 9100, 10):
        watch.add(key(second))
    episode = watch.episodes()[-1]
    assert (episode.since, episode.count) == (at(9040), 10)


@given(st.lists(st.integers(0, 120), unique=True, min_size=THRESHOLD, max_size=100))
def test_a_short_memory_gives_the_same_episodes_for_events_in_order(seconds: list[int]) -> None:
    short, long = (CountWatch(THRESHOLD, timedelta(seconds=10), kept=kept) for kept in (20, 1000))
    for second in sorted(seconds):
        short.add(key(second))
        long.add(key(second))
        assert short.episodes()[-1:] == long.episodes()[-1:]


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 4)), max_size=40), st.randoms(use_true_random=False)
)
def test_the_last_episode_is_the_same_in_order_and_in_any_other(
    weighed: list[tuple[int, int]], shuffler: random.Random
) -> None:
    told = [
        (event("a.b", second, number).sort_key, weight) for number, (second, weight) in enumerate(weighed)
    ]
    in_order, mixed = (CountWatch(THRESHOLD, timedelta(seconds=10)) for _ in range(2))
    for known, weight in sorted(told):
        in_order.add(known, weight)
    shuffled = told * 2
    shuffler.shuffle(shuffled)
    for known, weight in shuffled:
        mixed.add(known, weight)
    assert in_order.episodes()[-1:] == mixed.episodes()[-1:]


@pytest.mark.parametrize(("threshold", "window"), [(0, WINDOW), (1, timedelta())])
def test_a_rule_that_could_never_end_or_begin_is_refused(threshold: int, window: timedelta) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Threshold(threshold, window)


@pytest.mark.parametrize("rule", shipped_rules(), ids=lambda rule: rule.name)
def test_a_rule_is_given_every_event_it_observes(rule: Rule) -> None:
    watch = rule.watch()
    for candidate in (
        *failures(1),
        event("download.completed", 2),
        health(2, "down"),
        job("failed", 3),
        job("executed", 4, metadata={"duration_ms": 5}),
        job("paused", 5),
        event("search.manual", 6, status="no_results", metadata={"duration_ms": 5}),
        event("library.scan_started", 7),
        event("library.file_imported", 8),
        event("user.login", 9, status="failed"),
    ):
        if watch.observe(candidate):
            assert may_concern(rule, candidate)
            break
    else:
        pytest.fail("it observes none of them")
    assert not may_concern(rule, event("media_item.added"))


NAMES = "ab"
happenings = st.one_of(
    st.tuples(st.just("health"), st.sampled_from(["up", "down", "slow"]), st.sampled_from(NAMES)),
    st.tuples(st.just("job"), st.sampled_from(["failed", "executed"]), st.sampled_from(NAMES)),
    st.tuples(st.just("download"), st.just("failed"), st.sampled_from(NAMES)),
)
histories = st.lists(st.tuples(st.integers(0, 900), happenings), max_size=50)


def told(history: list[tuple[int, tuple[str, str, str]]]) -> Iterator[Event]:
    for number, (second, (what, how, name)) in enumerate(history):
        if what == "health":
            yield health(second, how, name, id=UUID(int=number))
        elif what == "job":
            yield job(how, second, name, id=UUID(int=number))
        else:
            yield event("download.failed", second, number)


def expected(events: list[Event], now: datetime) -> dict[str, datetime]:
    """What should fire, worked out from all events in order, without any of the engine's bookkeeping."""
    since: dict[str, datetime] = {}
    failed: list[datetime] = []
    moments = [*sorted(events, key=lambda event: event.sort_key), None]
    for current, following in pairwise(moments):
        assert current is not None
        moment = current.inserted_at
        if current.event_type == "download.failed":
            failed.append(moment)
            if sum(moment - WINDOW < failure <= moment for failure in failed) >= THRESHOLD:
                since.setdefault(DOWNLOADS, moment)
        elif current.event_type.startswith("job."):
            since.setdefault(f"job-failed:{current.resource}", moment)
            if current.event_type == "job.executed":
                del since[f"job-failed:{current.resource}"]
        else:
            since.setdefault(f"component-down:{current.resource}", moment)
            if current.status != "down":
                del since[f"component-down:{current.resource}"]
        upto = now if following is None else following.inserted_at
        expires = sorted(failed)[-THRESHOLD] + WINDOW if len(failed) >= THRESHOLD else None
        if expires is not None and (expires <= upto if following is None else expires < upto):
            since.pop(DOWNLOADS, None)
    return since


@given(histories, st.randoms(use_true_random=False), st.integers(900, 1300))
def test_any_order_duplication_and_batching_gives_what_the_events_in_order_give(
    history: list[tuple[int, tuple[str, str, str]]], shuffler: random.Random, end: int
) -> None:
    events = list(told(history))
    now = at(end)
    mixed = events + shuffler.choices(events, k=len(events) // 2) if events else []
    shuffler.shuffle(mixed)
    engine = AlertEngine(RULES)
    while mixed:
        size = shuffler.randint(1, len(mixed))
        batch, mixed = mixed[:size], mixed[size:]
        engine.apply(batch, max(event.inserted_at for event in batch))
    engine.tick(now)
    assert firing(engine) == expected(events, now)
    assert firing(engine) == firing(engine_after(sorted(events, key=lambda event: event.sort_key), now))


@given(histories, st.integers(900, 1300))
def test_between_now_and_the_next_due_moment_time_changes_nothing(
    history: list[tuple[int, tuple[str, str, str]]], end: int
) -> None:
    engine = engine_after(told(history), at(end))
    due = engine.next_due()
    before = engine.alerts()
    if due is None:
        engine.tick(at(10**8))
        assert engine.alerts() == before
    else:
        assert due > at(end)
        engine.tick(due - timedelta(microseconds=1))
        assert engine.alerts() == before
        engine.tick(due)
        assert engine.alerts() != before


def test_the_types_of_which_rules_need_the_past_are_told() -> None:
    wanted = types_of_interest(RULES)
    assert sorted(wanted) == ["*.health_changed", "download.failed", "job.executed", "job.failed"]

"""When people are told of alerts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.health.engine import Alert, AlertState
from monitor.health.notifier import Notification, Notifier, Timing
from store.event import Severity
from tests.events import at

TIMING = Timing(timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=4), rate=100)


@dataclass(frozen=True)
class Seen:
    alert: Alert
    attention: bool = True

    @property
    def episode(self) -> Alert:
        return self.alert


def firing(fingerprint: str, rule: str = "disk", severity: Severity = Severity.ERROR, since: int = 0) -> Seen:
    title = f"{fingerprint} is broken"
    return Seen(Alert(fingerprint, rule, severity, title, None, AlertState.FIRING, at(since), None, 1))


def over(seen: Seen, moment: int) -> Seen:
    return Seen(replace(seen.alert, state=AlertState.RESOLVED, resolved_at=at(moment)), attention=False)


def muted(seen: Seen) -> Seen:
    return replace(seen, attention=False)


def told(notifications: list[Notification]) -> list[tuple[list[str], list[str]]]:
    return [
        ([alert.fingerprint for alert in each.firing], [alert.fingerprint for alert in each.resolved])
        for each in notifications
    ]


def test_what_breaks_together_is_told_together_after_a_moment() -> None:
    notifier = Notifier(TIMING)
    first, second = firing("a"), firing("b", since=4)
    assert not notifier.due([first], at(0))
    assert not notifier.due([first, second], at(9))
    [notification] = notifier.due([first, second], at(10))
    assert told([notification]) == [(["b", "a"], [])]
    assert notification.title == "firing: b is broken and 1 more"


def test_a_change_waits_for_the_interval_and_nothing_is_told_twice() -> None:
    notifier = Notifier(TIMING)
    notifier.due([firing("a")], at(0))
    assert told(notifier.due([firing("a")], at(10))) == [(["a"], [])]
    both = [firing("a"), firing("b", since=20)]
    assert not notifier.due(both, at(20))
    assert told(notifier.due(both, at(310))) == [(["b", "a"], [])]
    assert not notifier.due(both, at(700))


def test_the_end_is_told_to_those_who_were_told_of_the_beginning() -> None:
    notifier = Notifier(TIMING)
    notifier.due([firing("a")], at(0))
    notifier.due([firing("a")], at(10))
    assert not notifier.due([over(firing("a"), 60)], at(60))
    [notification] = notifier.due([over(firing("a"), 60)], at(310))
    assert told([notification]) == [([], ["a"])]
    assert notification.title == "resolved: a is broken"
    assert not notifier.due([over(firing("a"), 60)], at(10_000))


def test_the_end_is_told_also_when_it_is_forgotten_by_then() -> None:
    notifier = Notifier(TIMING)
    notifier.due([firing("a")], at(0))
    notifier.due([firing("a")], at(10))
    assert not notifier.due([over(firing("a"), 60)], at(60))
    assert told(notifier.due([], at(310))) == [([], ["a"])]


def test_what_was_over_before_anyone_was_told_is_not_told() -> None:
    notifier = Notifier(TIMING)
    notifier.due([firing("a")], at(0))
    assert not notifier.due([over(firing("a"), 5)], at(10))
    assert not notifier.due([over(firing("a"), 5)], at(1_000))


def test_what_goes_on_is_repeated_after_a_long_while() -> None:
    notifier = Notifier(TIMING)
    notifier.due([firing("a")], at(0))
    notifier.due([firing("a")], at(10))
    assert not notifier.due([firing("a")], at(4 * 3600))
    [notification] = notifier.due([firing("a")], at(4 * 3600 + 10))
    assert notification.repeated == 1
    [notification] = notifier.due([firing("a")], at(8 * 3600 + 10))
    assert notification.repeated == 2


def test_what_fired_before_anyone_looked_is_no_news_but_its_end_is() -> None:
    notifier = Notifier(TIMING)
    notifier.begin([firing("a")], at(0))
    assert not notifier.due([firing("a")], at(3600))
    assert told(notifier.due([over(firing("a"), 3700)], at(3700))) == [([], ["a"])]


def test_what_is_muted_is_not_told_and_not_repeated() -> None:
    notifier = Notifier(TIMING)
    notifier.due([muted(firing("a"))], at(0))
    assert not notifier.due([muted(firing("a"))], at(100))
    notifier.due([firing("a")], at(200))
    notifier.due([firing("a")], at(210))
    assert not notifier.due([muted(firing("a"))], at(5 * 3600))
    # Whoever was told hears of the end, also of what was taken on meanwhile.
    assert told(notifier.due([over(firing("a"), 5 * 3600)], at(5 * 3600 + 1))) == [([], ["a"])]


def test_rules_are_told_of_apart_and_the_worst_comes_first() -> None:
    notifier = Notifier(TIMING)
    seen = [
        firing("w", severity=Severity.WARNING, since=3),
        firing("e"),
        firing("other", rule="memory"),
    ]
    notifier.due(seen, at(0))
    assert told(notifier.due(seen, at(10))) == [(["e", "w"], []), (["other"], [])]


def test_no_more_than_the_rate_are_sent_and_the_rest_comes_later() -> None:
    notifier = Notifier(replace(TIMING, rate=2))
    seen = [firing(f"a{number}", rule=f"rule {number}") for number in range(5)]
    notifier.due(seen, at(0))
    sent = notifier.due(seen, at(10))
    assert len(sent) == 2
    assert notifier.held == 3
    assert not notifier.due(seen, at(40))
    sent += notifier.due(seen, at(71)) + notifier.due(seen, at(132))
    assert sorted(each.group for each in sent) == [f"rule {number}" for number in range(5)]
    assert notifier.held == 0


def test_a_clock_that_is_set_back_delays_nothing_for_long() -> None:
    notifier = Notifier(TIMING)
    notifier.due([firing("a")], at(86_400))
    assert told(notifier.due([firing("a")], at(0))) == [(["a"], [])]
    assert told(notifier.due([firing("a"), firing("b")], at(301))) == [(["b", "a"], [])]


def test_many_rules_share_a_group_once_there_are_too_many() -> None:
    notifier = Notifier(replace(TIMING, rate=10_000))
    seen = [firing(f"a{number}", rule=f"rule {number}") for number in range(1_500)]
    notifier.due(seen, at(0))
    sent = notifier.due(seen, at(10))
    assert len(sent) == 1_001
    assert sum(len(each.firing) for each in sent) == 1_500


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["fires", "over", "muted", "gone"])), max_size=60)
)
def test_nobody_hears_of_an_end_without_a_beginning_nor_twice_of_either(steps: list[tuple[int, str]]) -> None:
    notifier = Notifier(TIMING)
    present: dict[int, Seen] = {}
    believed: set[str] = set()
    seen_over: set[str] = set()
    now: datetime = at(0)
    for number, what in steps:
        now += timedelta(seconds=97)
        seen = firing(f"a{number}", since=number)
        if what != "gone":
            seen_over.discard(seen.alert.fingerprint)
        match what:
            case "fires":
                present[number] = seen
            case "over":
                present[number] = over(seen, 0)
                seen_over.add(seen.alert.fingerprint)
            case "muted":
                present[number] = muted(seen)
            case _:
                present.pop(number, None)
        for notification in notifier.due(present.values(), now):
            fires = {alert.fingerprint for alert in notification.firing}
            ended = {alert.fingerprint for alert in notification.resolved}
            assert ended <= believed
            assert not ended & fires
            assert notification.repeated or fires - believed or ended
            believed = (believed - ended) | fires
        # What went without an end may be told anew; an end that was seen is told, though the alert is known no more.
        believed &= {seen.alert.fingerprint for seen in present.values()} | seen_over

"""Inhibition: what explains an alert mutes it, and never what explains it in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.health.alert_events import alert_event
from monitor.health.desk import AlertDesk
from monitor.health.engine import Alert
from monitor.health.inhibition import Inhibition, inhibited
from store.query.parser import parse
from store.query.predicate import compile_predicate
from store.query.syntax import QueryError
from tests.events import at
from tests.unit.alert_cases import alert, pending, told


def one(rule: str, name: str = "a") -> Alert:
    return alert(0, None, f"{rule}:client/{name}")


def inhibition(source: str, query: str, *, same_resource: bool = False) -> Inhibition:
    return Inhibition(source, parse(query), same_resource)


def muted(alerts: Sequence[Alert], *inhibitions: Inhibition) -> dict[str, str]:
    return inhibited([(one, alert_event(one)) for one in alerts], inhibitions)


A, B, C = one("a"), one("b"), one("c")


@pytest.mark.parametrize(
    ("alerts", "inhibitions", "expected"),
    [
        ([A, B], [inhibition("a", "@rule:b")], {"b:client/a": "a:client/a"}),
        ([B], [inhibition("a", "@rule:b")], {}),
        ([A, B], [], {}),
        ([A, one("b", "x")], [inhibition("a", "@rule:b", same_resource=True)], {}),
        ([A, B], [inhibition("a", "@rule:b", same_resource=True)], {"b:client/a": "a:client/a"}),
        # Never itself, and not each other.
        ([A], [inhibition("a", "client")], {}),
        ([A, B], [inhibition("a", "client")], {"b:client/a": "a:client/a"}),
        ([A, one("a", "x")], [inhibition("a", "client")], {}),
        ([A, B], [inhibition("a", "@rule:b"), inhibition("b", "@rule:a")], {}),
        # What follows from a circle is muted by it.
        (
            [A, B, C],
            [inhibition("a", "@rule:b"), inhibition("b", "@rule:a"), inhibition("b", "@rule:c")],
            {"c:client/a": "b:client/a"},
        ),
        (
            [A, B, C],
            [inhibition("a", "@rule:b"), inhibition("b", "@rule:c"), inhibition("c", "@rule:a")],
            {},
        ),
        # What is told is the cause, not what follows from it.
        (
            [C, B, A],
            [inhibition("b", "@rule:c"), inhibition("a", "@rule:b")],
            {"b:client/a": "a:client/a", "c:client/a": "a:client/a"},
        ),
        # One of the rule that the query does not select mutes one that it does.
        ([one("a", "x"), A], [inhibition("a", "resource:client/a")], {"a:client/a": "a:client/x"}),
    ],
)
def test_what_mutes_what(
    alerts: list[Alert], inhibitions: list[Inhibition], expected: dict[str, str]
) -> None:
    assert muted(alerts, *inhibitions) == expected


def test_without_a_resource_none_is_the_same() -> None:
    homeless = [alert(0, None, f"{rule}:x", resource=None) for rule in "ab"]
    assert muted(homeless, inhibition("a", "@rule:b", same_resource=True)) == {}


def test_a_query_without_an_order_is_refused_at_once() -> None:
    with pytest.raises(QueryError):
        inhibition("a", "@x>=y")


@pytest.mark.parametrize(
    ("source", "is_muted"),
    [
        (alert(0, None, "down:client/a"), True),
        (alert(0, 5, "down:client/a"), False),
        (pending(0, "down:client/a"), False),
        # It is well for a moment, and flaps: what follows from it is not told each time.
        (alert(300, 330, "down:client/a"), True),
    ],
)
def test_only_what_fires_or_flaps_mutes(source: Alert, is_muted: bool) -> None:
    desk = AlertDesk([inhibition("down", "@rule:slow", same_resource=True)])
    for since in (0, 100, 200):
        desk.apply(told(since, since + 30, "down:client/a") if source.since == at(300) else [])
    shown = {one.alert.rule: one for one in desk.show([source, one("slow")], at(340))}
    assert shown["slow"].inhibited_by == ("down:client/a" if is_muted else None)
    assert shown["slow"].attention is not is_muted
    assert shown["down"].inhibited_by is None
    over = alert(0, 5, "slow:client/a")
    assert desk.show([source, over], at(340))[1].inhibited_by is None


def edges(alerts: Sequence[Alert], inhibitions: Iterable[Inhibition]) -> set[tuple[str, str]]:
    """Every alert and each that it would mute if there were no circles."""
    return {
        (source.fingerprint, target.fingerprint)
        for rule in inhibitions
        for source in alerts
        for target in alerts
        if source.rule == rule.source_rule
        and source.fingerprint != target.fingerprint
        and compile_predicate(rule.matches)(alert_event(target))
        and (not rule.same_resource or source.resource == target.resource)
    }


RULES = "abcd"
alerts_of = st.lists(
    st.builds(one, st.sampled_from(RULES), st.sampled_from("xy")),
    max_size=8,
    unique_by=lambda one: one.fingerprint,
)
inhibitions_of = st.lists(
    st.builds(
        Inhibition,
        st.sampled_from(RULES),
        st.sampled_from(
            [*(parse(f"@rule:{rule}") for rule in RULES), parse("client"), parse("resource:client/x")]
        ),
        st.booleans(),
    ),
    max_size=5,
)


@given(alerts_of, inhibitions_of)
def test_muted_is_what_another_explains_that_it_does_not_explain_in_turn(
    alerts: list[Alert], inhibitions: list[Inhibition]
) -> None:
    direct = edges(alerts, inhibitions)
    reach = set(direct)
    for _ in alerts:
        reach |= {(a, d) for a, b in reach for c, d in reach if b == c}
    expected = {target for source, target in direct if (target, source) not in reach}
    found = muted(alerts, *inhibitions)
    assert set(found) == expected
    for target, cause in found.items():
        assert (cause, target) in reach
        assert cause not in found

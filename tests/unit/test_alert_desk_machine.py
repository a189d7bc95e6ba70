"""Desks of several evaluators, fed at random: they come to agree, and nothing stays on record that is not so."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from monitor.health.alert_events import acknowledged, unacknowledged
from monitor.health.desk import AlertDesk, DeskAlert, Evaluation
from monitor.health.engine import AlertEngine, AlertState
from monitor.health.inhibition import Inhibition
from monitor.health.silences import silence_ended, silenced
from monitor.rules import shipped_rules
from store.event import Event
from store.query.parser import parse
from tests.events import at, make_event
from tests.unit.alert_cases import silence

RULES = tuple(rule for rule in shipped_rules() if rule.name in {"component-down", "job-failed"})
INHIBITIONS = (
    Inhibition("component-down", parse("@rule:job-failed")),
    Inhibition("job-failed", parse("resource:client/b")),
)
QUERIES = ["resource:client/a", "@rule:job-failed", "severity:error"]


class Evaluator:
    """One console: an engine and a desk."""

    def __init__(self) -> None:
        names = frozenset(rule.name for rule in RULES)
        self.engine = AlertEngine(RULES)
        self.desk = AlertDesk(INHIBITIONS, Evaluation(began=at(0), rules=names))
        self.untold: list[Event] = []
        self.unread: list[Event] = []

    def shown(self, now: float) -> tuple[DeskAlert, ...]:
        self.engine.tick(at(now))
        return self.desk.show(self.engine.alerts(), at(now))


class Desks(RuleBasedStateMachine):
    """Two evaluators over one store. Events and records reach each of them late, mixed and more than once."""

    @initialize(seed=st.integers(0, 1000))
    def open(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.number = 0
        self.happened: list[Event] = []
        self.stored: dict[Any, Event] = {}
        self.both = (Evaluator(), Evaluator())

    def happen(self, event_type: str, ago: float, **fields: Any) -> None:
        self.number += 1
        event = make_event(self.number, event_type=event_type, inserted_at=at(self.now - ago), **fields)
        self.happened.append(event)
        for one in self.both:
            one.untold.append(event)

    def store(self, *events: Event) -> None:
        for event in events:
            if event.id not in self.stored:
                self.stored[event.id] = event
                for one in self.both:
                    one.unread.append(event)

    def tell(self, one: Evaluator, share: float = 1.0) -> None:
        """Bring a part of what `one` does not know yet to it, some of it twice, in any order."""
        for pending, take in (
            (one.untold, lambda events: one.engine.apply(events, at(self.now))),
            (one.unread, one.desk.apply),
        ):
            self.random.shuffle(pending)
            cut = round(len(pending) * share)
            taken = pending[:cut]
            del pending[:cut]
            take([*taken, *self.random.sample(taken, len(taken) // 2)])

    @rule(seconds=st.sampled_from([0.5, 5, 30, 70, 700, 4000]))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from([1, 100, 5000]))
    def the_clock_is_set_back(self, seconds: float) -> None:
        self.now -= seconds

    @rule(
        state=st.sampled_from(["down", "up"]), name=st.sampled_from("ab"), ago=st.sampled_from([0, 0, 3, 90])
    )
    def a_component_changes(self, state: str, name: str, ago: float) -> None:
        self.happen("client.health_changed", ago, status=state, resource_type="client", resource_id=name)

    @rule(name=st.sampled_from("ab"))
    def a_component_flaps(self, name: str) -> None:
        for state in ("down", "up") * 4:
            self.a_component_changes(state, name, 0)
            self.all_is_told_and_recorded()
            self.now += 20

    @rule(how=st.sampled_from(["failed", "executed"]), ago=st.sampled_from([0, 40]))
    def a_job_runs(self, how: str, ago: float) -> None:
        self.happen(f"job.{how}", ago, resource_type="job", resource_id="sync")

    @rule(which=st.integers(0, 1), share=st.sampled_from([0.3, 1]))
    def news_arrives(self, which: int, share: float) -> None:
        self.tell(self.both[which], share)

    @rule(which=st.integers(0, 1))
    def an_evaluator_records(self, which: int) -> None:
        one = self.both[which]
        one.engine.tick(at(self.now))
        new = one.desk.to_record(one.engine.alerts(), at(self.now))
        self.store(*new)
        one.desk.apply(new)

    @rule()
    def all_is_told_and_recorded(self) -> None:
        for which in (0, 1):
            self.tell(self.both[which])
            self.an_evaluator_records(which)

    @rule(which=st.integers(0, 1), is_taken_back=st.booleans())
    def someone_acknowledges(self, which: int, is_taken_back: bool) -> None:
        said = unacknowledged if is_taken_back else acknowledged
        for one in self.both[which].shown(self.now):
            if one.alert.state == AlertState.FIRING:
                self.store(said(one.episode, "ana", "", at(self.now)))
                break

    @rule(query=st.sampled_from(QUERIES), seconds=st.sampled_from([30, 3000]), name=st.sampled_from("xy"))
    def someone_silences(self, query: str, seconds: float, name: str) -> None:
        self.store(silenced(silence(query, self.now, self.now + seconds, name)))

    @rule(name=st.sampled_from("xy"))
    def someone_ends_a_silence(self, name: str) -> None:
        self.store(silence_ended(silence(name=name), "bo", "", at(self.now)))

    @invariant()
    def what_is_shown_makes_sense(self) -> None:
        if not hasattr(self, "both"):
            return
        for one in self.both:
            shown = one.shown(self.now)
            names = [alert.alert.fingerprint for alert in shown]
            assert len(names) == len(set(names)) == len(one.engine.alerts())
            recorded = [alert.fingerprint for alert in one.desk.recorded()]
            assert len(recorded) == len(set(recorded))
            by_name = {alert.alert.fingerprint: alert for alert in shown}
            for alert in shown:
                quiet = alert.acknowledged or alert.silenced_by or alert.inhibited_by
                if alert.attention:
                    assert alert.alert.state == AlertState.FIRING
                    assert not quiet
                elif alert.alert.state == AlertState.FIRING and not alert.flapping:
                    assert quiet
                if alert.inhibited_by is not None:
                    assert by_name[alert.inhibited_by].inhibited_by is None
            assert not one.desk.malformed

    def teardown(self) -> None:
        if not hasattr(self, "both"):
            return
        self.now = max([self.now, *((event.inserted_at - at(0)).total_seconds() for event in self.happened)])
        for _ in range(4):
            self.all_is_told_and_recorded()
            self.now += 61
        first, second = self.both
        self.tell(first)
        self.tell(second)
        # What was learnt of the other was nothing new.
        for one in self.both:
            assert one.desk.to_record(one.engine.alerts(), at(self.now)) == []
        shown = first.shown(self.now)
        assert second.shown(self.now) == shown
        assert first.desk.history() == second.desk.history()
        # What fires is on record as firing, and what is over as over.
        firing = {alert.fingerprint for alert in first.desk.recorded() if alert.state == AlertState.FIRING}
        assert firing == {one.alert.fingerprint for one in shown if one.alert.state == AlertState.FIRING}
        # One that comes later, and reads everything, sees the same.
        late = Evaluator()
        late.untold, late.unread = list(self.happened), [*self.stored.values(), *self.stored.values()]
        self.tell(late)
        assert late.shown(self.now) == shown
        assert late.desk.history() == first.desk.history()
        assert late.desk.to_record(late.engine.alerts(), at(self.now)) == []


Desks.TestCase.settings = settings(deadline=None, max_examples=60, stateful_step_count=30)
TestDesks = Desks.TestCase

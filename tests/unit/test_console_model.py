"""One frame at a time, the console's model takes in what the feed hands on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.model.arrivals import Arrivals, Correction, FeedStatus, Link, Opening, Refusal, Tally
from monitor.model.console import REFUSALS_KEPT, ConsoleModel
from monitor.model.counts import minute_of
from monitor.model.filter import Filter
from monitor.model.gaps import Gap, GapState
from monitor.rules import shipped_rules
from store.event import Event, Severity
from tests.events import NOON, at, make_event, make_events

LIVE = FeedStatus(Link.LIVE, NOON)


def frame(**fields: Any) -> Arrivals:
    return Arrivals(LIVE, Tally(), **fields)


def opening(newest: list[Event], history: list[Event] | None = None) -> Opening:
    minute = int(NOON.timestamp() // 60)
    rollups = ((minute, "system", "job.executed", "info", 40, 40.0),)
    return Opening(tuple(newest), rollups, tuple(history or ()), has_older=True)


def opened() -> ConsoleModel:
    model = ConsoleModel()
    model.apply(frame(opening=opening(make_events(5))), at(5), 100.0)
    return model


def total(model: ConsoleModel) -> int:
    model.histogram.show(Filter(), at(30))
    present = minute_of(at(30))
    return sum(bar.total for bar in model.histogram.bars(range(present - 59, present + 1), None))


def test_before_the_first_frame_nothing_is_known() -> None:
    model = ConsoleModel()
    assert (model.opened, model.newest_at, model.lag, model.open_gaps) == (False, None, None, 0)
    model.apply(frame(), NOON, 100.0)
    assert not model.opened


def test_the_opening_fills_timeline_counts_and_health() -> None:
    model = ConsoleModel()
    down = make_event(
        900,
        event_type="indexer.health_changed",
        resource_type="indexer",
        resource_id="x",
        status="down",
        inserted_at=NOON - timedelta(days=1),
    )
    model.apply(frame(opening=opening(make_events(5), [down])), at(5), 100.0)
    assert model.opened
    assert len(model.timeline.rows) == 5
    assert model.timeline.has_older
    assert total(model) == 40
    assert model.newest_at == at(4)
    assert [component.name for component in model.board.components(at(5))] == ["indexer/x"]


def test_an_empty_store_opens_too() -> None:
    model = ConsoleModel()
    model.apply(frame(opening=Opening((), (), (), has_older=False)), NOON, 100.0)
    assert (model.opened, model.newest_at, total(model)) == (True, None, 0)


def test_live_events_join_the_timeline_the_counts_and_the_rate() -> None:
    model = opened()
    model.apply(frame(events=tuple(make_events(10, start=5))), at(15), 101.0)
    assert len(model.timeline.rows) == 15
    assert total(model) == 50
    assert model.rate.per_second(101.0) == 10.0
    assert model.newest_at == at(14)
    assert model.lag == 1.0


def test_a_late_event_makes_nothing_look_older() -> None:
    model = opened()
    model.apply(frame(events=(make_event(50, inserted_at=at(-60)),)), at(5), 101.0)
    assert model.newest_at == at(4)


def test_what_arrives_is_new_though_the_clock_was_set_back() -> None:
    model, hour = opened(), timedelta(hours=1)
    model.apply(frame(events=(make_event(5),)), at(5) + hour, 101.0)
    assert model.newest_age(101.0) == 3600
    model.apply(frame(events=(make_event(6),)), at(6) - hour, 102.0)
    assert (model.newest_at, model.newest_age(103.0)) == (at(6) - hour, 1.0)
    model.apply(frame(events=(make_event(7),)), at(7), 104.0)
    assert (model.newest_at, model.newest_age(104.0)) == (at(7), 0.0)


def test_status_and_tally_are_the_latest() -> None:
    model = opened()
    status = FeedStatus(Link.RECONNECTING, at(9), "gone", 3, at(11))
    model.apply(Arrivals(status, Tally(received=7, missed=2)), at(9), 102.0)
    assert (model.status, model.tally) == (status, Tally(received=7, missed=2))


def test_events_of_the_bus_alone_are_marked_until_the_store_answers() -> None:
    model = opened()
    batch = tuple(make_events(2, start=10))
    ids = [event.id for event in batch]
    model.apply(frame(events=batch, unconfirmed=frozenset(ids)), at(12), 101.0)
    assert model.timeline.unconfirmed == set(ids)
    model.apply(frame(confirmed=(ids[0],), missing=(ids[1],)), at(13), 102.0)
    assert (model.timeline.unconfirmed, model.timeline.not_stored) == (set(), {ids[1]})


def test_gaps_are_shown_and_the_open_ones_counted() -> None:
    model = opened()
    model.apply(frame(gaps=(Gap(1, "lost", at(2)), Gap(2, "overflow", at(3)))), at(5), 101.0)
    assert model.open_gaps == 2
    model.apply(frame(gaps=(Gap(1, "lost", at(2), at(4), GapState.REPAIRED),)), at(6), 102.0)
    assert model.open_gaps == 1
    assert [row.state for row in model.timeline.rows if isinstance(row, Gap)] == [
        GapState.REPAIRED,
        GapState.OPEN,
    ]


def test_only_the_latest_gaps_are_remembered() -> None:
    model = opened()
    gaps = tuple(Gap(number, "lost", at(number / 100)) for number in range(1500))
    model.apply(frame(gaps=gaps), at(20), 101.0)
    assert model.open_gaps == 1000


def test_failures_of_history_and_live_events_are_one_alert() -> None:
    model = ConsoleModel(rules=shipped_rules())
    failures = tuple(
        make_event(
            number,
            event_type="job.failed",
            resource_type="job",
            resource_id="sync",
            severity=Severity.ERROR,
            status="failed",
        )
        for number in range(6)
    )
    model.apply(frame(opening=opening(list(failures[:5]), list(failures[:5]))), at(6), 100.0)
    (before,) = (one.alert for one in model.alerts.shown(at(6)))
    assert before.count == 5
    model.apply(frame(events=failures[5:]), at(7), 101.0)
    (after,) = (one.alert for one in model.alerts.shown(at(7)))
    assert (after.fingerprint, after.count) == (before.fingerprint, 6)


def test_starting_over_replaces_timeline_and_counts() -> None:
    model = opened()
    model.apply(frame(events=tuple(make_events(10, start=5))), at(15), 101.0)
    model.apply(frame(opening=opening(make_events(3, start=1000))), at(1010), 200.0)
    assert len(model.timeline.rows) == 3
    assert total(model) == 40


def test_events_that_come_after_much_later_ones_are_late() -> None:
    model = opened()
    model.apply(frame(events=(make_event(20, inserted_at=at(30)),)), at(30), 101.0)
    assert model.late == 0
    late = (make_event(21, inserted_at=at(19)), make_event(22, inserted_at=at(21)))
    model.apply(frame(events=late), at(31), 102.0)
    assert model.late == 1


def test_the_last_messages_that_were_no_events_are_kept_with_their_time() -> None:
    model = opened()
    refusals = tuple(Refusal(b"%d" % number, 1, "not JSON") for number in range(60))
    model.apply(frame(refusals=refusals), at(1), 101.0)
    model.apply(frame(refusals=refusals), at(2), 102.0)
    assert len(model.refusals) == REFUSALS_KEPT
    assert model.refusals[-1] == (at(2), refusals[-1])


def test_what_the_store_corrects_is_corrected_on_the_timeline() -> None:
    model = opened()
    told = make_event(3)
    true = make_event(3, status="failed")
    model.apply(frame(corrections=(Correction(told.sort_key, true),)), at(1), 101.0)
    assert model.timeline.event_at(told.sort_key) == true

"""Facets: what is counted as it comes equals a count of the events, and what changed is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import pytest

from monitor.model.counts import MinuteCounts, minute_of
from monitor.model.facets import FACET_FIELDS, FacetCounts, FacetLine, Trend, stored_fields, stored_lines
from monitor.model.filter import Facet, Filter, Span
from monitor.model.gaps import Gap
from monitor.model.seen import Seen
from monitor.model.timeline import Timeline
from store.event import ActorType, Event, Severity
from store.query import parse
from store.query.syntax import Field
from tests.events import NOON, make_event

MINUTE = minute_of(NOON)


class Watched:
    """A console's counts over a past, of which the store has told all and the latest events are loaded."""

    def __init__(self, past: Sequence[Event] = (), loaded: int | None = None) -> None:
        self.counts, self.timeline = MinuteCounts(), Timeline()
        kinds = Counter((minute_of(e.inserted_at), e.category, e.event_type, e.severity) for e in past)
        self.counts.seed([(*kind, count, float(count)) for kind, count in kinds.items()], NOON)
        newest = sorted(past, key=lambda event: event.sort_key)[-loaded if loaded else 0 :]
        self.timeline.open_with(newest, has_older=loaded is not None)
        self.facets = FacetCounts(Seen(self.counts, self.timeline))

    def happens(self, *events: Event, now: datetime = NOON) -> None:
        self.timeline.add(events)
        self.counts.add(events, now)
        self.facets.add(events, now)

    def look(self, field: Field, shown: Filter = Filter(), now: datetime = NOON) -> tuple[FacetLine, ...]:  # noqa: B008
        self.facets.show(shown, field, now)
        return self.facets.lines(now)

    def values(self, field: Field, shown: Filter = Filter(), now: datetime = NOON) -> dict[str, int]:  # noqa: B008
        return {
            (line.facet.value if line.facet else "…"): line.count
            for top in self.look(field, shown, now)
            for line in (top, *top.types)
        }


def ago(minutes: float, number: int = 0, **fields: object) -> Event:
    return make_event(number, inserted_at=NOON - timedelta(minutes=minutes), **fields)


def traffic(count: int, seed: int = 3) -> list[Event]:
    random = Random(seed)
    return [
        ago(
            random.uniform(-1, 70),
            number,
            event_type=random.choice(["job.executed", "job.failed", "user.login"]),
            severity=random.choice([None, *Severity]),
            actor_type=random.choice(list(ActorType)),
            actor_id=random.choice([None, "1", "2", "a:b/c"]),
            resource_type=random.choice([None, "job", "series"]),
            resource_id="1",
            secondary_resource_type=random.choice([None, "series"]),
            secondary_resource_id="2",
            status=random.choice([None, "done", "failed"]),
        )
        for number in range(count)
    ]


SHOWN = [
    Filter(),
    Filter(minimum=Severity.WARNING),
    Filter(muted=frozenset({Facet(Field.TYPE, "user.login"), Facet(Field.ACTOR, "user:1")})),
    Filter(
        only=frozenset({Facet(Field.STATUS, ""), Facet(Field.STATUS, "done"), Facet(Field.ACTOR, "user")})
    ),
    Filter(text="type:job.*", query=parse("type:job.*")),
    Filter(text="actor:job", query=parse("actor:job"), minimum=Severity.INFO),
    Filter(span=Span(NOON - timedelta(minutes=40), NOON - timedelta(minutes=10))),
]


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("field", FACET_FIELDS)
def test_every_value_counts_the_events_that_filtering_by_it_would_show(field: Field, shown: Filter) -> None:
    """Counted from the start, or as it comes after a look, or over loaded events: always what the filter finds."""
    events = traffic(400)
    in_window = [e for e in events if MINUTE - 59 <= minute_of(e.inserted_at) <= MINUTE]
    once, live = Watched(events), Watched(events[:250])
    live.look(field, shown)
    live.happens(*events[250:300])
    live.happens(*events[300:])
    lines = once.look(field, shown)
    assert live.look(field, shown) == lines
    filtered = Watched(events)
    filtered.timeline.apply(shown)
    assert filtered.look(field, shown) == lines
    filtered.timeline.apply(shown.without_group(field))
    filtered.facets.reopen()
    assert filtered.look(field, shown) == lines
    assert lines
    scope = shown.without_group(field)
    for top in lines:
        for line in (top, *top.types):
            assert line.facet is not None
            alone = Filter(scope.text, scope.query, scope.muted, scope.only, scope.minimum, scope.span)
            matches = alone.soloed(line.facet).predicate()
            assert line.count == sum(map(matches, in_window)), line


def test_the_busiest_come_first_and_then_by_name_and_severities_by_rank() -> None:
    watched = Watched(
        [ago(1, 1, status="b"), ago(1, 2, status="a"), ago(1, 3, status="c"), ago(2, 4, status="c")]
    )
    assert list(watched.values(Field.STATUS)) == ["c", "a", "b"]
    mixed = Watched(
        [ago(1, n, severity=s) for n, s in enumerate([None, None, "info", "info", "error", "warning"])]
    )
    assert list(mixed.values(Field.SEVERITY)) == ["error", "warning", "info", ""]


def test_a_resource_counts_in_both_its_roles_and_once() -> None:
    both = {"resource_type": "series", "secondary_resource_type": "series"}
    watched = Watched(
        [ago(1, 1, **both), ago(1, 2, resource_type="job", secondary_resource_type="series"), ago(1, 3)]
    )
    assert watched.values(Field.RESOURCE_TYPE) == {"series": 2, "job": 1, "": 1}


def test_hidden_values_still_tell_how_much_they_hide() -> None:
    watched = Watched([ago(1, 1, status="up"), ago(1, 2, status="down"), ago(1, 3, status="down")])
    hidden = Filter(muted=frozenset({Facet(Field.STATUS, "down")}))
    assert watched.values(Field.STATUS, hidden) == {"down": 2, "up": 1}
    assert watched.values(Field.ACTOR, hidden) == {"system": 1}


def test_what_the_counts_cover_is_told() -> None:
    past = [ago(50 - number / 10, number) for number in range(500)]
    watched = Watched(past, loaded=100)
    watched.look(Field.CATEGORY)
    assert watched.facets.since(NOON) is None
    watched.look(Field.ACTOR)
    # The minute of the oldest loaded event is known in part only.
    assert watched.facets.since(NOON) == NOON - timedelta(minutes=9)
    watched.look(Field.SEVERITY, Filter(text="tracker", query=parse("tracker")))
    assert watched.facets.since(NOON) == NOON - timedelta(minutes=9)
    whole = Watched(past)
    whole.look(Field.ACTOR)
    assert whole.facets.since(NOON) is None


def test_live_events_are_not_counted_twice_by_looking_again() -> None:
    watched = Watched([ago(1, 1)])
    for number in range(2, 10):
        watched.happens(ago(0.5, number))
        field = FACET_FIELDS[number % len(FACET_FIELDS)]
        assert sum(line.count for line in watched.look(field)) == number
    watched.facets.reopen()
    assert watched.values(Field.STATUS) == {"": 9}


def test_lines_are_put_together_only_when_something_changed() -> None:
    watched = Watched([ago(1, 1)])
    lines = watched.look(Field.ACTOR)
    assert watched.look(Field.ACTOR, now=NOON + timedelta(seconds=9)) is lines
    watched.happens(ago(0, 2))
    assert watched.look(Field.ACTOR) is not lines


def test_values_that_are_too_many_stand_together_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.model.sliding.SlidingCounts.MAX_KEYS", 3)
    watched = Watched([ago(1, number, status=f"s{number}") for number in range(10)])
    lines = watched.look(Field.STATUS)
    assert [(line.label, line.count, line.facet is None) for line in lines] == [
        ("s0", 1, False),
        ("s1", 1, False),
        ("s2", 1, False),
        ("… others", 7, True),
    ]


def test_a_sparkline_has_twelve_counts_over_the_hour_the_newest_last() -> None:
    watched = Watched([ago(minutes, number) for number, minutes in enumerate([0, 4, 5, 59, 30])])
    (line,) = watched.look(Field.CATEGORY)
    for each in (line, *line.types):
        assert watched.facets.trend(each, NOON).spark == (1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2)


def trend(before: int, last: Sequence[float], seconds: float = 59.0, loaded: int | None = None) -> Trend:
    """What is told of `last` events (seconds ago) after `before` a minute over the hour, late in the minute."""
    now = NOON + timedelta(seconds=seconds)
    past = [
        make_event(
            minute * 1000 + number, inserted_at=NOON - timedelta(minutes=minute, seconds=-number / 100)
        )
        for minute in range(2, 60)
        for number in range(before)
    ]
    past += [make_event(10**6 + n, inserted_at=now - timedelta(seconds=s)) for n, s in enumerate(last)]
    watched = Watched(past, loaded)
    (line,) = watched.look(Field.ACTOR, now=now)
    return watched.facets.trend(line, now)


def test_the_last_minute_is_compared_with_the_mean_minute_of_the_hour_before() -> None:
    assert trend(4, [1.0] * 40).ratio == pytest.approx(10, rel=0.01)
    assert trend(16, []).ratio == 0
    assert trend(16, [1.0] * 16).ratio is None


@pytest.mark.parametrize(
    ("before", "last", "told"), [(0, 0, False), (4, 9, False), (4, 11, True), (9, 1, False)]
)
def test_what_chance_makes_is_not_told(before: int, last: int, told: bool) -> None:
    if before + last:
        assert (trend(before, [1.0] * last).ratio is not None) == told


def test_something_new_is_told() -> None:
    assert trend(0, [1.0]).is_new
    assert not trend(1, [1.0]).is_new


def test_of_something_rare_one_or_two_are_no_news() -> None:
    once = [40 * 60.0]
    assert trend(0, [*once, 1.0, 2.0]).ratio is None
    assert trend(0, [*once, 1.0, 2.0, 3.0, 4.0]).ratio == pytest.approx(4 * 58, rel=0.01)


def test_the_minute_before_counts_by_the_part_that_the_last_60_seconds_reach_into() -> None:
    """20 s into the minute, two thirds of the 30 events of the minute before are taken to be within 60 seconds."""
    assert trend(2, [25.0] * 30, seconds=20.0).ratio == pytest.approx(10, rel=0.01)


def test_nothing_is_compared_with_less_than_five_minutes() -> None:
    assert trend(4, [1.0] * 40, loaded=50).ratio is None
    assert trend(4, [1.0] * 40, loaded=100).ratio == pytest.approx(10, rel=0.01)


def test_counts_of_sampled_events_are_scaled_up_and_marked_as_estimates() -> None:
    sampled = {"event_type": "content.viewed", "category": "activity", "metadata": {"kept_share": 0.1}}
    watched = Watched()
    watched.counts.seed([(MINUTE, "activity", "content.viewed", "info", 3, 30.0)], NOON)
    watched.look(Field.CATEGORY)
    watched.happens(ago(0, 1, **sampled))
    watched.happens(ago(0, 2, event_type="content.rated", category="activity"))
    (line,) = watched.look(Field.CATEGORY)
    assert (line.count, line.is_estimate) == (41, True)
    assert [(kind.label, kind.count, kind.is_estimate) for kind in line.types] == [
        ("content.viewed", 40, True),
        ("content.rated", 1, False),
    ]


@pytest.mark.parametrize("field", FACET_FIELDS)
def test_what_the_store_counts_makes_the_same_lines(field: Field) -> None:
    recent = [e for e in traffic(300) if MINUTE - 59 <= minute_of(e.inserted_at) <= MINUTE]
    counts = Counter(tuple(getattr(event, name) for name in stored_fields(field)) for event in recent)
    assert stored_lines(field, counts.items()) == Watched(recent).look(field)


def test_a_span_is_covered_when_all_of_it_was_counted() -> None:
    watched = Watched([ago(50 - number / 10, number) for number in range(500)], loaded=100)
    span = Span(NOON - timedelta(minutes=30), NOON)
    watched.look(Field.SEVERITY)
    assert watched.facets.covers(span, NOON)
    assert not watched.facets.covers(span, NOON + timedelta(minutes=30))
    watched.look(Field.ACTOR)
    assert not watched.facets.covers(span, NOON)
    assert watched.facets.covers(Span(NOON - timedelta(minutes=9), NOON), NOON)


def test_a_window_that_was_let_go_of_does_not_pass_for_all_there_is() -> None:
    """Frozen, the timeline lacks what arrives; full, it lacks what was first."""
    watched = Watched([ago(30, 1)])
    watched.timeline.freeze()
    watched.happens(ago(1, 2, status="new"))
    assert watched.values(Field.STATUS) == {"": 1, "new": 1}
    full = Watched()
    full.timeline = Timeline(capacity=100)
    full.facets = FacetCounts(Seen(full.counts, full.timeline))
    for number in range(2):
        full.timeline.show_gap(Gap(number, "lost", NOON))
    full.timeline.add([ago(50 - number / 10, number) for number in range(105)])
    # With the gaps there are more rows than the window takes, so that it has fewer events than are recent.
    assert len(full.timeline.recent) == 105
    counted = full.values(Field.STATUS)[""]
    assert counted == 98
    first = next(row for row in full.timeline.rows if isinstance(row, Event))
    since = full.facets.since(NOON)
    assert since is not None
    assert since > first.inserted_at

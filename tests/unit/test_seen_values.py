"""The values that are offered to whoever types a query."""

from __future__ import annotations

from monitor.model.counts import Kind
from monitor.model.seen_values import ROWS_MAX, seen_values
from store.query.completion import ANY
from store.query.syntax import Field, Path
from tests.events import make_event


def test_values_are_counted_among_the_newest_rows_and_kinds_where_they_were_counted() -> None:
    rows = [
        make_event(1, event_type="old.one", status="gone"),
        *(
            make_event(
                number,
                event_type="job.failed",
                category="jobs",
                actor_type="job",
                actor_id="rss",
                status="failed",
                resource_type="feed",
                secondary_resource_type="feed" if number % 2 else None,
            )
            for number in range(2, ROWS_MAX + 2)
        ),
    ]
    kinds = [
        (7, Kind("jobs", "job.failed", "error"), 1500.0),
        (8, Kind("jobs", "job.failed", None), 2500.0),
        (8, Kind("jobs", "job.done", None), 1000.0),
    ]
    assert seen_values(kinds, rows) == {
        Field.CATEGORY: {"jobs": 5000},
        Field.TYPE: {"job.failed": 4000, "job.done": 1000},
        Field.ACTOR: {"job:rss": ROWS_MAX},
        Field.STATUS: {"failed": ROWS_MAX},
        Field.RESOURCE_TYPE: {"feed": ROWS_MAX},
    }
    assert seen_values([], rows[:1])[Field.STATUS] == {"gone": 1}


def test_places_in_the_metadata_are_told_with_their_values() -> None:
    rows = [
        make_event(1, metadata={"error": {"code": 500, "exit code": "in use"}, "tags": ["a"]}),
        make_event(2, metadata={"error": {"code": 500}, "tags": [], "done": True, "none": None, "rate": 1.5}),
        make_event(3, metadata={"error": {}, "note": "x" * 1000}),
    ]
    seen = {place: values for place, values in seen_values([], rows).items() if isinstance(place, Path)}
    assert seen == {
        Path(("error",)): {ANY: 1},
        Path(("note",)): {ANY: 1},
        Path(("error", "code")): {"500": 2},
        Path(("tags",)): {ANY: 2},
        Path(("done",)): {"true": 1},
        Path(("none",)): {"null": 1},
        Path(("rate",)): {"1.5": 1},
        Path(("error", "exit code")): {"in use": 1},
    }


def test_metadata_that_never_ends_is_not_looked_through() -> None:
    rows = [
        make_event(1, metadata={"kept": 1}),
        *(
            make_event(number, metadata={f"k{number}-{key}": key for key in range(90)})
            for number in range(2, 40)
        ),
    ]
    places = [place for place in seen_values([], rows) if isinstance(place, Path)]
    assert len(places) == 500
    assert Path(("k39-0",)) in places
    values = seen_values([], [make_event(number, metadata={"n": number}) for number in range(200)])[
        Path(("n",))
    ]
    assert len(values) == 51
    assert values[ANY] == 150

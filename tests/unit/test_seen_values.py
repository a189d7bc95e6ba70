"""The values that are offered to whoever types a query."""

from __future__ import annotations

from monitor.model.counts import Kind
from monitor.model.seen_values import ROWS_MAX, seen_values
from store.query.syntax import Field
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

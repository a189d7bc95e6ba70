"""The incident note: what it tells, and that no text of an event does more than be read."""

from __future__ import annotations

from monitor.model.gaps import Gap, GapState
from monitor.model.note import incident_note
from monitor.zone import Zone
from tests.events import at, make_event

MARKED = [
    make_event(
        10, event_type="download.failed", resource_type="download", resource_id="9f3a", severity="error"
    ),
    make_event(
        75, event_type="job.failed", actor_type="job", actor_id="rss", metadata={"error": "timed out"}
    ),
]


def note(**changes: object) -> str:
    values = {"query": "severity>=warning", "zone": Zone.UTC, "now": at(3600), **changes}
    zero, gaps = values.pop("zero", None), values.pop("gaps", ())
    return incident_note("production", values.pop("marked", MARKED), zero, gaps, **values)  # type: ignore[arg-type]


def test_it_tells_when_and_what_was_looked_at() -> None:
    lines = note().splitlines()
    assert lines[0] == "## Incident note: production"
    assert lines[2] == "Written by evtop at 2026-11-21 13:00:00.000000 UTC."
    assert r"Filter: severity\>=warning" in lines
    assert lines[-4] == "| time | severity | type | resource | actor |  |"
    assert lines[-2].startswith(
        "| 2026-11-21 12:00:10.000000 UTC | error | download.failed | download/9f3a |"
    )
    assert lines[-1].endswith("| job:rss | timed out |")


def test_times_are_counted_from_where_the_incident_began() -> None:
    lines = note(zero=MARKED[0]).splitlines()
    assert "T0 is 2026-11-21 12:00:10.000000 UTC: download.failed (download/9f3a)." in lines
    assert [line.split(" | ")[1] for line in lines[-4:]] == ["T", "---", "T+00:00", "T+01:05"]


def test_ages_are_written_as_moments() -> None:
    assert note(zone=Zone.RELATIVE) == note(zone=Zone.UTC)


def test_what_was_not_seen_is_told_where_it_meets_the_rows() -> None:
    gaps = [
        Gap(1, "connection lost", at(0), at(5), GapState.REPAIRED, recovered=3),
        Gap(2, "connection lost", at(20), at(30), GapState.REPAIRED, recovered=1212),
        Gap(3, "connection lost", at(40), at(41), GapState.LOST, missed=5, lost=2),
        Gap(4, "too far behind", at(50), at(51), GapState.NOT_LOADED, left_out=9),
        Gap(5, "buffer overflow", at(60)),
        Gap(6, "connection lost", at(76)),
    ]
    told = [line for line in note(gaps=gaps).splitlines() if line.startswith("Gap: ")]
    assert len(told) == 4
    assert "1,212 events recovered from the store" in told[0]
    assert "2 of 5 announced events are not in the store" in told[1]
    assert "9 events are in the store and were not looked at" in told[2]
    assert "still open, buffer overflow: events may be missing" in told[3]


def test_text_of_events_is_only_text() -> None:
    hostile = "a|b `c` [x](http://e) <b> @here **d** \x1b[2J\nnew # line"
    event = make_event(1, resource_type="r", resource_id=hostile, metadata={"error": hostile})
    text = note(marked=[event], query=hostile)
    line = text.splitlines()[-1]
    assert line.count(" | ") == 5
    assert "\x1b" not in text
    for piece in (r"a\|b", r"\`c\`", r"\[x\]", r"\<b\>", r"\@here", r"\*\*d\*\*"):
        assert piece in line
    assert len(text.splitlines()) == 8

"""The incident note: what it tells, and that no text of an event does more than be read."""

from __future__ import annotations

from monitor.model.gaps import Gap, GapState
from monitor.model.note import Counted, incident_note
from monitor.model.subjects import ActorName, ResourceName
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
    counted = values.pop("counted", Counted("the bookmarks", at(10), at(75)))
    marked = values.pop("marked", MARKED)
    return incident_note("production", marked, zero, gaps, counted, **values)  # type: ignore[arg-type]


def test_it_tells_when_and_what_was_looked_at() -> None:
    lines = note().splitlines()
    assert lines[0] == "## Incident note: production"
    assert lines[2] == "Written by evtop at 2026-11-21 13:00:00.000000 UTC. Times are in UTC."
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
    assert len(text.splitlines()) == 10


KINDS = [
    (("download.failed", "error"), 1200),
    (("download.completed", "info"), 30),
    (("search.performed", "info"), 20),
    (("search.performed", "warning"), 9),
    (("job.executed", None), 5),
    *(((f"media.added{number}", "info"), 4) for number in range(3)),
]


def test_the_store_is_counted_by_severity_and_by_type() -> None:
    lines = note(counted=Counted("the bookmarks", at(10), at(75), KINDS)).splitlines()
    assert "Span: 2026-11-21 12:00:10.000000 UTC to 2026-11-21 12:01:15.000000 UTC (the bookmarks)." in lines
    assert "In the store, 1,276 events match: 1,200 error, 9 warning, 62 info, 5 without severity." in lines
    told = "download.failed 1,200, download.completed 30, search.performed 29, job.executed 5, media.added0 4"
    assert f"Most frequent: {told}, 2 other types 8." in lines
    assert not any(line.startswith("Not counted") for line in lines)


def test_nothing_and_one_are_counted_too() -> None:
    assert "In the store, 0 events match." in note()
    one = note(counted=Counted("the bookmarks", at(10), at(75), [(("job.executed", None), 1)])).splitlines()
    assert "In the store, 1 event matches: 1 without severity." in one
    assert "Most frequent: job.executed 1." in one


def test_what_is_not_known_is_said() -> None:
    counted = Counted("the bookmarks", at(10), at(75), KINDS, unconfirmed=3, not_stored=1200)
    lines = note(counted=counted).splitlines()
    assert "Not counted: 3 on the timeline that the store has not confirmed yet." in lines
    assert "Not counted: 1,200 on the timeline that the store does not have." in lines
    failed = note(counted=Counted("the bookmarks", at(10), at(75), failed="the store is *away*"))
    assert r"Not counted: the store is \*away\*." in failed
    assert "In the store" not in failed
    assert failed.splitlines()[-1].endswith("| job:rss | timed out |")


def test_without_bookmarks_it_tells_counts_and_gaps_alone() -> None:
    gap = Gap(1, "connection lost", at(20), at(30), GapState.REPAIRED, recovered=12)
    text = note(
        marked=[],
        gaps=[gap],
        query="",
        counted=Counted("what is loaded on the timeline", at(0), at(60), KINDS),
    )
    assert "Filter: none" in text
    assert "(what is loaded on the timeline)" in text
    assert text.splitlines()[-1].startswith("Gap: ")
    assert "|" not in text


def test_of_a_resource_it_says_so() -> None:
    about = ResourceName("download", "9f3a")
    assert "Only of the resource download/9f3a." in note(subject=about).splitlines()
    assert "Only of what user:ana did." in note(subject=ActorName("user:ana")).splitlines()

"""`evtop tail`: CSV, zones, and what the exit status tells scripts."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from store.event import Event
from store.zones import parse_zone
from tests.console.commands import Running, evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event, make_events
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def test_csv_has_a_header_and_no_line_is_cut_or_hostile(home: PrivateHome) -> None:
    stored(home, make_event(1, status=HOSTILE, metadata={"long": "x" * 9000}), make_event(2))
    done = evtop(home, "tail", "-o", "csv")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.split("\n")
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    header, first, _second = csv.reader(lines[:3])
    assert dict(zip(header, first, strict=True))["metadata"] == '{"long":"' + "x" * 9000 + '"}'


def test_csv_of_nothing_is_a_header_and_of_no_store_is_an_error(home: PrivateHome) -> None:
    assert one_line(evtop(home, "tail", "-o", "csv")).startswith("there is no store at ")
    stored(home)
    assert evtop(home, "tail", "-o", "csv").stdout.startswith("inserted_at,event_type,")


def test_csv_goes_on_with_what_happens(home: PrivateHome) -> None:
    stored(home, Event(event_type="a.first"))
    with Running(home, "tail", "-f", "-o", "csv") as tail:
        tail.wait_for("a.first")
        stored(home, Event(event_type="a.second"))
        tail.wait_for("a.second")
        rows = list(csv.DictReader(tail.output.splitlines()))
    assert [row["event_type"] for row in rows] == ["a.first", "a.second"]


def test_times_are_written_and_read_in_the_zone(home: PrivateHome) -> None:
    stored(home, *make_events(3))
    done = evtop(home, "tail", "--zone", "Asia/Kolkata", "--since", "2026-11-21T17:30:02")
    assert done.stdout.split()[0] == "2026-11-21T17:30:02.000+05:30"
    assert len(done.stdout.splitlines()) == 1
    assert evtop(home, "tail", "-n", "1").stdout.startswith("2026-11-21T12:00:02.000Z")
    local = evtop(home, "tail", "-n", "1", "--zone", "local", TZ="Etc/GMT-1")
    assert local.stdout.startswith("2026-11-21T13:00:02.000+01:00")
    # For programs, it is always UTC.
    assert (
        '"inserted_at":"2026-11-21T12:00:02Z"'
        in evtop(home, "tail", "-o", "json", "--zone", "Asia/Kolkata").stdout
    )


@pytest.mark.parametrize("words", [[], ["--count"], ["-o", "json"], ["-o", "csv"]], ids=" ".join)
def test_the_status_tells_whether_anything_matched_when_asked(home: PrivateHome, words: list[str]) -> None:
    stored(home, make_event(1))
    for query, asked, status in (("nothing", False, 0), ("nothing", True, 4), ("job", True, 0)):
        done = evtop(home, "tail", query, *words, *(["--exit-code"] if asked else []))
        assert (done.returncode, done.stderr) == (status, "")


def test_the_status_of_bad_rows(home: PrivateHome) -> None:
    stored(home, make_event(1))
    assert evtop(home, "tail", "--malformed", "--exit-code").returncode == 4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--exit-code", "-f"], "--exit-code and --follow exclude each other"),
        (["--malformed", "-o", "csv"], "--malformed is written as text or json"),
        (["--zone", "Mars"], "--zone: no zone; "),
    ],
)
def test_what_does_not_go_together_is_one_line(home: PrivateHome, words: list[str], said: str) -> None:
    assert one_line(evtop(home, "tail", *words)).startswith(said)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("UTC", UTC),
        (" utc ", UTC),
        ("Z", UTC),
        ("Europe/Berlin", ZoneInfo("Europe/Berlin")),
        ("europe/berlin", ZoneInfo("Europe/Berlin")),
        ("+02:00", timezone(timedelta(hours=2))),
        ("-0930", timezone(-timedelta(hours=9, minutes=30))),
        ("local", None),
    ],
)
def test_zones(text: str, zone: tzinfo | None) -> None:
    assert parse_zone(text) == zone


@pytest.mark.parametrize(
    "text", ["", "+2", "+24:00", "+02:60", "Mars/Olympus", "../etc/passwd", "x" * 5000, "\x00"]
)
def test_what_is_no_zone_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r"^no zone; ") as caught:
        parse_zone(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 100


def test_a_zone_that_is_nearly_one_is_told() -> None:
    with pytest.raises(ValueError, match="did you mean America/New_York"):
        parse_zone("America/New-York")
    assert parse_zone("America/New_York") is not None
    assert datetime(2026, 7, 1, tzinfo=parse_zone("America/New_York")).utcoffset() == timedelta(hours=-4)

"""`evtop stats`: counts as a table, as JSON and as CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from monitor.cli.stats import FIELDS
from monitor.cli.table import table_lines
from store.event_groups import GroupField
from tests.console.commands import evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event, make_events
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def stats(home: PrivateHome, *words: str) -> list[str]:
    done = evtop(home, "stats", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_the_fields_are_those_of_the_store() -> None:
    assert tuple(GroupField) == FIELDS


def test_a_table_has_aligned_columns_and_grouped_numbers(home: PrivateHome) -> None:
    stored(home, *make_events(1200), *make_events(300, 5000, event_type="download.failed"))
    assert stats(home) == [
        "category   severity  events   share",
        "system     info       1,200  80.0 %",
        "downloads  error        300  20.0 %",
        "1,500 events",
    ]
    assert stats(home, "severity:error", "--by", "type, sev") == [
        "type             severity  events    share",
        "download.failed  error        300  100.0 %",
        "300 events",
    ]
    assert stats(home, "nothing") == ["0 events"]
    done = evtop(home, "stats", "nothing", "--exit-code")
    assert done.returncode == 4


def test_times_are_those_of_the_zone(home: PrivateHome) -> None:
    stored(home, make_event(0), make_event(1), make_event(3600))
    assert stats(home, "--by", "hour", "-o", "csv") == [
        "hour,events",
        "2026-11-21T12:00Z,2",
        "2026-11-21T13:00Z,1",
    ]
    assert stats(
        home, "--by", "hour", "-o", "csv", "--zone", "Asia/Kolkata", "--since", "2026-11-21T17:30:01"
    ) == [
        "hour,events",
        "2026-11-21T17:00+05:30,1",
        "2026-11-21T18:00+05:30,1",
    ]
    assert stats(home, "--by", "day", "-o", "json", "--zone", "+13:00") == ['{"day":"2026-11-22","events":3}']


def test_more_groups_than_wanted_are_told_of(home: PrivateHome) -> None:
    stored(home, *(make_event(number, status=f"s{number % 3}") for number in range(7)))
    done = evtop(home, "stats", "--by", "status", "-n", "2", "-o", "json")
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"status": "s0", "events": 3},
        {"status": "s1", "events": 2},
    ]
    assert done.stderr == "evtop: there are more groups; -n says how many are shown\n"
    # The share is that of all.
    table = evtop(home, "stats", "--by", "status", "-n", "1").stdout.splitlines()
    assert table[1:] == ["s0           3  42.9 %", "7 events"]
    done = evtop(home, "stats", "--by", "minute", "-n", "0")
    assert done.stdout == "7 events\n"


def test_hostile_values_are_cleaned_and_no_formulas(home: PrivateHome) -> None:
    stored(home, make_event(1, status=HOSTILE), make_event(2, status="=1+2"), make_event(3))
    for words in ([], ["-o", "json"], ["-o", "csv"]):
        lines = evtop(home, "stats", "--by", "status", *words).stdout.split("\n")
        assert all(line.isprintable() for line in lines)
    assert "'=1+2,1" in lines
    assert ",1" in lines
    found = [json.loads(line)["status"] for line in stats(home, "--by", "status", "-o", "json")]
    assert set(found) == {HOSTILE, "=1+2", None}


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("catgory", "--by: no field 'catgory'; did you mean category?"),
        ("type,event_type", "--by: a field to count by comes twice"),
        ("hour,day", "--by: minute, hour and day exclude each other"),
        (",", "--by: no field to count by"),
        (HOSTILE, "--by: no field "),
    ],
)
def test_what_nothing_can_be_counted_by_is_one_line(home: PrivateHome, by: str, said: str) -> None:
    shown = one_line(evtop(home, "stats", "--by", by))
    assert shown.startswith(said)
    assert shown.isprintable()


def test_no_cell_is_wider_than_a_column_may_be() -> None:
    lines = table_lines(["a", "b"], [["x" * 100, "1"], ["漢字", "20"]], right={1})
    assert lines == ["a" + " " * 61 + " b", "x" * 59 + "…   1", "漢字" + " " * 56 + "  20"]

"""`evtop prune`: what is deleted, what would be, and what a clock that is not believed keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from store.event import Event
from tests.console.commands import evtop, one_line, stored
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def aged(home: PrivateHome, *ages: float, **fields: Any) -> None:
    """Events so many days old."""
    now = datetime.now(UTC)
    events = (Event(inserted_at=now - timedelta(days=age), **fields) for age in ages)
    stored(home, *events)


def pruned(home: PrivateHome, *words: str, **variables: str) -> dict[str, Any]:
    done = evtop(home, "prune", "-o", "json", *words, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    return json.loads(done.stdout)


def count(home: PrivateHome) -> str:
    return evtop(home, "tail", "--count").stdout.strip()


def test_what_is_older_than_the_setting_is_deleted_by_category(home: PrivateHome) -> None:
    aged(home, 0.1, 89, 91, 400, event_type="download.failed")
    aged(home, 91, event_type="user.login")
    done = evtop(home, "prune", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split() for line in done.stdout.splitlines()[:2]] == [["1", "auth"], ["2", "downloads"]]
    assert done.stdout.splitlines()[2] == "3 events, 0 dead letters, 0 counts would be deleted"
    assert count(home) == "5"
    done = evtop(home, "prune")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[2] == "3 events, 0 dead letters, 0 counts deleted"
    assert count(home) == "2"
    assert pruned(home)["events"] == 0


def test_days_come_from_the_option_the_environment_or_the_category(home: PrivateHome) -> None:
    aged(home, 0.1, 5, 20, 50, event_type="download.failed")
    aged(home, 5, 20, 50, event_type="user.login")
    days = {"EVTOP_RETENTION_DAYS": "10"}
    assert pruned(home, "--dry-run", **days)["deleted"] == {"auth": 2, "downloads": 2}
    assert pruned(home, "--dry-run", "--days", "30", **days)["deleted"] == {"auth": 1, "downloads": 1}
    words = ("--category", "downloads=1", "--category", "auth=inf")
    assert pruned(home, "--dry-run", *words, **days)["deleted"] == {"downloads": 3}
    found = pruned(home, *words, **days)
    assert (found["dry_run"], found["events"], found["deleted"]) == (False, 3, {"downloads": 3})
    assert count(home) == "4"


def test_counts_outlive_events_unless_they_have_days_of_their_own(home: PrivateHome) -> None:
    aged(home, 0.1, 100, event_type="a.b")
    assert pruned(home)["rollup_cells"] == 0
    assert pruned(home, "--rollup-days", "95")["rollup_cells"] == 1


def test_a_clock_that_is_not_believed_keeps_events_and_says_so(home: PrivateHome) -> None:
    aged(home, 50, 95, 145, 160, event_type="a.b")
    done = evtop(home, "prune")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "2 events, 0 dead letters, 0 counts deleted"
    [line] = done.stderr.splitlines()
    assert line.startswith("evtop: this machine's clock (")
    assert "1 events are kept" in line
    assert line.endswith("--trust-clock deletes them all the same")
    found = pruned(home, "--dry-run")
    assert (found["events"], found["kept_back"]) == (0, 1)
    assert "a day after the newest event" in found["clock_note"]
    assert pruned(home, "--trust-clock")["events"] == 1
    assert count(home) == "1"


POLICIES_WITHOUT_SENSE: list[tuple[list[str], str]] = [
    (["--days", "0"], "days: a number above 0 is needed"),
    (["--days", "nan"], "days: a number above 0 is needed"),
    (["--category", "downloads"], "--category: write it like downloads=30"),
    (["--category", "downloads=soon"], "--category: write it like downloads=30"),
    (["--category", "=1"], "'' cannot be a category"),
    (["--category", "a=1", "--category", "a=2"], "--category: each may be given once"),
    (["--category", "a=1", "--category", "A=2"], "category 'a' is given twice"),
    (["--category", "systen=365"], "--category: there is no category 'systen'; did you mean 'system'?"),
    (["--category", "aa=365"], "--category: there is no category 'aa'; did you mean 'a'?"),
    (["--rollup-days", "1"], "rollup_days is 1, but some events are kept for 90 days"),
]


def test_a_policy_that_makes_no_sense_is_one_line_and_deletes_nothing(home: PrivateHome) -> None:
    aged(home, 0.1, 400, event_type="a.b")
    for words, said in POLICIES_WITHOUT_SENSE:
        assert one_line(evtop(home, "prune", *words)).startswith(said)
    assert count(home) == "2"


def test_a_setting_that_makes_no_sense_is_one_line(home: PrivateHome) -> None:
    said = one_line(evtop(home, "prune", EVTOP_RETENTION_DAYS="soon"))
    assert said == "EVTOP_RETENTION_DAYS: a number of days above 0, or inf"
    # What does not prune need not care.
    stored(home)
    assert evtop(home, "tail", EVTOP_RETENTION_DAYS="soon").returncode == 0


def test_a_store_that_cannot_be_used_is_one_line(home: PrivateHome) -> None:
    said = one_line(evtop(home, "prune", EVTOP_STORE="mysql://u:hunter2@127.0.0.1:1/db"))
    assert said.startswith("EVTOP_STORE mysql://u:***@127.0.0.1:1/db: ")
    assert "hunter2" not in said

"""`evtop rules`: what a file means, which rules hold, and what would have fired."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.cli import rules
from monitor.health import rule_keys
from monitor.rules import SHIPPED_PLACE, shipped_rules
from store.event import Event
from tests.console.commands import evtop, one_line, stored
from tests.events import NOON, at, make_event, make_events
from tests.pty_console import PrivateHome

RULES = """\
[rules.downloads-failing]
count = 3

[rules.many-jobs]
kind = "threshold"
query = "type:job.executed"
count = 50
window = "1m"
for = "10s"
severity = "warning"

[rules.backup-late]
kind = "absence"
query = "type:job.executed resource:job/backup"
allowed = "10m"
title = "no backup for {window}"
"""


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with rules."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    return file


def test_the_place_of_shipped_rules_is_named_alike() -> None:
    assert rules.SHIPPED == SHIPPED_PLACE


def test_check_says_what_each_rule_means(home: PrivateHome, file: Path) -> None:
    file.write_text('disable = ["job-failed"]\n' + RULES)
    done = evtop(home, "rules", "check", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "downloads-failing: error, type:download.failed: 3 or more within 5m, for each type",
        "many-jobs: warning, type:job.executed: 50 or more within 1m, for 10s",
        "backup-late: error, type:job.executed resource:job/backup: none for 10m",
        "job-failed: taken out",
    ]


def test_check_says_all_that_is_wrong(home: PrivateHome, file: Path) -> None:
    file.write_text(RULES.replace("count = 50", "cuont = 50").replace('allowed = "10m"', "allowed = 10"))
    done = evtop(home, "rules", "check", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"evtop: {file}:7: unknown key 'cuont' of a threshold rule; did you mean count?",
        f"evtop: {file}:15: 'allowed' of 'backup-late' must be {rule_keys.SPAN_EXPECTED}",
    ]


def test_list_says_where_rules_come_from(home: PrivateHome, file: Path) -> None:
    done = evtop(home, "rules", "list", "-o", "json", EVTOP_RULES=str(file))
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert {rule["rule"]: rule["from"] for rule in told} == {
        **{rule.name: "shipped" for rule in shipped_rules()},
        **dict.fromkeys(("downloads-failing", "many-jobs", "backup-late"), str(file)),
    }
    table = evtop(home, "rules", "list").stdout.splitlines()
    assert table[0].split() == ["rule", "severity", "from", "fires", "when"]
    assert len(table) == 1 + len(shipped_rules())


def test_a_broken_file_is_one_line_for_the_console(home: PrivateHome, file: Path) -> None:
    file.write_text("[rules.r]\n")
    said = one_line(evtop(home, "rules", "list", EVTOP_RULES=str(file)))
    assert said.startswith(f"{file}:1: 'r' has no kind")


def a_day() -> list[Event]:
    failed = [
        make_event(number, event_type="download.failed", inserted_at=at(second))
        for number, second in enumerate([60, 70, 80, 1000, 1010, 1020, 1030], 1)
    ]
    backups = [
        make_event(100 + number, inserted_at=at(second), resource_type="job", resource_id="backup")
        for number, second in enumerate([0, 300, 2000])
    ]
    return [*failed, *backups, *make_events(150, start=3000)]


WITHIN = ("--since", NOON.isoformat(), "--until", at(3600).isoformat())


def test_what_would_have_fired_is_printed_in_order_with_a_summary(home: PrivateHome, file: Path) -> None:
    stored(home, *a_day())
    done = evtop(home, "rules", "test", str(file), *WITHIN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "since                 until                 severity  rule               title                  events",
        "2026-11-21T12:01:20Z  2026-11-21T12:06:00Z  error     downloads-failing  downloads are failing       3",
        "2026-11-21T12:15:00Z  2026-11-21T12:33:20Z  error     backup-late        no backup for 10m           0",
        "2026-11-21T12:17:00Z  2026-11-21T12:21:50Z  error     downloads-failing  downloads are failing       4",
        "2026-11-21T12:43:20Z  still firing          error     backup-late        no backup for 10m           0",
        "2026-11-21T12:50:49Z  2026-11-21T12:52:40Z  warning   many-jobs          many-jobs: 150 events     150",
        "",
        "rule               fired  in all",
        "downloads-failing      2      9m",
        "many-jobs              1      1m",
        "backup-late            2     35m",
        "160 events that rules need",
    ]


def test_what_would_have_fired_is_printed_for_programs(home: PrivateHome, file: Path) -> None:
    stored(home, *a_day())
    done = evtop(home, "rules", "test", str(file), *WITHIN, "-o", "json", "--zone", "+01:00")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert told[0] == {
        "since": "2026-11-21T13:01:20.000000+01:00",
        "until": "2026-11-21T13:06:00.000000+01:00",
        "severity": "error",
        "rule": "downloads-failing",
        "title": "downloads are failing",
        "fingerprint": "downloads-failing:download.failed",
        "events": 3,
    }
    assert [line["until"] for line in told].count(None) == 1


def test_what_is_usual_comes_from_the_days_before(home: PrivateHome, file: Path) -> None:
    file.write_text(
        '[rules.busy]\nkind = "anomaly"\nquery = "type:job.executed"\nwindow = "10m"\nminimum = 20\nfactor = 3\n'
        'title = "{count} jobs"\n'
    )
    day = 86_400
    usual = [
        make_event(1000 * back + number, inserted_at=at(-back * day + 60 * number))
        for back in range(1, 6)
        for number in range(60)
    ]
    stored(
        home, *usual, *(make_event(9000 + number, inserted_at=at(600 + 5 * number)) for number in range(60))
    )
    done = evtop(home, "rules", "test", str(file), *WITHIN, "-o", "json")
    (told,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told["rule"], told["events"]) == ("busy", 60)


def test_a_store_that_is_not_there_and_a_file_without_rules_are_one_line(
    home: PrivateHome, file: Path
) -> None:
    assert one_line(evtop(home, "rules", "test", str(file))).startswith("there is no store at")
    file.write_text('disable = ["job-failed"]\n')
    assert one_line(evtop(home, "rules", "test", str(file))) == f"{file}: there is no rule in it"

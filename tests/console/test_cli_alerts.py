"""`evtop alerts`: what fires by the record, acknowledged, silenced, and its history."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from monitor.author import author
from monitor.health.alert_events import fired, resolved
from store.bus import CHANNEL
from store.event import Event
from store.wire import decode
from tests.console.commands import evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event
from tests.pty_console import PrivateHome
from tests.unit.alert_cases import ack, alert, told
from tests.valkey import ValkeyServer
from tests.waiting import wait_until

DOWN, JOB = "component-down:client/qbt", "job-failed:job/sync"


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none", EVTOP_USER="ana") as home:
        yield home


def alerts(home: PrivateHome, *words: str, status: int = 0, **variables: str) -> list[str]:
    done = evtop(home, "alerts", *words, **variables)
    assert done.returncode == status, done
    return done.stdout.splitlines()


def listed(home: PrivateHome, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in alerts(home, *words, "-o", "json")]


def test_what_fires_comes_first_and_when_it_was_recorded_is_said(home: PrivateHome) -> None:
    stored(home, *told(0), *told(30, 90, JOB))
    done = evtop(home, "alerts", "list")
    assert (done.returncode, done.stderr) == (0, "")
    header, first, second, last = done.stdout.splitlines()
    assert header.split() == ["state", "severity", "since", "title", "alert", "note"]
    assert first.split("  ")[0] == "firing"
    assert "error     2026-11-21T12:00:00Z  client/qbt is down  component-down:client/qbt  -" in first
    assert "resolved" in second
    assert "until 2026-11-21T12:01:30Z" in second
    assert last.startswith("1 firing, 1 of them unattended; recorded last at 2026-11-21T12:01:30Z, ")
    assert last.endswith(" ago")
    assert len(alerts(home, "list", "--firing")) == 3
    assert "13:00:00+01:00" in alerts(home, "list", "--zone", "+01:00")[1]
    found = listed(home, "list")
    assert [one["state"] for one in found] == ["firing", "resolved"]
    assert found[0]["recorded_at"] == "2026-11-21T12:01:30Z"
    assert evtop(home, "alerts", "list", "-n", "1").stderr == (
        "evtop: there are more alerts; -n says how many are shown\n"
    )


def test_what_follows_from_another_alert_is_muted_by_the_rules_that_hold_here(
    home: PrivateHome, tmp_path: Path
) -> None:
    stored(home, *told(0), *told(30, None, "searches-slow"))
    lines = alerts(home, "list")
    assert [line for line in lines if "searches-slow" in line and f"muted by {DOWN}" in line]
    assert lines[-1].startswith("2 firing, 1 of them unattended")
    assert {one["rule"]: one["inhibited_by"] for one in listed(home, "list")} == {
        "component-down": None,
        "searches-slow": DOWN,
    }
    rules = tmp_path / "rules.toml"
    rules.write_text('[rules.component-down]\ninhibits = "@rule:nothing"\n')
    assert alerts(home, "list", EVTOP_RULES=str(rules))[-1].startswith("2 firing, 2 of them unattended")
    rules.write_text("[rules.component-down]\ninhibit = 1\n")
    assert "rules.toml:2" in one_line(evtop(home, "alerts", "list", EVTOP_RULES=str(rules)))


def test_a_store_without_a_record_says_so(home: PrivateHome) -> None:
    stored(home, make_event(1))
    assert alerts(home, "list") == [
        "0 firing, 0 of them unattended; nothing was ever recorded of alerts here"
    ]
    assert one_line(evtop(home, "alerts", "ack", "x")) == (
        "nothing fires, by the record; consoles write it while they run"
    )


def test_the_status_says_whether_anything_is_unattended(home: PrivateHome) -> None:
    stored(home, *told(0, 5), *told(0, fingerprint=JOB))
    assert alerts(home, "list", "--firing", "--exit-code", status=1)
    assert alerts(home, "list")
    assert alerts(home, "ack", JOB, "--comment", "on it") == [f"{JOB}  acknowledged"]
    assert alerts(home, "list", "--firing", "--exit-code")
    assert alerts(home, "unack", JOB) == [f"{JOB}  no longer acknowledged"]
    assert alerts(home, "list", "--exit-code", status=1)
    assert alerts(home, "silence", "@rule:job-failed", "--for", "2h")
    assert alerts(home, "list", "--exit-code")


def test_an_acknowledgement_is_an_event_of_the_person(home: PrivateHome) -> None:
    stored(home, *told(0))
    alerts(home, "ack", DOWN, "-c", "new disks")
    [one] = listed(home, "list")
    assert one["acknowledged"]["by"] == "ana"
    assert one["acknowledged"]["comment"] == "new disks"
    assert one["attention"] is False
    assert "acknowledged by ana: new disks" in alerts(home, "list")[1]
    alerts(home, "ack", DOWN, "--by", "bo")
    assert listed(home, "list")[0]["acknowledged"]["by"] == "bo"
    events = [
        json.loads(line) for line in evtop(home, "tail", "-o", "json", "type:alert.ack*").stdout.splitlines()
    ]
    assert [(event["actor_type"], event["actor_id"]) for event in events] == [("user", "ana"), ("user", "bo")]
    assert {event["metadata"]["since"] for event in events} == {"2026-11-21T12:00:00+00:00"}


def test_a_word_means_a_fingerprint_a_rule_or_the_one_that_begins_so(home: PrivateHome) -> None:
    other = "component-down:client/qbt-2"
    stored(home, *told(0), *told(0, None, other), *told(0, None, JOB), *told(0, 5, "job-failed:job/over"))
    # The whole of one, though another begins so, too.
    assert alerts(home, "ack", DOWN) == [f"{DOWN}  acknowledged"]
    assert alerts(home, "ack", "job") == [f"{JOB}  acknowledged"]
    assert sorted(alerts(home, "unack", "component-down")) == [
        f"{DOWN}  no longer acknowledged",
        f"{other}  no longer acknowledged",
    ]
    said = one_line(evtop(home, "alerts", "ack", "component-down:cl"))
    assert said.startswith("'component-down:cl' may mean component-down:client/qbt")
    assert other in said
    for word in ("x", "job-failed:job/over", HOSTILE):
        said = one_line(evtop(home, "alerts", "ack", word))
        assert said.startswith("no alert that fires is meant by ")
        assert said.isprintable()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ack", DOWN, "--by", ""], "actor_id: "),
        (["ack", DOWN, "--by", "x" * 300], "actor_id: "),
        (["silence", "--for", "2h", ""], "say which alerts: an empty filter would silence all"),
        (["silence", "--for", "2h", "severity>="], "column "),
        (["silence", "--for", "soon", "x"], "--for: no length of time"),
        (["silence", "--for", "999999999w", "x"], "--for: too long a time"),
        (["silence", "--for", "420000w", "x"], "--for: too long a time"),
        (["unsilence", "c0ffee"], "no silence that lasts is meant by 'c0ffee'; see evtop alerts silences"),
    ],
)
def test_what_cannot_be_recorded_is_one_line(home: PrivateHome, words: list[str], said: str) -> None:
    stored(home, *told(0))
    assert said in one_line(evtop(home, "alerts", *words))
    assert evtop(home, "tail", "--count").stdout == "1\n"


def test_a_silence_holds_until_it_is_ended(home: PrivateHome) -> None:
    stored(home, *told(0), *told(0, None, JOB))
    done = evtop(
        home, "alerts", "silence", "resource:client/qbt", "severity:error", "--for", "2h", "-c", "disks"
    )
    assert done.returncode == 0
    name = done.stdout.strip()
    assert len(name) == 8
    assert done.stderr.startswith("evtop: silent until 2")
    assert done.stderr.endswith("; of what fires now, 1 match\n")
    by_name = {one["fingerprint"]: one for one in listed(home, "list")}
    assert (by_name[DOWN]["silence"], by_name[JOB]["silence"]) == (name, None)
    assert " by ana" in next(line for line in alerts(home, "list") if DOWN in line)
    [one] = listed(home, "silences")
    assert (one["silence"], one["by"], one["comment"], one["active"]) == (name, "ana", "disks", True)
    assert one["query"] == "resource:client/qbt severity:error"
    span = datetime.fromisoformat(one["ends"]) - datetime.fromisoformat(one["starts"])
    assert span == timedelta(hours=2)
    header, row = alerts(home, "silences")
    assert header.split() == ["silence", "from", "until", "by", "filter", "comment"]
    assert row.startswith(name)
    assert alerts(home, "unsilence", name[:5], "--by", "bo") == [f"{name}  ended"]
    assert alerts(home, "silences") == []
    assert {one["silence"] for one in listed(home, "list")} == {None}
    [one] = listed(home, "silences", "--all")
    assert (one["active"], one["ended_by"]) == (False, "bo")
    assert ", ended by bo" in alerts(home, "silences", "--all")[1]


def test_times_in_a_silence_mean_what_they_meant_where_it_was_made(home: PrivateHome) -> None:
    stored(home, *told(0))
    alerts(home, "silence", "since:2026-11-21T14:00", "--for", "2h", TZ="Asia/Kolkata")
    assert listed(home, "silences")[0]["query"] == "since:2026-11-21T08:30:00Z"


def test_history_tells_how_soon_and_how_long(home: PrivateHome) -> None:
    stored(home, *told(0, 600), ack(0, 60), *told(1000, 1200), *told(2000, None, JOB))
    header, *rows = alerts(home, "history")
    assert header.split() == ["fired", "lasted", "severity", "title", "alert", "acknowledged", "after"]
    assert [row.split()[0] for row in rows] == [
        "2026-11-21T12:33:20Z",
        "2026-11-21T12:16:40Z",
        "2026-11-21T12:00:00Z",
    ]
    assert "fires still" in rows[0]
    assert "10 min" in rows[2]
    assert rows[2].endswith("ana           1 min")
    assert len(alerts(home, "history", "--rule", "job-failed")) == 2
    first = listed(home, "history")[-1]
    assert (first["to_acknowledge"], first["to_resolve"], first["acknowledged_by"]) == (60.0, 600.0, "ana")
    assert evtop(home, "alerts", "history", "-n", "1").stderr == (
        "evtop: there are more episodes; -n says how many are shown\n"
    )
    assert listed(home, "history", "--by-rule") == [
        {
            "rule": "component-down",
            "episodes": 2,
            "acknowledged": 1,
            "mean_to_acknowledge": 60.0,
            "resolved": 2,
            "mean_to_resolve": 400.0,
        },
        {
            "rule": "job-failed",
            "episodes": 1,
            "acknowledged": 0,
            "mean_to_acknowledge": None,
            "resolved": 0,
            "mean_to_resolve": None,
        },
    ]
    assert [line.split() for line in alerts(home, "history", "--by-rule")] == [
        ["rule", "episodes", "acknowledged", "after", "resolved", "after"],
        ["component-down", "2", "1", "1", "min", "2", "6", "min"],
        ["job-failed", "1", "0", "-", "0", "-"],
    ]


def test_hostile_text_is_cleaned(home: PrivateHome) -> None:
    name = f"r:{HOSTILE}"
    bad = alert(0, None, name, title=HOSTILE, resource=None, rule=HOSTILE, labels=((HOSTILE, HOSTILE),))
    over = alert(-9, -5, f"{name}2", title=HOSTILE, resource=None, rule=HOSTILE)
    stored(home, fired(bad, bad.since), resolved(over, bad.since), ack(0, 5, HOSTILE, name, HOSTILE))
    alerts(home, "silence", "x", "--for", "2h", "--by", HOSTILE, "-c", HOSTILE)
    for words in (["list"], ["history"], ["history", "--by-rule"], ["silences"]):
        for output in ("text", "json"):
            lines = evtop(home, "alerts", *words, "-o", output).stdout.split("\n")
            assert all(line.isprintable() for line in lines), words
            assert len(lines) > 1
    assert listed(home, "list")[0]["title"] == HOSTILE


def test_what_is_malformed_is_not_heeded_and_said(home: PrivateHome) -> None:
    stored(home, *told(0), Event(event_type="alert.fired", metadata={"fingerprint": [1]}))
    done = evtop(home, "alerts", "list", "--firing")
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == "evtop: 1 events about alerts are malformed, and not heeded\n"


def test_the_author_is_the_variable_else_the_login_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "login")
    assert author({"EVTOP_USER": " ana "}) == "ana"
    assert author({"EVTOP_USER": " "}) == author({}) == "login"


def test_what_people_say_is_announced(home: PrivateHome) -> None:
    stored(home, *told(0))
    with ValkeyServer() as server, Redis(unix_socket_path=str(server.socket)) as client:
        listener = client.pubsub(ignore_subscribe_messages=True)
        listener.subscribe(CHANNEL)
        wait_until(lambda: client.pubsub_numsub(CHANNEL)[0][1])
        alerts(home, "ack", DOWN, EVTOP_BUS=server.url)
        heard: list[Any] = []
        wait_until(lambda: heard.append(listener.get_message(timeout=1)) or any(heard))
        [message] = filter(None, heard)
        announced = decode(message["data"]).event
        assert (announced.event_type, announced.actor, announced.position) == (
            "alert.acknowledged",
            "user:ana",
            2,
        )
        listener.close()

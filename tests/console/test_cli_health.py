"""`evtop health`: components as a table and as JSON, and what the exit status says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from store.event import Event
from tests.console.commands import evtop, one_line, stored
from tests.console.unusable import HOSTILE
from tests.events import make_event
from tests.pty_console import PrivateHome


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def health(number: int, hours: float, identifier: str, status: str, **fields: Any) -> Event:
    """What a client reported so many hours ago."""
    chosen = {"event_type": "client.health_changed", "resource_type": "client", "resource_id": identifier}
    moment = datetime.now(UTC) - timedelta(hours=hours)
    return make_event(number, **{**chosen, "status": status, "inserted_at": moment, **fields})


def an_outage(status: str = "down") -> list[Event]:
    """One client that is `status` since 6 hours, of 40 days; one that is up."""
    return [
        health(1, 24 * 40, "qbt", "up"),
        health(2, 6.1, "qbt", status),
        health(3, 24 * 40, "nzb", "up"),
        make_event(4),
    ]


def test_the_table_has_the_worst_first(home: PrivateHome) -> None:
    stored(home, *an_outage())
    done = evtop(home, "health", "--zone", "UTC")
    assert (done.returncode, done.stderr) == (0, "")
    header, qbt, nzb = done.stdout.splitlines()
    assert header.split("  ")[0] == "state"
    assert qbt.split()[:4] == ["down", "client/qbt", "6", "h"]
    # 6.1 of 24 hours, and of 720.
    assert "  74.58 %  " in qbt
    assert "  99.15 %  " in qbt
    assert "▁▇" in qbt
    assert qbt.endswith("Z from up")
    assert nzb.split()[:4] == ["up", "client/nzb", "40", "d"]
    assert nzb.endswith("-")


def test_json_has_all_figures(home: PrivateHome) -> None:
    stored(home, *an_outage(), health(9, 1, HOSTILE, "up"))
    done = evtop(home, "health", "-o", "json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    qbt, *others = [json.loads(line) for line in done.stdout.splitlines()]
    assert (qbt["resource_type"], qbt["resource_id"]) == ("client", "qbt")
    assert (qbt["state"], qbt["previous_state"], qbt["flaps_24h"]) == ("down", "up", 1)
    assert qbt["uptime_24h"]["share"] == pytest.approx(1 - 6.1 / 24, abs=0.001)
    assert qbt["uptime_30d"] == {"share": pytest.approx(1 - 6.1 / 720, abs=0.001), "known_seconds": 2_592_000}
    assert len(qbt["last_24h"]) == 96
    assert set(qbt["last_24h"]) == {"up", "down"}
    assert [other["state"] for other in others] == ["up", "up"]
    assert HOSTILE in {other["resource_id"] for other in others}


@pytest.mark.parametrize(("status", "expected"), [("down", 1), ("degraded", 0), ("up", 0)])
def test_the_exit_status_says_whether_something_is_down(
    home: PrivateHome, status: str, expected: int
) -> None:
    stored(home, *an_outage(status))
    for output in ("text", "json"):
        done = evtop(home, "health", "--exit-code", "-o", output)
        assert (done.returncode, done.stderr) == (expected, "")
        assert evtop(home, "health", "-o", output).returncode == 0


def test_a_mapping_makes_components_of_other_events(home: PrivateHome) -> None:
    file = home.directory / "health.toml"
    file.write_text('[health."probe.*"]\nstate = "@result"\ndown = ["critical"]\notherwise = "up"\n')
    probe = {"event_type": "probe.http", "resource_type": "site"}
    stored(
        home,
        health(1, 5, "shop", "checked", **probe, metadata={"result": "critical"}),
        health(2, 4, "blog", "checked", **probe, metadata={"result": "fine"}),
    )
    assert evtop(home, "health").stdout == "no component has reported its health yet\n"
    done = evtop(home, "health", "--exit-code", EVTOP_HEALTH=str(file))
    assert done.returncode == 1
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["down", "site/shop"],
        ["up", "site/blog"],
    ]


def test_rules_watch_what_a_mapping_makes_components(home: PrivateHome) -> None:
    file, rules = home.directory / "health.toml", home.directory / "rules.toml"
    file.write_text('[health."probe.*"]\nstate = "@result"\ndown = ["critical"]\n')
    # A shipped rule, changed in one thing.
    rules.write_text('[rules.component-down]\nseverity = "warning"\n')
    probe = {"event_type": "probe.http", "resource_type": "site", "metadata": {"result": "critical"}}
    stored(home, health(1, 5, "shop", "checked", **probe))
    assert "site/shop is down" not in evtop(home, "rules", "test", str(rules)).stdout
    done = evtop(home, "rules", "test", str(rules), EVTOP_HEALTH=str(file))
    assert "site/shop is down" in done.stdout
    assert "probe.*" in evtop(home, "rules", "list", EVTOP_HEALTH=str(file)).stdout


def test_a_mapping_that_is_wrong_is_one_line_and_concerns_no_other_command(home: PrivateHome) -> None:
    stored(home, make_event(1))
    file = home.directory / "health.toml"
    file.write_text('\n[health."a.b"]\nupp = []\n')
    said = one_line(evtop(home, "health", EVTOP_HEALTH=str(file)))
    assert said == f"EVTOP_HEALTH {file}:3: unknown key 'upp' of 'a.b'; did you mean 'up'?"
    assert evtop(home, "tail", EVTOP_HEALTH=str(file)).returncode == 0
    assert "EVTOP_HEALTH" in evtop(home, "doctor", EVTOP_HEALTH=str(file)).stdout


def test_a_store_that_is_not_there_is_one_line(home: PrivateHome) -> None:
    assert "there is no store at" in one_line(evtop(home, "health"))
    assert "--zone" in one_line(evtop(home, "health", "--zone", "Mars/X"))

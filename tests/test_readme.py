"""What the README says works as written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import astuple
from pathlib import Path

import pytest

from monitor.app import EvtopApp
from monitor.bindings import key_name
from monitor.cli.main import app as command_line
from monitor.health.rule_keys import KINDS
from monitor.rules import rules_with
from monitor.screens.counting_screen import CountingScreen
from monitor.screens.detail import DetailScreen
from monitor.screens.exporting import ExportingScreen
from monitor.screens.filtering_screen import FilteringScreen
from monitor.screens.health_board import HealthBoardScreen
from monitor.screens.live import LiveScreen
from monitor.screens.timeline_screen import TimelineScreen
from monitor.views import ViewFile
from monitor.widgets.event_detail import EventDetail
from monitor.widgets.facet_pane import FacetPane
from monitor.widgets.health_board import HealthBoard
from monitor.widgets.histogram import Histogram
from monitor.widgets.timeline_view import TimelineView
from store.importing.mapping import load_mapping
from store.query.parser import parse
from store.query.syntax import EVERYTHING, FIELD_NAMES
from store.wire import decode
from tests.console.commands import Running, evtop, stored
from tests.events import make_event
from tests.pictures import PICTURES
from tests.pty_console import PrivateHome
from tests.store.recorder_runs import prepare

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text under a heading, up to the next one of its level."""
    level = re.search(rf"^(#+) {title}$", README, re.MULTILINE)
    assert level is not None, title
    rest = README[level.end() :]
    return re.split(rf"^#{{1,{len(level[1])}}} ", rest, flags=re.MULTILINE)[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(("target", "runs"), [("demo", "evtop demo"), ("test", "-m pytest")])
def test_the_two_commands_do_what_is_said(target: str, runs: str) -> None:
    assert f"make {target}" in blocks(section("Two commands"), "sh")[0]
    done = subprocess.run(
        ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    assert runs in done.stdout


def test_what_is_typed_beside_the_demo_reaches_it() -> None:
    lines = blocks(section("Two commands"), "sh")[1].splitlines()
    with PrivateHome() as home, Running(home, "demo", "--no-console") as demo:
        demo.wait_for("watch")
        for line in lines:
            words = ["sh", "-c", line]
            if line.startswith("redis-cli"):
                # Any client will do: the one that comes with the server may not be installed here.
                payload = re.search(r"'(\{.*\})'", line)
                assert payload is not None
                code = (
                    "import redis, sys, os; "
                    "print(redis.Redis(unix_socket_path=os.path.expandvars(sys.argv[1]))"
                    ".publish('evtop:events', sys.argv[2]))"
                )
                words = [sys.executable, "-c", code, "$XDG_RUNTIME_DIR/evtop/demo/bus.sock", payload[1]]
            path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
            done = subprocess.run(
                words,
                env={**home.environment, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (0, ["True 1 0"]),
        (1, ["12", "job.executed completed job/sync", "2"]),
    ],
)
def test_the_examples_run_as_written(number: int, printed: list[str], tmp_path: Path) -> None:
    example = blocks(section("Track events from your application"), "python")[number]
    url = f"sqlite:///{tmp_path / 'events.db'}"
    # A recorder waits for its store at most two seconds when it is closed, and a busy machine takes longer to make one.
    prepare(url)
    done = subprocess.run(
        [sys.executable, "-c", example],
        env={**os.environ, "EVTOP_STORE": url},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == printed


def test_the_file_and_the_mapping_of_the_example_work_as_written(tmp_path: Path) -> None:
    text = section("Files and pipes")
    with PrivateHome() as home:
        stored(home, make_event(1))
        first = blocks(text, "sh")[0].splitlines()[0]
        file = tmp_path / "events.ndjson"
        done = evtop(home, *first.replace("events.ndjson", str(file)).split()[1:])
        assert done.returncode == 0, done.stderr
        assert decode(file.read_bytes().strip()).event.id == make_event(1).id
    (tmp_path / "map.toml").write_text(blocks(text, "toml")[0])
    mapped = load_mapping(tmp_path / "map.toml").apply(json.loads(blocks(text, "json")[0]))
    event = decode(json.dumps(mapped).encode()).event
    assert (event.event_type, event.severity, event.actor) == ("log.disk_almost_full", "warning", "user:42")
    assert event.metadata == {"ctx": {"host": "web-1"}, "message": "Disk almost full"}
    assert all(name in text for name in (event.event_type, event.actor, "ctx.host"))


def test_every_command_is_there() -> None:
    told = set(re.findall(r"^\| `evtop ([\w-]+)", README, re.MULTILINE))
    groups = {group.name for group in command_line.registered_groups}
    assert told == {command.name for command in command_line.registered_commands} | groups
    with PrivateHome() as home:
        assert "EVTOP_STORE" in evtop(home, "--help").stdout


def test_every_key_is_told_and_every_told_key_is_bound() -> None:
    bound = {
        key_name(key)
        for widget in (
            EvtopApp,
            LiveScreen,
            FilteringScreen,
            CountingScreen,
            ExportingScreen,
            TimelineScreen,
            TimelineView,
            FacetPane,
            Histogram,
            HealthBoardScreen,
            HealthBoard,
        )
        for binding in widget.BINDINGS
        for key in _keys(binding)
    }
    assert _keys_told("Keys") == bound


def test_every_key_of_the_detail_is_told() -> None:
    assert _keys_told("An event in full") == {
        key_name(key)
        for widget in (DetailScreen, EventDetail)
        for binding in widget.BINDINGS
        for key in _keys(binding)
    }


def _keys_told(title: str) -> set[str]:
    told: set[str] = set()
    for row in re.findall(r"^\| (.*?) \|", section(title), re.MULTILINE):
        told.update(re.findall(r"`([^`]+)`", row))
    return told


def _keys(binding: object) -> list[str]:
    keys = getattr(binding, "key", None) or binding[0]  # type: ignore[index]
    return str(keys).split(",")


def test_every_filter_is_one() -> None:
    examples = [
        text
        for row in re.findall(r"^\| (.*?) \|", section("Filters"), re.MULTILINE)
        for text in re.findall(r"`([^`]+)`", row)
    ]
    assert len(examples) > 8
    assert all(parse(text) != EVERYTHING for text in examples)


def test_every_field_is_told() -> None:
    line = re.search(r"^Fields: (.*)\.$", README, re.MULTILINE)
    assert line is not None
    assert set(re.findall(r"`(\w+)`", line[1])) <= {*FIELD_NAMES, "last", "since", "until"}


def test_the_view_that_is_shown_is_one(tmp_path: Path) -> None:
    file = ViewFile(tmp_path / "views.toml")
    file.path.write_text(blocks(section("Saved views and the last time"), "toml")[0])
    views = file.read()
    assert views.problems == {}
    assert None not in astuple(views.by_name["failed downloads"])


def test_the_list_of_features_leads_to_places_that_are_there_and_counts_right() -> None:
    """`docs/features.md`: each link has its heading, and the numbers in its first sentence are those of its rows."""
    features = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    for file, heading in re.findall(r"]\(([^)#]+)#?([^)]*)\)", features):
        text = (ROOT / "docs" / file).read_text(encoding="utf-8")
        headings = [
            line.lstrip("# ").lower().replace(" ", "-") for line in text.splitlines() if line[:2] == "##"
        ]
        assert not heading or heading in headings, f"{file}#{heading}"
    answers = re.findall(r"\| (?:\*\*(yes)\*\*|(partly)|(not yet)) \|", features)
    counted = [sum(answer[place] != "" for answer in answers) for place in range(3)]
    assert [int(told) for told in re.findall(r"(\d+) times", features)] == counted
    assert sum(counted) == len(re.findall(r"^\| (?!feature|-)", features, re.MULTILINE))


def test_links_and_pictures_are_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert "docs/console.svg" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == [
        "https://github.com/google/re2/wiki/Syntax",
        "https://github.com/caronc/apprise",
    ]


def test_the_screens_have_all_pictures_and_each_is_drawn_by_the_program() -> None:
    screens = (ROOT / "docs" / "screens.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\(([^)]+\.svg)\)", screens)) == set(PICTURES)
    assert {path.name for path in (ROOT / "docs").glob("*.svg")} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_fetch_nothing(name: str) -> None:
    picture = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert "@font-face" not in picture
    assert "<image" not in picture


def test_the_alert_rules_are_rules(tmp_path: Path) -> None:
    (written,) = blocks(section("Alert rules"), "toml")
    file = tmp_path / "rules.toml"
    file.write_text(written)
    found = rules_with(file)
    assert {"backup-late", "requests-fail"} <= {rule.name for rule in found.rules}
    kinds = re.findall(r"^\| `(\w+)` \|", section("Alert rules"), re.MULTILINE)
    assert kinds == list(KINDS)

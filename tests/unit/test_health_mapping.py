"""Which events report health, and the file that says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.health.components import ComponentBoard, is_health_event, state_of
from monitor.health.engine import AlertEngine
from monitor.health.interest import types_of_interest
from monitor.health.reports import HealthMapping, HealthType, State, activate, active_mapping
from monitor.health_file import HealthFileError, load_health
from monitor.rules import rules_with
from store.event import Event
from store.query.syntax import Field
from tests.events import at, make_event
from tests.operations import blocks

PROBES = """
[health."probe.*"]
state = "@check.result"
up = ["Passing", 0, true]
degraded = ["warn"]
down = ["critical", 2, 2.5]
otherwise = "degraded"

[health."node.reported"]
state = "severity"

[health."service.state"]
down = ["gone"]

[health."plain.checked"]
"""


@pytest.fixture(autouse=True)
def the_usual_mapping_afterwards() -> Iterator[None]:
    """What is active holds for the process."""
    yield
    activate(())


@pytest.fixture
def probes(tmp_path: Path) -> None:
    file = tmp_path / "health.toml"
    file.write_text(PROBES)
    activate(load_health(file))


def reported(event_type: str, **fields: Any) -> Event:
    return make_event(1, **{"event_type": event_type, "severity": "error", **fields})


@pytest.mark.parametrize(
    ("result", "state"),
    [
        ("passing", State.UP),
        (" PASSING ", State.UP),
        (0, State.UP),
        (0.0, State.UP),
        (True, State.UP),
        ("true", State.UP),
        ("Warn", State.DEGRADED),
        ("critical", State.DOWN),
        (2, State.DOWN),
        (2.5, State.DOWN),
        ("down", State.DEGRADED),
        (None, State.DEGRADED),
        ([2], State.DEGRADED),
        ({"a": 2}, State.DEGRADED),
    ],
)
def test_values_in_the_metadata_mean_what_the_file_says(probes: None, result: object, state: State) -> None:
    event = reported("probe.http", status="up", metadata={"check": {"result": result}})
    assert is_health_event(event)
    assert state_of(event) == state


@pytest.mark.parametrize("metadata", [{}, {"check": 2}, {"check": [{"result": 2}]}, {"check.result": 2}])
def test_what_is_not_there_is_any_other_value(probes: None, metadata: dict[str, Any]) -> None:
    assert state_of(reported("probe.http", metadata=metadata)) == State.DEGRADED


@pytest.mark.parametrize(
    ("event", "state"),
    [
        (reported("node.reported", status="up"), State.DOWN),
        (reported("node.reported", severity="info", status="down"), State.UP),
        (reported("service.state", status="gone"), State.DOWN),
        (reported("service.state", status="up"), State.UNKNOWN),
        (reported("plain.checked", status="up"), State.UP),
        (reported("plain.checked", status="strange"), State.DOWN),
        (reported("plain.checked", severity=None), State.UNKNOWN),
        (reported("indexer.health_changed", status="degraded"), State.DEGRADED),
        (reported("job.executed", status="gone", severity=None), State.UNKNOWN),
    ],
)
def test_each_type_is_read_in_its_own_way(probes: None, event: Event, state: State) -> None:
    assert state_of(event) == state
    assert is_health_event(event) is (event.event_type != "job.executed")


def test_the_first_table_that_fits_counts_and_the_usual_types_come_last(tmp_path: Path) -> None:
    file = tmp_path / "health.toml"
    file.write_text('[health."a.*"]\nup = ["x"]\n[health."*.health_changed"]\ndown = ["x"]\n')
    activate(load_health(file))
    assert state_of(reported("a.health_changed", status="x")) == State.UP
    assert state_of(reported("b.health_changed", status="x")) == State.DOWN
    assert active_mapping().patterns == ("a.*", "*.health_changed")


def test_a_mapped_component_that_is_down_is_on_the_board_and_fires(probes: None) -> None:
    rules = rules_with(None).rules
    engine = AlertEngine(rules, board=(board := ComponentBoard()))
    probe = {"event_type": "probe.http", "resource_type": "site", "resource_id": "shop"}
    engine.apply([make_event(1, **probe, metadata={"check": {"result": "critical"}})], at(2))
    assert [component.name for component in board.components()] == ["site/shop"]
    assert [alert.title for alert in engine.alerts()] == ["site/shop is down"]
    # The feed loads what the rules want.
    assert {"probe.*", "node.reported", "*.health_changed"} <= set(types_of_interest(rules))


def test_what_is_remembered_of_types_is_bounded() -> None:
    mapping = HealthMapping((HealthType("a.*", Field.SEVERITY),))
    for number in range(5000):
        assert mapping.type_of(f"b.t{number}") is None
        assert mapping.type_of("a.b") is mapping.types[0]
    assert len(mapping._known) <= 2000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[heath."a.b"]', ":1: unknown key 'heath'; did you mean 'health'?"),
        ('\n[health."a.b"]\nupp = ["x"]', ":3: unknown key 'upp' of 'a.b'; did you mean 'up'?"),
        ('[health."a.b"]\nup = "x"', ":2: 'up' of 'a.b' must be a list"),
        ('[health."a.b"]\nup = [["x"]]', ":2: 'up' of 'a.b' must be a list"),
        ('[health."a.b"]\nup = ["x"]\ndown = ["X"]', ":3: 'x' of 'a.b' is up already"),
        ('[health."a.b"]\nstate = "statsu"', ":2: 'state' of 'a.b' must be \"status\""),
        ('[health."a.b"]\nstate = "statsu"', "did you mean status?"),
        ('[health."a.b"]\nstate = "@a b"', ":2: 'state' of 'a.b' is no place 'a b'"),
        ('[health."a.b"]\nstate = 3', ":2: 'state' of 'a.b' must be"),
        ('[health."a.b"]\notherwise = "dwon"', ":2: 'otherwise' of 'a.b' must be one of down"),
        ('[health."A b"]', ":1: 'A b' fits no event type"),
        ("[health.a.b]", ":1: 'a' has a table in it; write the type in quotes, as in [health.\"a.b\"]"),
        ("[health]\nx = 1", ":2: 'x' must be a table"),
        ("health = 1", ":1: 'health' must be a table"),
        ("[health", ": not TOML: "),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "health.toml"
    file.write_text(text)
    with pytest.raises(HealthFileError) as error:
        load_health(file)
    assert said in str(error.value)
    assert str(error.value).startswith(str(file))
    assert str(error.value).isprintable()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "health.toml"
    with pytest.raises(HealthFileError, match="No such file"):
        load_health(file)
    file.write_bytes(b"\xff")
    with pytest.raises(HealthFileError, match="not UTF-8"):
        load_health(file)
    file.write_bytes(b"#" * 1_100_000)
    with pytest.raises(HealthFileError, match="too large"):
        load_health(file)


def test_the_file_of_the_documentation_works_as_written(tmp_path: Path) -> None:
    file = tmp_path / "health.toml"
    file.write_text(blocks("Which events report health", "toml")[0])
    activate(load_health(file))
    assert state_of(reported("probe.http", metadata={"check": {"result": 1}})) == State.DEGRADED
    assert state_of(reported("node.reported")) == State.DOWN

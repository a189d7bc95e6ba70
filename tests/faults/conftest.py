"""Two sizes of the same faults: the quick one of every test run, and the long one of `make faults`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from tests.faults.private_mounts import PrivateMounts

SEED, REPEATS = "EVTOP_FAULT_SEED", "EVTOP_FAULT_REPEATS"
"""Environment variables: the seed of every test, and how often each long one is run (20 by default)."""
_LONG_TIMEOUT = 600
PATIENCE = 20.0
"""Seconds for what takes a moment, on a machine that has other work too."""
_Value = TypeVar("_Value")
Note = Callable[[str, object], None]
"""Keeps a figure under a name, to be told after the long tests."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a fault is."""

    is_long: bool

    def either(self, quick: _Value, long: _Value) -> _Value:
        """`quick` in every test run, `long` under `make faults`."""
        return long if self.is_long else quick

    def within(self, seconds: float) -> float:
        """A figure: to be met under `make faults`, and longer in every test run, beside other tests."""
        return self.either(max(seconds, PATIENCE), seconds)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for a `size` once small, and many times large."""
    if "size" not in metafunc.fixturenames:
        return
    marks = (pytest.mark.long_fault, pytest.mark.timeout(_LONG_TIMEOUT))
    repeats = int(os.environ.get(REPEATS, "20"))
    long = [pytest.param(Size(True), id=f"long-{number}", marks=marks) for number in range(1, repeats + 1)]
    metafunc.parametrize("size", [pytest.param(Size(False), id="quick"), *long])


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What all chance of a test follows from. It is told with a failure, and after the long tests."""
    given = os.environ.get(SEED)
    value = int(given) if given else secrets.randbelow(2**32)
    request.node.add_report_section("call", "seed", f"run again with {SEED}={value}")
    request.node.user_properties.append(("seed", value))
    return value


@pytest.fixture
def note(record_property: Note) -> Note:
    """Keeps what was measured."""
    return record_property


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[PrivateMounts]:
    """A place for file systems of this test's own; skips where the system permits none."""
    with PrivateMounts.open_or_skip(tmp_path) as mounts:
        yield mounts


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell the seeds, and what was measured, of the long tests."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if "long_fault" in report.keywords and report.when == "call":
            noted = ", ".join(f"{name} {value}" for name, value in report.user_properties)
            terminalreporter.write_line(f"{report.nodeid}: {noted}")

"""Snapshots: each scene is drawn once, by one console, and compared at every size."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App

from monitor.fit.choices import TerminalFit
from store.event import Event
from tests.snapshots.scenes import Act, Scene, Size, busy_past, fill

BASELINE = (3, 11)
"""The Python whose pictures are kept: another one may draw them differently."""
SIZES = ((120, 40), (80, 24), (200, 50))
"""The terminals that every screen is drawn on."""


def at(*sizes: Size) -> pytest.MarkDecorator:
    """One console, opened at the first of the `sizes` and then resized, is drawn at each of them."""
    return pytest.mark.parametrize("size", sizes, ids=[f"{width}x{height}" for width, height in sizes])


at_every_size = at(*SIZES)


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "update_snapshots", False) and sys.version_info[:2] != BASELINE:
        raise pytest.UsageError(f"snapshots are drawn with Python {'.'.join(map(str, BASELINE))}")


class Picture(App[str]):
    """A picture that was taken already, for `snap_compare`, which runs an application for each."""

    def __init__(self, svg: str) -> None:
        super().__init__()
        self._svg = svg

    def run(self, **_: Any) -> str:
        """The picture."""
        return self._svg


class Past:
    """Stores that are filled once for all tests; each scene has its own copy of one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def copied(self, name: str, events: Callable[[], list[Event]], folder: Path) -> str:
        """The URL of a store with `events`, which are those of all stores of this `name`."""
        filled = self._folder / f"{name}.db"
        if not filled.exists():
            asyncio.run(fill(f"sqlite:///{filled}", events()))
        return f"sqlite:///{shutil.copy(filled, folder / 'events.db')}"


@pytest.fixture(autouse=True)
def patient_pilot(monkeypatch: pytest.MonkeyPatch) -> None:
    """No condition says that all of a picture is drawn: the pilot waits as long as Textual has it."""
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", 1 / 50)


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    return Past(tmp_path_factory.mktemp("past"))


@pytest.fixture(scope="session")
def taken() -> dict[str, dict[Size, str]]:
    """The pictures of each scene by size: one console draws them all, whichever size is asked for first."""
    return {}


@pytest.fixture
def size() -> Size:
    """The size of a test that has no `at_every_size`."""
    return SIZES[0]


Drawn = Callable[..., bool]


@pytest.fixture
def drawn(
    request: pytest.FixtureRequest,
    size: Size,
    past: Past,
    taken: dict[str, dict[Size, str]],
    tmp_path: Path,
    snap_compare: Any,
) -> Drawn:
    """Draw a scene, and compare it with its snapshot: `act` happens, then `keys` are pressed."""

    def draw(
        *keys: str,
        act: Act | None = None,
        events: Callable[[], list[Event]] = busy_past,
        with_bus: bool = True,
        fit: TerminalFit | None = None,
    ) -> bool:
        marked = [mark.args[1] for mark in request.node.iter_markers("parametrize") if mark.args[0] == "size"]
        sizes: tuple[Size, ...] = marked[0] if marked else (size,)
        # The name of the test without its size, if it has one.
        name = request.node.nodeid.replace(f"{size[0]}x{size[1]}", "")
        if size not in taken.get(name, {}):
            scene = Scene(past.copied(events.__name__, events, tmp_path), with_bus=with_bus, fit=fit)
            taken[name] = asyncio.run(scene.pictures(sizes, keys, act))
        return snap_compare(Picture(taken[name][size]))

    return draw

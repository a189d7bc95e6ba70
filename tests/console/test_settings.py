"""Where the store and the bus are, by the environment alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.errors import StartError
from monitor.settings import Settings
from store.bus_url import BUS_SETTING, EMBEDDED, NO_BUS
from store.errors import STORE_SETTING


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (STORE_SETTING, BUS_SETTING, "EVTOP_NAME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/someone")


def test_without_configuration_the_store_is_sqlite_in_the_home_folder_and_the_bus_private() -> None:
    settings = Settings.from_environment()
    assert settings.store == "sqlite:////home/someone/.local/share/evtop/events.db"
    assert settings.bus == EMBEDDED
    assert settings.runtime == Path(f"/tmp/evtop-{os.getuid()}")
    assert settings.name == "local"


def test_xdg_folders_move_the_store_and_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    settings = Settings.from_environment()
    assert settings.store == "sqlite:////data/evtop/events.db"
    assert settings.runtime == Path("/run/user/7/evtop")


def test_a_relative_xdg_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "run")
    settings = Settings.from_environment()
    assert settings.store == "sqlite:////home/someone/.local/share/evtop/events.db"
    assert settings.runtime == Path(f"/tmp/evtop-{os.getuid()}")


@pytest.mark.parametrize(
    "bus",
    [EMBEDDED, NO_BUS, "redis://h:1/0", "rediss://u:p@h", "unix:///run/redis.sock"],
)
def test_every_kind_of_bus_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch, bus: str) -> None:
    monkeypatch.setenv(BUS_SETTING, bus)
    assert Settings.from_environment().bus == bus


@pytest.mark.parametrize("bus", ["garbage", "http://h", "redis:h", "Embedded", "localhost:6379"])
def test_a_bus_that_is_none_of_the_kinds_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, bus: str
) -> None:
    monkeypatch.setenv(BUS_SETTING, bus)
    with pytest.raises(StartError, match=rf"^{BUS_SETTING}: not a bus; use redis://.* or none$"):
        Settings.from_environment()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE_SETTING, "")
    monkeypatch.setenv(BUS_SETTING, "")
    settings = Settings.from_environment()
    assert settings.store.startswith("sqlite:////home/someone/")
    assert settings.bus == EMBEDDED


def test_the_name_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVTOP_NAME", "production")
    assert Settings.from_environment().name == "production"


def test_the_demo_uses_its_own_store_and_bus_whatever_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE_SETTING, "sqlite:////srv/production.db")
    monkeypatch.setenv(BUS_SETTING, "redis://production")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/7")
    settings = Settings.for_demo()
    assert settings.store == "sqlite:////data/evtop/demo/events.db"
    assert settings.bus == "unix:///run/user/7/evtop/demo/bus.sock"
    assert settings.name == "demo"


def test_printing_settings_shows_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STORE_SETTING, "postgresql://u:hunter2@h/db")
    monkeypatch.setenv(BUS_SETTING, "redis://u:hunter2@h")
    settings = Settings.from_environment()
    assert "hunter2" in settings.store
    assert "hunter2" not in f"{settings!r}{settings}"

"""Commands on a store or a bus that cannot be used: one line that names the setting and the cause."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import StartError
from monitor.model.timeline import CAPACITY
from monitor.settings import (
    RETENTION_VARIABLE,
    SECRET_VARIABLES,
    TAXONOMY_VARIABLE,
    VARIABLES,
    WINDOW,
    WINDOW_VARIABLE,
    Settings,
    retention_days,
    unknown_variables,
    window_rows,
)
from tests.console.commands import evtop, one_line
from tests.console.unusable import UNUSABLE_STORES
from tests.operations import blocks
from tests.pty_console import PrivateHome

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


@pytest.mark.parametrize("kind", UNUSABLE_STORES)
def test_a_store_that_cannot_be_used_is_one_line_with_the_setting_and_the_cause(
    home: PrivateHome, kind: str
) -> None:
    url, cause = UNUSABLE_STORES[kind]
    said = one_line(evtop(home, "emit", "a.b", EVTOP_STORE=url(home)))
    assert said.startswith("EVTOP_STORE")
    assert cause in said
    assert "hunter2" not in said


@pytest.mark.parametrize("words", [[], ["-f"]], ids=str)
@pytest.mark.parametrize("kind", ["a newer schema", "no database", "another kind"])
def test_reading_a_store_that_cannot_be_used_is_one_line_too(
    home: PrivateHome, kind: str, words: list[str]
) -> None:
    url, cause = UNUSABLE_STORES[kind]
    said = one_line(evtop(home, "tail", *words, EVTOP_STORE=url(home)))
    assert said.startswith("EVTOP_STORE")
    assert cause in said
    assert "hunter2" not in said


@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail", "-f"]], ids=" ".join)
@pytest.mark.parametrize("bus", ["redis://[::1", "redis://u:hunter2@h:port", "unix://"])
def test_a_bus_url_that_cannot_be_used_is_one_line_that_does_not_quote_it(
    home: PrivateHome, bus: str, words: list[str]
) -> None:
    said = one_line(evtop(home, *words, EVTOP_BUS=bus))
    assert said.startswith("EVTOP_BUS: ")
    assert "hunter2" not in said


@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail", "-f"], ["demo", "--no-console"]], ids=" ".join)
def test_a_socket_path_that_is_too_long_is_one_line_with_what_to_set(
    home: PrivateHome, words: list[str]
) -> None:
    deep = home.directory / ("deep" * 30)
    said = one_line(evtop(home, *words, EVTOP_BUS="embedded", XDG_RUNTIME_DIR=str(deep)))
    assert "set XDG_RUNTIME_DIR to a shorter folder" in said


def test_a_wrong_store_is_told_which_kinds_there_are(home: PrivateHome) -> None:
    said = one_line(evtop(home, "emit", "a.b", EVTOP_STORE="oracle://u:hunter2@h/db"))
    assert all(kind in said for kind in ("sqlite:///", "postgresql://", "mysql://"))
    assert "hunter2" not in said


def test_taxonomy_files_are_separated_as_paths_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TAXONOMY_VARIABLE, f"/a.toml{os.pathsep}{os.pathsep}b c.toml{os.pathsep}")
    assert Settings.from_environment().taxonomy == (Path("/a.toml"), Path("b c.toml"))
    # The demo's application knows the shipped types alone.
    assert Settings.for_demo().taxonomy == ()
    monkeypatch.setenv(TAXONOMY_VARIABLE, "")
    assert Settings.from_environment().taxonomy == ()


@pytest.mark.parametrize(
    ("text", "days"), [(None, 90), ("", 90), ("7", 7), ("0.5", 0.5), ("inf", float("inf"))]
)
def test_days_of_retention(monkeypatch: pytest.MonkeyPatch, text: str | None, days: float) -> None:
    monkeypatch.delenv(RETENTION_VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(RETENTION_VARIABLE, text)
    assert retention_days() == days


@pytest.mark.parametrize("text", ["0", "-1", "nan", "week", "\x1b[2J", "90d"])
def test_days_that_are_none_are_refused_and_not_quoted(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(RETENTION_VARIABLE, text)
    with pytest.raises(StartError, match=rf"^{RETENTION_VARIABLE}: a number of days above 0, or inf$"):
        retention_days()


@pytest.mark.parametrize(
    ("text", "rows"), [(None, WINDOW), ("", WINDOW), ("1000", 1000), ("100000", 100_000)]
)
def test_rows_of_the_window(monkeypatch: pytest.MonkeyPatch, text: str | None, rows: int) -> None:
    monkeypatch.delenv(WINDOW_VARIABLE, raising=False)
    if text is not None:
        monkeypatch.setenv(WINDOW_VARIABLE, text)
    assert window_rows() == rows


def test_the_window_is_as_long_when_nothing_is_said_as_where_no_settings_are() -> None:
    assert WINDOW == CAPACITY


@pytest.mark.parametrize(
    "text", ["0", "999", "100001", "-5000", "5e3", "5_000", " 5000", "many", "٥٠٠٠", "9" * 9999]
)
def test_windows_that_are_too_short_or_too_long_are_refused_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv(WINDOW_VARIABLE, text)
    with pytest.raises(StartError, match=rf"^{WINDOW_VARIABLE}: a number from 1000 to 100000$"):
        window_rows()


def test_a_secret_that_others_may_read_is_warned_of_where_there_is_no_screen(home: PrivateHome) -> None:
    file = home.directory / "key"
    file.write_text("0123456789abcdef\n")
    file.chmod(0o644)
    variables = {"EVTOP_SIGNING_KEY_FILE": str(file)}
    done = evtop(home, "emit", "a.b", **variables)
    assert done.returncode == 0
    assert done.stderr == f"evtop: EVTOP_SIGNING_KEY_FILE: {file}: others may read it; chmod 600\n"
    assert one_line(evtop(home, **variables)).startswith("the console needs a terminal")


@pytest.mark.parametrize("words", [["emit", "a.b"], ["tail"], ["db", "status"], []], ids=" ".join)
def test_a_secret_that_cannot_be_read_is_one_line_with_the_variable(
    home: PrivateHome, words: list[str]
) -> None:
    said = one_line(evtop(home, *words, EVTOP_STORE="mysql://u@h/d", EVTOP_STORE_PASSWORD_FILE="/no/file"))
    assert said == "EVTOP_STORE_PASSWORD_FILE: /no/file: No such file or directory"
    said = one_line(evtop(home, *words, EVTOP_SIGNING_KEY="hunter2"))
    assert said == "EVTOP_SIGNING_KEY: the key must have 16 bytes at least"


def test_an_application_is_shown_how_to_get_its_urls(home: PrivateHome) -> None:
    [example] = blocks("Passwords and keys", "python")
    done = subprocess.run(
        [sys.executable, "-c", f"{example}\nrecorder.record('a.b')\nprint(recorder.flush())"],
        env={**home.environment, "EVTOP_STORE": f"sqlite:///{home.directory}/events.db"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_only_variables_of_ours_are_looked_at() -> None:
    known = dict.fromkeys([*VARIABLES, *SECRET_VARIABLES, "PATH", "XEVTOP_STORE", "evtop_store"], "x")
    assert list(unknown_variables(known)) == []
    assert list(unknown_variables({**known, "EVTOP_BUSS": "x", "EVTOP_": "x"})) == [
        ("EVTOP_", None),
        ("EVTOP_BUSS", "EVTOP_BUS"),
    ]

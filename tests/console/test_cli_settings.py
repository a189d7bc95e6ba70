"""Commands on a store or a bus that cannot be used: one line that names the setting and the cause."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.console.commands import evtop, one_line
from tests.console.unusable import UNUSABLE_STORES
from tests.pty_console import PrivateHome


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
@pytest.mark.parametrize("kind", ["a newer schema", "below a file", "another kind"])
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

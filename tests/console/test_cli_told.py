"""`EVTOP_TITLE` and `EVTOP_FACTS`: what `evtop resource` tells of metadata is what a setting names."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.console.commands import evtop, one_line
from tests.pty_console import PrivateHome

FILM = ("--resource", "movie/umbra")


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """A store with two events about a film."""
    with PrivateHome(EVTOP_BUS="none") as home:
        for metadata in (
            '{"title": "Umbra", "year": 1984, "release": {"name": "umbra.2160p"}}',
            '{"year": 1985, "path": "/films/umbra"}',
        ):
            done = evtop(home, "emit", "movie.viewed", *FILM, "--metadata", metadata)
            assert done.returncode == 0, done.stderr
        yield home


def test_a_page_tells_title_and_facts(home: PrivateHome) -> None:
    told = evtop(home, "resource", "movie/umbra").stdout.splitlines()
    assert "  title       Umbra" in told
    assert "  facts       year 1985, path /films/umbra" in told


def test_settings_name_other_places(home: PrivateHome) -> None:
    settings = {"EVTOP_TITLE": "release.name", "EVTOP_FACTS": "title,nothing,year"}
    found = json.loads(evtop(home, "resource", "movie/umbra", "-o", "json", **settings).stdout)
    assert found["title"] == "umbra.2160p"
    assert found["facts"] == {"title": "Umbra", "year": 1985}


@pytest.mark.parametrize("name", ["EVTOP_TITLE", "EVTOP_FACTS"])
def test_what_is_no_place_is_one_line(home: PrivateHome, name: str) -> None:
    said = one_line(evtop(home, "resource", "movie/umbra", **{name: "year,a..b"}))
    assert said == f"{name}: 'a..b' is no place in metadata; write it like year or file.size"

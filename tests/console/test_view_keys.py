"""Saved views and the last state: kept in the console, opened there or from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from monitor.cli.start import Start, chosen_start
from monitor.model.view import View
from monitor.screens.views import ViewsScreen
from monitor.views import ViewFile
from monitor.widgets.facet_pane import FacetPane
from monitor.widgets.histogram import Histogram
from monitor.widgets.view_list import ViewList
from monitor.zone import Zone
from monitor.zone_names import zone_named
from store.event import Severity
from store.query.syntax import Field
from tests.console.commands import evtop, one_line
from tests.console.conftest import Opened, Operator
from tests.events import at
from tests.pty_console import PrivateHome

NIGHT = View(
    query="type:download.*",
    minimum=Severity.ERROR,
    zone="Europe/Berlin",
    side=False,
    facets=Field.STATUS,
    histogram="heatmap",
    bars=60,
)


@pytest.fixture
def views(tmp_path: Path) -> ViewFile:
    return ViewFile(tmp_path / "views.toml")


def told(operator: Operator, text: str) -> bool:
    return any(text in note.message for note in operator.app._notifications)


def is_night(operator: Operator) -> bool:
    """Whether the screen shows `NIGHT`."""
    live = operator.live
    return (
        operator.types == ["download.failed"] * 20
        and operator.app.zone == zone_named("Europe/Berlin")
        and not live.query_one("#side").display
        and live.query_one(FacetPane).field is Field.STATUS
        and live.query_one(Histogram).is_heatmap
        and "Events an hour" in str(live.query_one(Histogram).border_title)
    )


async def test_what_is_shown_is_saved_under_a_name_and_opened_again(opened: Opened, views: ViewFile) -> None:
    async with opened(views=views) as operator:
        await operator.press("V")
        assert "no saved views yet" in operator.text()
        await operator.press("s", *"everything", "enter")
        await operator.sees(lambda: views.read().by_name)
        assert views.read().by_name == {
            "everything": View(zone="UTC", side=True, facets=Field.CATEGORY, histogram="bars", bars=1)
        }
        await operator.press("escape", "slash", *"type:download.*", "enter", "exclamation_mark", "3")
        await operator.press("T", *"Europe/Berlin", "enter", "i", "v", "Z", "Z", "2", "left", "s", "V")
        await operator.press("s", *"night", "enter")
        await operator.sees(lambda: told(operator, "saved as night"))
        assert views.read().by_name["night"] == NIGHT
        # The first of two.
        await operator.press("g", "enter")
        await operator.sees(lambda: len(operator.types) == 201)
        assert operator.app.zone is Zone.UTC
        assert operator.live.query_one("#side").display
        assert not is_night(operator)
        await operator.press("V", "j")
        assert "severity>=error type:download.*" in operator.text()
        await operator.press("enter")
        await operator.sees(lambda: is_night(operator))


async def test_a_view_is_replaced_or_removed_only_when_that_is_confirmed(
    opened: Opened, views: ViewFile
) -> None:
    views.save("night", NIGHT)
    views.save("other", View(query="a"))
    async with opened(views=views) as operator:
        await operator.press("V", "s", *"ni", "tab", "enter")
        assert "there is a view night" in operator.text()
        await operator.press("n")
        assert views.read().by_name["night"] == NIGHT
        await operator.press("s", *"night", "enter", "y")
        await operator.sees(lambda: views.read().by_name["night"].query == "")
        await operator.press("d", "escape")
        assert len(views.read().by_name) == 2
        await operator.press("d", "y")
        await operator.sees(lambda: list(views.read().by_name) == ["other"])
        await operator.press("s", "enter")
        assert "type a name" in operator.text()
        await operator.press("escape", "q")
        assert operator.app.screen is operator.live


async def test_a_file_that_is_broken_is_said_and_the_console_goes_on(opened: Opened, views: ViewFile) -> None:
    views.path.write_text('[good]\nquery = "type:("\n[bad]\nside = 1\n')
    async with opened(views=views) as operator:
        await operator.press("V")
        assert told(operator, f"{views.path}:4: side: true or false is expected")
        assert operator.app.screen.query_one(ViewList).line_count() == 1
        await operator.press("enter")
        assert told(operator, "the filter of this view: ")
        assert len(operator.types) == 201
        views.path.write_text("[good\n")
        await operator.press("V")
        assert told(operator, f"{views.path}: Expected ']'")
        await operator.press("s", *"new", "enter")
        await operator.sees(lambda: not any(worker.group == "views" for worker in operator.app.workers))
        assert views.path.read_text() == "[good\n"
        assert isinstance(operator.app.screen, ViewsScreen)


async def test_what_is_shown_at_the_end_is_what_is_shown_at_the_start(
    opened: Opened, views: ViewFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    views.save("another system", View(query="a"))
    monkeypatch.setattr(ViewFile, "last", lambda: views)
    monkeypatch.delenv("EVTOP_ZONE", raising=False)
    async with opened(last=views) as operator:
        operator.live.open_view(NIGHT)
        await operator.sees(lambda: is_night(operator))
        await operator.press("q")
    assert views.read().by_name == {"another system": View(query="a"), "test": NIGHT}
    start = chosen_start(None, None, None, None, "test")
    assert "evtop --fresh" in start.notice
    async with opened(last=views, start=start) as operator:
        await operator.sees(lambda: is_night(operator))
        assert operator.timeline.viewport.following
        assert told(operator, "the filter of the last time; C clears it, evtop --fresh starts without")


async def test_moments_of_the_last_time_stay_what_they_were(opened: Opened, views: ViewFile) -> None:
    async with opened(last=views) as operator:
        await operator.press("slash", *"since:-10m", "enter", "q")
    assert views.read().by_name["test"].query == "since:2026-11-21T12:50:00Z"


async def test_what_cannot_be_kept_is_said_at_the_end(opened: Opened, views: ViewFile) -> None:
    views.path.write_text("[good\n")
    async with opened(last=views) as operator:
        await operator.press("q")
    assert operator.app.unkept.startswith(f"{views.path}: ")
    assert views.path.read_text() == "[good\n"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("EVTOP_ZONE", raising=False)
    return tmp_path


def starting(**said: str | None) -> Start:
    return chosen_start(**{"query": None, "at": None, "zone": None, "view": None, "last": None, **said})


@pytest.mark.usefixtures("folders")
def test_the_last_state_gives_way_to_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    last = ViewFile.last()
    assert last is not None
    assert starting(last="local") == Start(zone=Zone.UTC)
    last.save("local", NIGHT)
    start = starting(last="local")
    assert start.place is not None
    assert start.place.shown.text == "type:download.*"
    assert (start.place.at, start.view) == (None, NIGHT)
    assert start.zone == zone_named("Europe/Berlin")
    for said in ({"query": "a"}, {"at": "-1h"}):
        other = starting(last="local", **said)
        assert (other.view, other.notice, other.zone) == (None, "", Zone.UTC)
    # --fresh, and the demo.
    assert starting() == starting(last="another") == Start(zone=Zone.UTC)
    assert starting(last="local", zone="local").zone is Zone.LOCAL
    monkeypatch.setenv("EVTOP_ZONE", "ago")
    assert starting(last="local").zone is Zone.RELATIVE


@pytest.mark.usefixtures("folders")
def test_a_last_state_that_is_broken_is_said_and_left_out() -> None:
    last = ViewFile.last()
    assert last is not None
    last.save("local", View(query="type:("))
    start = starting(last="local")
    assert start.place is None
    assert start.notice.startswith("the filter that was shown last: ")
    last.path.write_text("[local]\nside = 1\n")
    assert starting(last="local").notice == f"{last.path}:2: side: true or false is expected"
    last.path.write_text("[local\n")
    assert starting(last="local").notice.startswith(f"what was shown last cannot be read: {last.path}: ")


@pytest.mark.usefixtures("folders")
def test_a_view_is_opened_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    saved = ViewFile.saved()
    assert saved is not None
    saved.save("night", NIGHT)
    saved.save("empty", View())
    start = starting(view="night", at="2026-11-21T14:00", last="local")
    assert start.place is not None
    assert start.place.at == at(3600)
    assert start.place.shown.minimum is Severity.ERROR
    assert start.view == NIGHT
    assert starting(view="night", zone="local").zone is Zone.LOCAL
    assert starting(view="empty").zone is Zone.UTC
    saved.save("worse", View(query="type:("))
    with saved.path.open("a") as file:
        file.write("[broken]\nside = 3\n")
    for said, expected in (
        ({"view": "nigt"}, "--view: no view nigt; did you mean night?"),
        ({"view": "zzz"}, "--view: no view zzz; see evtop views list"),
        ({"view": "broken"}, "side: true or false is expected"),
        ({"view": "worse"}, "--view: its filter: "),
        ({"view": "night", "query": "a"}, "--view has a filter of its own; leave --query out"),
    ):
        with pytest.raises(typer.Exit) as ended:
            starting(**said)
        assert ended.value.exit_code == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert expected in lines[0]


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def test_views_are_listed_and_removed(home: PrivateHome) -> None:
    file = ViewFile(Path(home.environment["XDG_CONFIG_HOME"]) / "evtop" / "views.toml")
    assert evtop(home, "views", "list").stdout == ""
    file.save("night", NIGHT)
    file.save("other", View(query="a"))
    with file.path.open("a") as text:
        text.write("[broken]\nside = 3\n")
    done = evtop(home, "views", "list")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].split() == ["night", "error", "Europe/Berlin", "type:download.*"]
    assert f"{file.path}:" in done.stderr
    listed = evtop(home, "views", "list", "-o", "json").stdout.splitlines()
    assert json.loads(listed[0]) == {"view": "night", **NIGHT.table()}
    assert one_line(evtop(home, "views", "remove", "nigt")) == "no view nigt; did you mean night?"
    assert evtop(home, "views", "remove", "night").returncode == 0
    assert list(file.read().by_name) == ["other"]

"""Zones by name: chosen in the console, by a setting or by an option, and used everywhere at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.cli.console import start_place, start_zone
from monitor.widgets.histogram import Histogram
from monitor.zone import Zone
from tests.console.commands import evtop, one_line
from tests.console.conftest import Opened
from tests.events import at
from tests.pty_console import PrivateHome


async def test_a_zone_is_chosen_by_name_and_holds_everywhere_at_once(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("T", *"berl")
        assert "Europe/Berlin" in operator.text()
        await operator.press("tab", "enter")
        assert "14:00 Europe/Berlin" in operator.text("#status")
        assert "13:59:45" in operator.text("#timeline")
        histogram = operator.live.query_one(Histogram)
        assert str(histogram.border_subtitle).endswith("– 14:00")
        # Moments that are typed are of that zone, too.
        await operator.press("slash", *"since:13:55", "enter")
        assert len(operator.types) == 21
        await operator.press("C", "at", *"13:30", "enter")
        event = operator.timeline.selected_event
        assert event is not None
        assert event.inserted_at == at(1800)
        # It is one of those that the zone key goes through now.
        for expected in ("UTC", "local", "ago", "Europe/Berlin"):
            await operator.press("t")
            assert operator.app.zone.name == expected
        # Days are those of UTC wherever one is.
        await operator.press("i", "Z", "Z", "Z")
        assert "2026-11-21 UTC" in str(histogram.border_title)
        assert "2026-11-21 UTC" in str(histogram.border_subtitle)


async def test_a_zone_that_is_none_can_be_mended_and_one_that_was_chosen_on_a_page_is_that_of_all(
    opened: Opened,
) -> None:
    async with opened() as operator:
        await operator.press("r", "T", *"Asia/Tokio", "enter")
        assert "no zone; did you mean Asia/Tokyo?" in operator.text()
        await operator.press("backspace", "backspace", *"yo", "enter", "escape")
        await operator.sees(lambda: operator.app.screen is operator.live)
        assert operator.app.zone.name == "Asia/Tokyo"
        assert "21:59:45" in operator.text("#timeline")
        await operator.press("T", "escape")
        assert operator.app.zone.name == "Asia/Tokyo"


async def test_copies_notes_and_exports_are_in_the_zone_that_was_chosen(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    copied: list[str] = []
    async with opened() as operator:
        monkeypatch.setattr(operator.app, "copy", lambda text, _what: copied.append(text))
        await operator.press("T", *"Asia/Kathmandu", "enter", "h", "h", "h", "c")
        assert copied == ["2026-11-21 18:44:45.000000 +05:45"]
        await operator.press("m", "ctrl+s")
        [note] = tmp_path.glob("evtop/notes/*.md")
        assert "Times are in the zone Asia/Kathmandu." in note.read_text()
        assert "| 2026-11-21 18:44:45.000000 +05:45 |" in note.read_text()
        await operator.press("ctrl+e", "ctrl+u", *"all.csv", "enter")
        await operator.sees((tmp_path / "all.csv").exists)
        assert "2026-11-21T18:44:45.000000+05:45" in (tmp_path / "all.csv").read_text()


def test_the_console_starts_in_the_zone_of_the_option_else_of_the_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("EVTOP_ZONE", raising=False)
    assert start_zone(None) is Zone.UTC
    monkeypatch.setenv("EVTOP_ZONE", "Europe/Berlin")
    assert start_zone(None).name == "Europe/Berlin"
    assert start_zone("local") is Zone.LOCAL
    place = start_place("since:2026-11-21T13:30", "2026-11-21T14:00", start_zone(None).tzinfo)
    assert place is not None
    assert place.at == at(3600)
    assert place.command_line() == "evtop --query since:2026-11-21T12:30:00Z --at 2026-11-21T13:00:00Z"


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    """Folders and an environment of this test's own, without a bus."""
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def test_a_zone_that_is_none_ends_the_program_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import typer

    for name, option in (("--zone", "Europe/Berlim"), ("EVTOP_ZONE", None)):
        monkeypatch.setenv("EVTOP_ZONE", "Europe/Berlim")
        with pytest.raises(typer.Exit):
            start_zone(option)
        assert capsys.readouterr().err == f"evtop: {name}: no zone; did you mean Europe/Berlin?\n"


def test_an_option_of_the_console_before_a_command_is_not_passed_over(home: PrivateHome) -> None:
    for words, said in (
        (["--zone", "UTC", "tail"], "--zone goes after the command: evtop tail --zone"),
        (["--theme", "light", "demo"], "--theme goes after the command: evtop demo --theme"),
        (["--no-ascii", "emit", "a.b"], "--ascii is for the console, not for evtop emit"),
        (["--fresh", "db", "status"], "--fresh is for the console, not for evtop db"),
    ):
        assert one_line(evtop(home, *words)) == said

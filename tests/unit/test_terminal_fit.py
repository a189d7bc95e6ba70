"""What is chosen for a terminal: by options, by variables, by what the terminal can."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.errors import StartError
from monitor.fit.choices import LOW_BUDGET, USUAL_BUDGET, Options, TerminalFit

USUAL = {"TERM": "xterm-256color", "LANG": "en_GB.UTF-8"}


def chosen(options: Options = Options(), /, **variables: str) -> TerminalFit:  # noqa: B008
    return TerminalFit.chosen(options, {**USUAL, **variables})


def test_on_a_usual_terminal_nothing_is_given_up() -> None:
    assert chosen() == TerminalFit()
    assert not chosen().mouse
    assert chosen().budget == USUAL_BUDGET


@pytest.mark.parametrize(
    ("variables", "theme"),
    [
        ({"TERM": "xterm"}, "16-colour"),
        ({"TERM": "linux"}, "16-colour"),
        ({"TERM": "vt100"}, "monochrome"),
        ({"TERM": "screen-256color"}, "dark"),
        ({"TERM": "xterm-mono"}, "monochrome"),
        ({"TERM": "xterm-kitty"}, "dark"),
        ({"TERM": "not-in-any-list"}, "16-colour"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "dark"),
        ({"TERM": "xterm", "EVTOP_THEME": "light"}, "light"),
        ({"EVTOP_THEME": ""}, "dark"),
    ],
)
def test_the_theme_is_what_was_asked_for_or_what_the_terminal_can(
    variables: dict[str, str], theme: str
) -> None:
    assert chosen(**variables).theme == theme


def test_an_option_is_worth_more_than_a_variable() -> None:
    assert chosen(Options(theme="high-contrast"), EVTOP_THEME="light").theme == "high-contrast"
    assert not chosen(Options(ascii=False), EVTOP_ASCII="1").ascii
    assert chosen(Options(mouse=True), EVTOP_MOUSE="0").mouse
    assert not chosen(Options(low_bandwidth=False), SSH_CONNECTION="a 1 b 2").low_bandwidth
    assert chosen(Options(keys=Path("k")), EVTOP_KEYS="other").keys == Path("k")


def test_no_color_is_worth_more_than_any_theme() -> None:
    fit = chosen(Options(theme="light"), NO_COLOR="1", COLORTERM="truecolor")
    assert (fit.theme, fit.colour) == ("monochrome", False)
    assert chosen(NO_COLOR="").colour


@pytest.mark.parametrize(
    ("variables", "encoding"),
    [
        ({"LANG": "C.UTF-8"}, "utf-8"),
        ({"LANG": "de_DE.utf8"}, "utf-8"),
        ({"LANG": "C"}, "ascii"),
        ({"LANG": ""}, "ascii"),
        ({"LANG": "POSIX"}, "ascii"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "C"}, "ascii"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "ascii"),
        ({"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, "utf-8"),
        ({"LANG": "de_DE.ISO-8859-15@euro"}, "ISO-8859-15"),
        ({"LANG": "de_DE"}, "iso8859-1"),
        ({"LANG": "de_DE.no-such-codeset"}, "ascii"),
    ],
)
def test_a_locale_that_is_not_utf_8_is_drawn_in_ascii(variables: dict[str, str], encoding: str) -> None:
    fit = chosen(**variables)
    assert (fit.encoding, fit.ascii) == (encoding, encoding != "utf-8")
    assert not chosen(**variables, EVTOP_ASCII="0").ascii
    assert chosen(**variables, EVTOP_ASCII="1").ascii


def test_over_ssh_few_bytes_are_sent_unless_told_otherwise() -> None:
    ssh = {"SSH_CONNECTION": "203.0.113.7 50022 203.0.113.9 22"}
    assert chosen(**ssh).low_bandwidth
    assert chosen(**ssh).budget == LOW_BUDGET
    assert not chosen(**ssh, EVTOP_LOW_BANDWIDTH="0").low_bandwidth
    assert chosen(EVTOP_LOW_BANDWIDTH="1").budget == LOW_BUDGET
    assert chosen(**ssh, EVTOP_BYTES_PER_SECOND="9600").budget == 9600


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"EVTOP_THEME": "drak"}, "EVTOP_THEME: no such theme; there are dark, light, .*, monochrome"),
        ({"EVTOP_ASCII": "perhaps"}, "EVTOP_ASCII: 1 or 0"),
        ({"EVTOP_MOUSE": "2"}, "EVTOP_MOUSE: 1 or 0"),
        (
            {"EVTOP_BYTES_PER_SECOND": "fast"},
            "EVTOP_BYTES_PER_SECOND: a number of bytes a second, 500 at least",
        ),
        ({"EVTOP_BYTES_PER_SECOND": "499"}, "EVTOP_BYTES_PER_SECOND: .*"),
    ],
)
def test_what_cannot_be_used_is_said_by_name(variables: dict[str, str], message: str) -> None:
    with pytest.raises(StartError, match=f"^{message}$"):
        chosen(**variables)
    with pytest.raises(StartError, match=r"^--theme: no such theme; .*$"):
        chosen(Options(theme="?"))


def test_the_keys_come_from_the_configuration_folder_if_they_are_there(tmp_path: Path) -> None:
    folder = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert chosen(**folder).keys is None
    file = tmp_path / "evtop" / "keys.toml"
    file.parent.mkdir()
    file.touch()
    assert chosen(**folder).keys == file
    assert chosen(**folder, EVTOP_KEYS="/elsewhere").keys == Path("/elsewhere")
    assert chosen(XDG_CONFIG_HOME="relative", HOME=str(tmp_path)).keys is None

"""What was chosen for the terminal: by options, by the environment, and by what the terminal can."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.errors import StartError

THEME_VARIABLE = "EVTOP_THEME"
ASCII_VARIABLE = "EVTOP_ASCII"
KEYS_VARIABLE = "EVTOP_KEYS"
MOUSE_VARIABLE = "EVTOP_MOUSE"
LOW_BANDWIDTH_VARIABLE = "EVTOP_LOW_BANDWIDTH"
BUDGET_VARIABLE = "EVTOP_BYTES_PER_SECOND"
TERMINAL_VARIABLES = (
    THEME_VARIABLE,
    ASCII_VARIABLE,
    KEYS_VARIABLE,
    MOUSE_VARIABLE,
    LOW_BANDWIDTH_VARIABLE,
    BUDGET_VARIABLE,
)

THEME_NAMES = ("dark", "light", "high-contrast", "colour-blind", "16-colour", "monochrome")
USUAL_BUDGET, LOW_BUDGET = 72_000, 4_500
"""Bytes a second that following may cost, when nothing else is said."""
LEAST_BUDGET = 500
_MANY_COLOURS = {"xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm"}
_NO_COLOURS = ("vt100", "vt102", "vt2", "vt3", "vt4", "vt5")
_SWITCH = {
    **dict.fromkeys(("1", "yes", "on", "true"), True),
    **dict.fromkeys(("0", "no", "off", "false"), False),
}


@dataclass(frozen=True)
class Options:
    """What the command line says; None is nothing."""

    theme: str | None = None
    ascii: bool | None = None
    keys: Path | None = None
    mouse: bool | None = None
    low_bandwidth: bool | None = None


@dataclass(frozen=True)
class TerminalFit:
    """How the console is drawn.

    `theme` is one of `THEME_NAMES`; without `colour`, none is written whatever the theme. With `ascii`, our own signs
    are drawn in ASCII, and of event text what `encoding` lacks as `?`. `budget` is in bytes a second. `low_bandwidth`
    says that nothing moves by itself. `keys` is the file with changed keys.
    """

    theme: str = "dark"
    colour: bool = True
    ascii: bool = False
    encoding: str = "utf-8"
    mouse: bool = False
    low_bandwidth: bool = False
    budget: int = USUAL_BUDGET
    keys: Path | None = field(default=None)

    @classmethod
    def chosen(cls, options: Options, environment: Mapping[str, str] = os.environ) -> TerminalFit:
        """What `options` say, else `environment`, else what the terminal can.

        Raises:
            StartError: a variable or an option cannot be used; the message names it and what can.
        """
        # An empty NO_COLOR counts as not set (no-color.org).
        colour = not environment.get("NO_COLOR")
        encoding = _encoding(environment)
        plain = _first(options.ascii, switch(environment, ASCII_VARIABLE))
        low = _first(options.low_bandwidth, switch(environment, LOW_BANDWIDTH_VARIABLE))
        low = bool(environment.get("SSH_CONNECTION")) if low is None else low
        return cls(
            theme=_theme(options.theme, environment) if colour else "monochrome",
            colour=colour,
            ascii=encoding != "utf-8" if plain is None else plain,
            encoding=encoding,
            mouse=bool(_first(options.mouse, switch(environment, MOUSE_VARIABLE))),
            low_bandwidth=low,
            budget=_budget(environment, LOW_BUDGET if low else USUAL_BUDGET),
            keys=options.keys or _keys_file(environment),
        )


def _first(option: bool | None, variable: bool | None) -> bool | None:
    return variable if option is None else option


def switch(environment: Mapping[str, str], name: str) -> bool | None:
    """What a variable of 1 or 0 says; None when it is not set.

    Raises:
        StartError: it says something else.
    """
    text = environment.get(name, "")
    if not text:
        return None
    if (value := _SWITCH.get(text.lower())) is None:
        raise StartError(f"{name}: 1 or 0")
    return value


def _theme(option: str | None, environment: Mapping[str, str]) -> str:
    for where, name in (("--theme", option), (THEME_VARIABLE, environment.get(THEME_VARIABLE))):
        if name:
            if name not in THEME_NAMES:
                raise StartError(f"{where}: no such theme; there are {', '.join(THEME_NAMES)}")
            return name
    if environment.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
        return "dark"
    colours = _colours(environment.get("TERM", ""))
    return "dark" if colours >= 256 else "16-colour" if colours >= 8 else "monochrome"


def _colours(term: str) -> int:
    """How many colours the terminal has, by its name: an entry of terminfo may not be installed."""
    if term.endswith(("-256color", "-direct")) or term in _MANY_COLOURS:
        return 256
    return 0 if term.startswith(_NO_COLOURS) or term.endswith(("-m", "-mono")) else 16


def _encoding(environment: Mapping[str, str]) -> str:
    """The character encoding of the locale, as LC_ALL, LC_CTYPE and LANG say; `ascii` where they say nothing."""
    names = [environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    # In the C locale Python sets LC_CTYPE for itself (PEP 538), which says nothing about the terminal.
    if names[1] in {"C.UTF-8", "C.utf8", "UTF-8"} and names[2] in {"", "C", "POSIX"} and not names[0]:
        names[1] = ""
    name = next(filter(None, names), "C")
    codeset = name.partition(".")[2].partition("@")[0]
    if not codeset:
        return "ascii" if name in {"C", "POSIX"} else "iso8859-1"
    try:
        "".encode(codeset)
    except LookupError:
        return "ascii"
    return "utf-8" if codeset.replace("-", "").lower() == "utf8" else codeset


def _budget(environment: Mapping[str, str], default: int) -> int:
    text = environment.get(BUDGET_VARIABLE, "")
    if not text:
        return default
    try:
        budget = int(text)
    except ValueError:
        budget = 0
    if budget < LEAST_BUDGET:
        raise StartError(f"{BUDGET_VARIABLE}: a number of bytes a second, {LEAST_BUDGET} at least")
    return budget


def _keys_file(environment: Mapping[str, str]) -> Path | None:
    """The file with changed keys: the one that is named, else the one in the configuration folder, if it is there."""
    if named := environment.get(KEYS_VARIABLE):
        return Path(named)
    folder = environment.get("XDG_CONFIG_HOME", "")
    if not folder.startswith("/"):
        home = environment.get("HOME", "")
        if not home:
            return None
        folder = f"{home}/.config"
    usual = Path(folder) / "evtop" / "keys.toml"
    return usual if usual.is_file() else None

"""The terminal: whether the console can draw on it, and what it would lack."""

from __future__ import annotations

import curses
from collections.abc import Iterator, Mapping

from monitor.doctor.finding import Finding, Result

LEAST_COLUMNS, LEAST_ROWS = 80, 24


def examine_terminal(
    environment: Mapping[str, str], size: tuple[int, int] | None, *, is_terminal: bool
) -> Iterator[Finding]:
    """What `environment` says of the terminal; `size` is in columns and rows, None when it tells none."""
    if not is_terminal:
        yield Finding("terminal", "draw", Result.SKIPPED, "stdin and stdout are no terminal here")
        return
    term = environment.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        found, advice = (
            f"TERM is {term or 'not set'}",
            "set TERM to what the terminal is, such as xterm-256color",
        )
        yield Finding("terminal", "draw", Result.BROKEN, found, advice)
    else:
        yield Finding("terminal", "draw", Result.OK, f"TERM is {term}")
    yield Finding("terminal", "colours", Result.OK, _colours(environment, term))
    yield _size(size)
    yield _characters(environment)
    if environment.get("TMUX") or environment.get("STY"):
        name = "tmux" if environment.get("TMUX") else "screen"
        advice = "to copy through it: tmux set -g set-clipboard on" if name == "tmux" else None
        yield Finding("terminal", "multiplexer", Result.OK, name, advice)
    if environment.get("SSH_CONNECTION"):
        yield Finding("terminal", "connection", Result.OK, "over ssh")


def _colours(environment: Mapping[str, str], term: str) -> str:
    if environment.get("NO_COLOR"):
        return "none, as NO_COLOR says"
    if environment.get("COLORTERM", "").lower() in {"truecolor", "24bit"}:
        return "true colour, as COLORTERM says"
    try:
        curses.setupterm(term, fd=1)
        number = curses.tigetnum("colors")
    except (curses.error, TypeError):
        return "not told: there is no terminfo entry"
    return f"{number}, as terminfo says" if number > 0 else "none, as terminfo says"


def _size(size: tuple[int, int] | None) -> Finding:
    if size is None:
        found, advice = "not told", "stty rows 24 columns 80"
        return Finding("terminal", "size", Result.BROKEN, found, advice)
    found = f"{size[0]}×{size[1]}"
    if size[0] < LEAST_COLUMNS or size[1] < LEAST_ROWS:
        advice = f"the console is made for {LEAST_COLUMNS}×{LEAST_ROWS} and more"
        return Finding("terminal", "size", Result.WARNING, found, advice)
    return Finding("terminal", "size", Result.OK, found)


def _characters(environment: Mapping[str, str]) -> Finding:
    name = next(filter(None, (environment.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    # Python sets LC_CTYPE for itself where there is no locale (PEP 538), which tells nothing of the terminal.
    if (
        name == "C.UTF-8"
        and not environment.get("LC_ALL")
        and environment.get("LANG", "C") in {"", "C", "POSIX"}
    ):
        name = ""
    if "utf8" in name.replace("-", "").lower():
        return Finding("terminal", "characters", Result.OK, f"UTF-8, as the locale {name} says")
    found = f"not UTF-8: the locale is {name or 'not set'}"
    return Finding("terminal", "characters", Result.WARNING, found, "export LANG=C.UTF-8")

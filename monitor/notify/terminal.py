"""What the terminal itself is told: a bell, a notification of the desktop (OSC 9 and 777), a title (OSC 2)."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.clipboard import passed_through
from monitor.text import clean

BELL = "\x07"
TITLE_MAX = 120
KEEP_TITLE, OLD_TITLE = "\x1b[22;2t", "\x1b[23;2t"
"""The terminal keeps the title that it has, and takes it again (XTWINOPS)."""


def desktop(text: str, environment: Mapping[str, str]) -> str:
    """What makes terminals that can show `text` as a notification of the desktop.

    OSC 777 where the environment names a terminal that knows it (rxvt, foot, and what VTE draws), else OSC 9, which
    iTerm2 brought up, and which WezTerm, Ghostty, kitty and Windows Terminal know.
    """
    text = _content(text)
    if environment.get("VTE_VERSION") or environment.get("TERM", "").startswith(("rxvt", "foot")):
        return passed_through(f"\x1b]777;notify;evtop;{text.replace(';', ',')}\x07", environment)
    # A body that begins like a number would be one of the other commands of ConEmu's OSC 9.
    body = text if not text[:1].isdigit() else f" {text}"
    return passed_through(f"\x1b]9;{body}\x07", environment)


def title(text: str) -> str:
    """What names the terminal's window or tab so."""
    return f"\x1b]2;{_content(text)}\x07"


def _content(text: str) -> str:
    return clean(text)[:TITLE_MAX]

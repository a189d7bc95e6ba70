"""What the terminal itself is told: a bell, a notification of the desktop (OSC 9 and 777), a title (OSC 2)."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.clipboard import passed_through
from monitor.text import clean

BELL = "\x07"
TITLE_MAX = 120
_KEEP_TITLE, _OLD_TITLE = "\x1b[22;2t", "\x1b[23;2t"


def desktop(text: str, environment: Mapping[str, str]) -> str:
    """What makes terminals that can show `text` as a notification of the desktop.

    OSC 9 is iTerm2's, also Windows Terminal's, WezTerm's, kitty's and Ghostty's; OSC 777 is rxvt's, foot's and VTE's.
    Where both are known, both come: a terminal that knows one takes no notice of the other.
    """
    text = _content(text)
    # A body that begins like a number would be one of the other commands of ConEmu's OSC 9.
    body = text if not text[:1].isdigit() else f" {text}"
    return passed_through(f"\x1b]9;{body}\x07\x1b]777;notify;evtop;{text.replace(';', ',')}\x07", environment)


def title(text: str) -> str:
    """What names the terminal's window or tab so."""
    return f"\x1b]2;{_content(text)}\x07"


def keep_title() -> str:
    """What lets the terminal keep the title that it has, for `old_title`."""
    return _KEEP_TITLE


def old_title() -> str:
    """What puts back the title that was kept."""
    return _OLD_TITLE


def _content(text: str) -> str:
    return clean(text)[:TITLE_MAX]

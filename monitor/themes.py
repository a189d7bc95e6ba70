"""The colours. Severity is never told by colour alone, so that any theme may be wrong for someone's eyes.

Colours are solid throughout: a terminal cannot blend, and a blend would cost bytes on every cell. All text has a
contrast of 4.5 to 1 at least with what it stands on (WCAG 2.2, 1.4.3), in the high contrast theme 7 to 1 (1.4.6).
"""

from __future__ import annotations

from functools import lru_cache

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

VARIABLE_DEFAULTS = {
    "muted": "ansi_default",
    "rule": "ansi_default",
    "cursor-line": "ansi_default",
    "cursor-line-blurred": "ansi_default",
    "cursor-style": "none",
    "error-style": "bold",
    "pane-edge": "round",
    "focused-edge": "round",
}
"""What the style sheets use beside Textual's variables. Edges are kinds of border, styles are text styles."""
_NO_COLOURS = {
    "cursor-style": "reverse",
    # Without colours to tell it by, the focus needs a frame of its own.
    "focused-edge": "heavy",
    "ansi-background": "ansi_default",
    "ansi-foreground": "ansi_default",
    "text-muted": "ansi_default",
    "text-disabled": "ansi_default",
    "foreground-muted": "ansi_default",
    "border": "ansi_default",
    "border-blurred": "ansi_default",
    "block-cursor-text-style": "reverse",
    "block-cursor-background": "ansi_default",
    "block-cursor-foreground": "ansi_default",
    "input-cursor-text-style": "reverse",
    "input-selection-background": "ansi_default",
    "input-selection-foreground": "ansi_default",
    "scrollbar": "ansi_default",
    "scrollbar-hover": "ansi_default",
    "scrollbar-active": "ansi_default",
    "scrollbar-background": "ansi_default",
    "scrollbar-background-hover": "ansi_default",
    "scrollbar-background-active": "ansi_default",
    "footer-key-foreground": "ansi_default",
}

DARK = Theme(
    name="evtop-dark",
    primary="#5aa9f8",
    secondary="#7aa2c4",
    accent="#7fc8d8",
    warning="#e5b454",
    error="#ff6b6b",
    success="#7fce7f",
    foreground="#d8dee6",
    background="#0e1116",
    surface="#191e26",
    panel="#222833",
    dark=True,
    variables={
        "muted": "#8d97a5",
        "rule": "#3c4654",
        "cursor-line": "#12304d",
        "cursor-line-blurred": "#262d38",
        "footer-key-foreground": "#5aa9f8",
        "text-disabled": "#8d97a5",
    },
)
LIGHT = Theme(
    name="evtop-light",
    primary="#0550ae",
    secondary="#3a5a80",
    accent="#0a5c74",
    warning="#7d4e00",
    error="#b3141d",
    success="#116329",
    foreground="#1b1f24",
    background="#ffffff",
    surface="#eef1f4",
    panel="#e3e7ec",
    dark=False,
    variables={
        "muted": "#57606a",
        "rule": "#b4bcc6",
        "cursor-line": "#cfe3fb",
        "cursor-line-blurred": "#e3e7ec",
        "footer-key-foreground": "#0550ae",
        "text-disabled": "#57606a",
    },
)
HIGH_CONTRAST = Theme(
    name="evtop-high-contrast",
    primary="#ffff70",
    secondary="#ffffff",
    accent="#7de4ff",
    warning="#ffd84d",
    error="#ff9a94",
    success="#7dff7d",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1a1a1a",
    dark=True,
    variables={
        "muted": "#d0d0d0",
        "rule": "#a0a0a0",
        "cursor-line": "#001f52",
        "cursor-line-blurred": "#1a1a1a",
        "focused-edge": "heavy",
        "footer-key-foreground": "#ffff70",
        "text-disabled": "#d0d0d0",
    },
)
COLOUR_BLIND = Theme(
    name="evtop-colour-blind",
    primary="#56b4e9",
    secondary="#8fb0ff",
    accent="#a9b8ff",
    warning="#f0e442",
    error="#ff8a4c",
    success="#56b4e9",
    foreground="#dfe3e8",
    background="#0e1116",
    surface="#191e26",
    panel="#222833",
    dark=True,
    variables={
        "muted": "#98a2b0",
        "rule": "#3c4654",
        "cursor-line": "#2a2e3a",
        "cursor-line-blurred": "#222833",
        "footer-key-foreground": "#56b4e9",
        "text-disabled": "#98a2b0",
    },
)
"""After the palette of Okabe and Ito (2008): orange, yellow and blue stay apart without red or without green."""
SIXTEEN_COLOURS = Theme(
    name="evtop-16-colour",
    ansi=True,
    primary="ansi_bright_cyan",
    secondary="ansi_bright_cyan",
    accent="ansi_bright_cyan",
    warning="ansi_bright_yellow",
    error="ansi_bright_red",
    success="ansi_bright_green",
    foreground="ansi_bright_white",
    # Not the terminal's own, of which nobody knows whether it is light or dark.
    background="ansi_black",
    surface="ansi_black",
    panel="ansi_black",
    dark=True,
    variables={
        **_NO_COLOURS,
        "muted": "ansi_white",
        "rule": "ansi_bright_black",
        "cursor-line": "ansi_black",
        "cursor-line-blurred": "ansi_black",
        "focused-edge": "heavy",
        "ansi-background": "ansi_black",
        "ansi-foreground": "ansi_bright_white",
        "text": "ansi_bright_white",
        "text-muted": "ansi_white",
        "text-disabled": "ansi_white",
        "block-cursor-background": "ansi_black",
        "block-cursor-foreground": "ansi_bright_white",
    },
)
MONOCHROME = Theme(
    name="evtop-monochrome",
    ansi=True,
    primary="ansi_default",
    secondary="ansi_default",
    accent="ansi_default",
    warning="ansi_default",
    error="ansi_default",
    success="ansi_default",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    dark=True,
    variables=_NO_COLOURS,
)
THEMES = {
    "dark": DARK,
    "light": LIGHT,
    "high-contrast": HIGH_CONTRAST,
    "colour-blind": COLOUR_BLIND,
    "16-colour": SIXTEEN_COLOURS,
    "monochrome": MONOCHROME,
}
"""By the name that operators give."""


class ColourlessFilter(LineFilter):
    """Takes the colours out of every line, the terminal's default ones too. What bold and reverse say stays."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return `segments` without colours."""
        return [
            Segment(text, None if style is None else _without_colour(style), control)
            for text, style, control in segments
        ]


@lru_cache(1024)
def _without_colour(style: Style) -> Style:
    return style.without_color

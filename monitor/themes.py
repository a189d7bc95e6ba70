"""The colours. Severity is never told by colour alone, so that any theme may be wrong for someone's eyes."""

from __future__ import annotations

from textual.theme import Theme

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
        "cursor-line": "#1f4a75",
        "cursor-line-blurred": "#262d38",
        "footer-key-foreground": "#5aa9f8",
    },
)
"""Solid colours throughout: a terminal cannot blend, and a blend would cost bytes on every cell."""

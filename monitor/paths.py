"""Where the files that ship with the program are."""

from __future__ import annotations

from pathlib import Path


def style(name: str) -> Path:
    """The style sheet `name`: inside the package when installed, under `styles/` in a checkout."""
    package = Path(__file__).resolve().parent
    shipped = package / "_styles" / name
    return shipped if shipped.is_file() else package.parent / "styles" / name

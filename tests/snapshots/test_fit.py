"""The console on terminals of other kinds."""

from __future__ import annotations

import pytest

from monitor.fit.choices import THEME_NAMES, TerminalFit
from tests.snapshots.conftest import Drawn
from tests.snapshots.test_live import stream


@pytest.mark.parametrize("theme", [name for name in THEME_NAMES if name != "dark"])
def test_theme(drawn: Drawn, theme: str) -> None:
    """The live screen in the colours of the theme, legible everywhere; errors, warnings and the row with the cursor
    stand out. In 16 colours and in monochrome the cursor is reversed, and the pane with the focus has a heavy frame.
    """
    assert drawn("E", act=stream, fit=TerminalFit(theme=theme))


def test_ascii_without_colours(drawn: Drawn) -> None:
    """No colour at all, and nothing but ASCII: frames of - | +, that of the timeline of #, bars of . : - = + * %.

    Of event text, what is not ASCII is a question mark for each cell.
    """
    fit = TerminalFit(theme="monochrome", colour=False, ascii=True, encoding="ascii")
    assert drawn("E", act=stream, fit=fit)

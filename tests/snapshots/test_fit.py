"""The console on terminals of other kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.fit.choices import THEME_NAMES, TerminalFit
from tests.snapshots.conftest import Scene, busy_past
from tests.snapshots.test_live import stream

SIZE = (120, 40)


@pytest.mark.parametrize("theme", [name for name in THEME_NAMES if name != "dark"])
def test_theme(tmp_path: Path, snap_compare: Any, theme: str) -> None:
    """The live screen in the colours of the theme, legible everywhere; errors, warnings and the row with the cursor
    stand out. In 16 colours and in monochrome the cursor is reversed, and the pane with the focus has a heavy frame.
    """
    scene = Scene(tmp_path, busy_past(), fit=TerminalFit(theme=theme))
    assert snap_compare(scene.app, terminal_size=SIZE, run_before=scene.before("E", act=stream))


def test_ascii_without_colours(tmp_path: Path, snap_compare: Any) -> None:
    """No colour at all, and nothing but ASCII: frames of - | +, that of the timeline of #, bars of . : - = + * %.

    Of event text, what is not ASCII is a question mark for each cell.
    """
    fit = TerminalFit(theme="monochrome", colour=False, ascii=True, encoding="ascii")
    scene = Scene(tmp_path, busy_past(), fit=fit)
    assert snap_compare(scene.app, terminal_size=SIZE, run_before=scene.before("E", act=stream))

"""`python -m tests.pictures` draws the pictures of the documentation with the program itself.

They are the scenes of the snapshots, so that a picture in the README can never show what the program does not.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.snapshots.scenes import Scene, busy_past, fill
from tests.snapshots.test_live import stream

DOCS = Path(__file__).parent.parent / "docs"
PICTURES: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {
    "console.svg": ((120, 40), ()),
    "console-80x24.svg": ((80, 24), ()),
    "detail.svg": ((100, 30), ("E", "E", "enter")),
    "resource.svg": ((100, 30), ("3", "enter")),
    "actor.svg": ((100, 30), ("g", "enter", "a")),
    "components.svg": ((100, 30), ("H",)),
    "alerts.svg": ((100, 30), ("A",)),
    "dashboard.svg": ((100, 30), ("5",)),
    "dashboard-catalogue.svg": ((100, 30), ("5", "v")),
    "dashboard-times.svg": ((100, 30), ("5", "v", "v", "Z")),
    "help.svg": ((100, 30), ("question_mark",)),
}
"""File name: the size in cells, and the keys to press first."""


async def draw(name: str, say: Callable[[str], None]) -> None:
    """Draw one picture into the documentation."""
    size, keys = PICTURES[name]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/events.db"
        await fill(url, busy_past())
        picture = (await Scene(url).pictures((size,), keys, stream))[size]
    # A font fetched from elsewhere would make the picture depend on the network, and tell who looks at it.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    (DOCS / name).write_text(picture, encoding="utf-8")
    say(name)


def main() -> None:
    """Draw all of them."""
    for name in PICTURES:
        asyncio.run(draw(name, lambda text: print(text, file=sys.stderr)))


if __name__ == "__main__":
    main()

"""The options that say how the console is drawn, which every command that opens one takes alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.fit.choices import THEME_NAMES

Theme = Annotated[str | None, typer.Option("--theme", help=f"Colours: {', '.join(THEME_NAMES)}.")]
Ascii = Annotated[bool | None, typer.Option("--ascii/--no-ascii", help="Draw in ASCII.")]
KeysFile = Annotated[Path | None, typer.Option("--keys", help="A TOML file with other keys; see evtop keys.")]
Mouse = Annotated[bool | None, typer.Option("--mouse/--no-mouse", help="Heed the mouse.")]
LowBandwidth = Annotated[
    bool | None,
    typer.Option("--low-bandwidth/--no-low-bandwidth", help="Few bytes (the default over ssh)."),
]
ZoneShown = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="ZONE",
        help="Times in this zone: UTC (the default), local, Europe/Berlin, +02:00, ago.",
    ),
]

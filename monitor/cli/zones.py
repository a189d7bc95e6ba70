"""The option for the zone that times are to be written in."""

from __future__ import annotations

from typing import Annotated

import typer

ZoneName = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="ZONE",
        help="Times are written and read in it: UTC, local, Europe/Berlin, +02:00. Default: written in UTC.",
    ),
]

"""`evtop`: the console, and the commands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli import (
    config,
    db,
    dead_letters,
    demo,
    doctor,
    emit,
    export,
    import_events,
    keys,
    prune,
    stats,
    tail,
    views,
)
from monitor.cli.options import Demo, chosen_settings, fail, write
from monitor.fit.choices import THEME_NAMES, Options

app = typer.Typer(
    name="evtop",
    help="htop for an application's events. Without a command: the console.",
    epilog=(
        "EVTOP_STORE: the store, sqlite:///, postgresql:// or mysql:// (default: SQLite in the data folder).  "
        "EVTOP_BUS: redis://, rediss://, unix://, embedded (default) or none.  "
        "EVTOP_TAXONOMY: files with event types of your own.  EVTOP_RETENTION_DAYS: what prune keeps (90).  "
        "EVTOP_ZONE: the zone of the console.  "
        "EVTOP_THEME, EVTOP_ASCII, EVTOP_KEYS, EVTOP_MOUSE, EVTOP_LOW_BANDWIDTH, EVTOP_BYTES_PER_SECOND: "
        "the terminal.  "
        "EVTOP_CONFIG: a file with all of these, see evtop config.  "
        "EVTOP_STORE_PASSWORD_FILE, EVTOP_BUS_PASSWORD_FILE, EVTOP_SIGNING_KEY_FILE: files with secrets."
    ),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("emit")(emit.emit)
app.command("tail")(tail.tail)
app.command("stats")(stats.stats)
app.command("export")(export.export)
app.command("import")(import_events.import_events)
app.command("prune")(prune.prune)
app.command("doctor")(doctor.doctor)
app.command("keys")(keys.keys)
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")
app.add_typer(views.app, name="views")


@app.callback(invoke_without_command=True)
def console(
    context: typer.Context,
    address_demo: Demo = False,
    query: Annotated[
        str | None, typer.Option("--query", "-q", metavar="FILTER", help="Start with this filter.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Start at this time: 14:05, -2h, 2026-11-21T14:05Z."),
    ] = None,
    zone: Annotated[
        str | None,
        typer.Option(
            "--zone",
            metavar="ZONE",
            help="Times in this zone: UTC (the default), local, Europe/Berlin, +02:00, ago.",
        ),
    ] = None,
    view: Annotated[
        str | None, typer.Option("--view", metavar="NAME", help="Start with a view that was saved (V).")
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Start with no filter and all panes, not with what was shown last."),
    ] = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    theme: Annotated[str | None, typer.Option(help=f"Colours: {', '.join(THEME_NAMES)}.")] = None,
    plain: Annotated[bool | None, typer.Option("--ascii/--no-ascii", help="Draw in ASCII.")] = None,
    keys_file: Annotated[
        Path | None, typer.Option("--keys", help="A TOML file with other keys; see evtop keys.")
    ] = None,
    mouse: Annotated[bool | None, typer.Option("--mouse/--no-mouse", help="Heed the mouse.")] = None,
    low_bandwidth: Annotated[
        bool | None,
        typer.Option("--low-bandwidth/--no-low-bandwidth", help="Few bytes (the default over ssh)."),
    ] = None,
) -> None:
    """Open the console on EVTOP_STORE and EVTOP_BUS."""
    if version:
        from importlib.metadata import version as installed

        write(f"evtop {installed('evtop')}")
        raise typer.Exit
    if address_demo and context.invoked_subcommand is not None:
        # Taken for the store of the environment, `evtop --demo prune` would delete from it.
        fail(f"--demo goes after the command: evtop {context.invoked_subcommand} --demo")
    if context.invoked_subcommand is None:
        from monitor.cli.console import open_console
        from monitor.cli.start import chosen_start

        options = Options(theme, plain, keys_file, mouse, low_bandwidth)
        settings = chosen_settings(address_demo, warn=False)
        start = chosen_start(query, at, zone, view, None if address_demo or fresh else settings.name)
        raise typer.Exit(
            open_console(
                settings,
                options=options,
                start=start.place,
                zone=start.zone,
                view=start.view,
                notice=start.notice,
                keeps_last=not address_demo,
            )
        )
    for name, value in (("--query", query), ("--at", at), ("--zone", zone), ("--view", view)):
        if value is not None:
            fail(f"{name} is for the console, not for evtop {context.invoked_subcommand}")

"""`evtop`: the console, and the commands beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from monitor.cli import (
    alerts,
    config,
    counters,
    db,
    dead_letters,
    demo,
    doctor,
    emit,
    erase_actor,
    export,
    health,
    import_events,
    keys,
    prune,
    rules,
    stats,
    subjects,
    tail,
    views,
    worker,
)
from monitor.cli.files import FilesOrCommand, open_files
from monitor.cli.options import Demo, ShowPersonal, activate_health, chosen_settings, fail, write
from monitor.cli.terminal_options import Ascii, KeysFile, LowBandwidth, Mouse, Theme, ZoneShown
from monitor.fit.choices import Options

app = typer.Typer(
    name="evtop",
    cls=FilesOrCommand,
    subcommand_metavar="[FILE]... | COMMAND [ARGS]...",
    help=(
        "htop for an application's events. Without a command: the console. With files of events, one JSON object a "
        "line, or - for a pipe: the console over those, without a store."
    ),
    epilog=(
        "EVTOP_STORE: the store, sqlite:///, postgresql:// or mysql:// (default: SQLite in the data folder).  "
        "EVTOP_BUS: redis://, rediss://, unix://, embedded (default) or none.  "
        "EVTOP_TAXONOMY: files with event types of your own.  EVTOP_RETENTION_DAYS: what prune keeps (90).  "
        "EVTOP_RULES: a file with alert rules of your own.  EVTOP_USER: who acknowledges and silences alerts.  "
        "EVTOP_PERSONAL: places in metadata with personal data.  "
        "EVTOP_TITLE, EVTOP_FACTS: places in metadata that pages of resources show.  "
        "EVTOP_RECORD_ALERTS: 0 records none.  EVTOP_HEALTH: which events report health.  "
        "EVTOP_NOTIFY, EVTOP_NOTIFY_COMMAND, EVTOP_NOTIFY_WEBHOOK_FILE, "
        "EVTOP_NOTIFY_APPRISE_FILE, EVTOP_NOTIFY_TIMES: how and when people are told of alerts.  "
        "EVTOP_ZONE: the zone of the console.  EVTOP_WINDOW: how many rows its timeline keeps (20000).  "
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
app.command("health")(health.health)
app.command("resource")(subjects.resource)
app.command("actor")(subjects.actor)
app.command("export")(export.export)
app.command("import")(import_events.import_events)
app.command("prune")(prune.prune)
app.command("worker")(worker.worker)
app.command("erase-actor")(erase_actor.erase_actor)
app.command("doctor")(doctor.doctor)
app.command("keys")(keys.keys)
app.add_typer(alerts.app, name="alerts")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(counters.app, name="counters")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")
app.add_typer(views.app, name="views")
app.add_typer(rules.app, name="rules")


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
    zone: ZoneShown = None,
    view: Annotated[
        str | None, typer.Option("--view", metavar="NAME", help="Start with a view that was saved (V).")
    ] = None,
    fresh: Annotated[
        bool,
        typer.Option("--fresh", help="Start with no filter and all panes, not with what was shown last."),
    ] = False,
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--map", metavar="MAP", help="A TOML file that makes events of the lines of FILE that are none."
        ),
    ] = None,
    show_personal: ShowPersonal = False,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    theme: Theme = None,
    plain: Ascii = None,
    keys_file: KeysFile = None,
    mouse: Mouse = None,
    low_bandwidth: LowBandwidth = None,
) -> None:
    """Open the console on EVTOP_STORE and EVTOP_BUS, or on files."""
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
        files: tuple[str, ...] = context.obj or ()
        if files and address_demo:
            fail("--demo is another place to look at than files")
        if mapping is not None and not files:
            fail("--map is for files: evtop --map MAP FILE")
        settings = chosen_settings(address_demo, warn=False, show_personal=show_personal)
        activate_health(settings)
        keeps_last = not (address_demo or files)
        start = chosen_start(query, at, zone, view, settings.name if keeps_last and not fresh else None)
        if files:
            raise typer.Exit(open_files(files, mapping, settings, options=options, start=start))
        raise typer.Exit(
            open_console(
                settings,
                options=options,
                start=start,
                keeps_last=keeps_last,
            )
        )
    given = {
        "--query": query,
        "--at": at,
        "--zone": zone,
        "--view": view,
        "--fresh": fresh or None,
        "--map": mapping,
        "--show-personal": show_personal or None,
        "--theme": theme,
        "--ascii": plain,
        "--keys": keys_file,
        "--mouse": mouse,
        "--low-bandwidth": low_bandwidth,
    }
    for name, value in given.items():
        if value is not None:
            _refuse_before_command(context, context.invoked_subcommand, name)


def _refuse_before_command(context: typer.Context, command: str, name: str) -> None:
    """Fail where an option of the console stands before a command, which would pay no heed to it."""
    commands: dict[str, Any] = getattr(context.command, "commands", {})
    own = {option for parameter in getattr(commands.get(command), "params", []) for option in parameter.opts}
    if name in own:
        fail(f"{name} goes after the command: evtop {command} {name}")
    place = "files" if name == "--map" else "the console"
    fail(f"{name} is for {place}, not for evtop {command}")

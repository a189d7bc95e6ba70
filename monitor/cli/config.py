"""`evtop config`: the settings, where they come from, and the file that they may stand in."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import typer

from monitor.cli.options import Output, TableOrJson, fail, say, write, write_json
from monitor.cli.table import table_lines
from monitor.errors import StartError
from monitor.fit.choices import (
    ASCII_VARIABLE,
    BUDGET_VARIABLE,
    KEYS_VARIABLE,
    LOW_BANDWIDTH_VARIABLE,
    MOUSE_VARIABLE,
    THEME_NAMES,
    THEME_VARIABLE,
)
from monitor.model.told import FACTS, TITLES
from monitor.notify.chosen import (
    APPRISE_VARIABLE,
    COMMAND_VARIABLE,
    NOTIFY_VARIABLE,
    TIMES_VARIABLE,
    WEBHOOK_VARIABLE,
)
from monitor.settings import (
    CONFIG_VARIABLE,
    FACTS_VARIABLE,
    HEALTH_VARIABLE,
    NAME_VARIABLE,
    PERSONAL_VARIABLE,
    RECORD_VARIABLE,
    RETENTION_DAYS,
    RETENTION_VARIABLE,
    RULES_VARIABLE,
    SECRET_VARIABLES,
    TAXONOMY_VARIABLE,
    TITLE_VARIABLE,
    USER_VARIABLE,
    VARIABLES,
    WINDOW,
    WINDOW_MAX,
    WINDOW_MIN,
    WINDOW_VARIABLE,
    ZONE_VARIABLE,
    Settings,
    default_store,
    personal_places,
    unknown_variables,
    window_rows,
)
from monitor.settings_file import KEYS, exposed_password, file_settings, fill_in, settings_file
from store.bus_url import BUS_SETTING, EMBEDDED, NO_BUS
from store.environment import BUS_PASSWORD_FILE, SIGNING_KEY, SIGNING_KEY_FILE, STORE_PASSWORD_FILE
from store.errors import STORE_SETTING

MASK = "***"
ENVIRONMENT, DEFAULT = "environment", "default"
DESCRIPTIONS = {
    STORE_SETTING: "The store: sqlite:////path, postgresql://user@host/database or mysql://user@host/database.",
    BUS_SETTING: 'The bus: redis://, rediss://, unix://, "embedded" (a private one) or "none".',
    NAME_VARIABLE: "What the status line calls this system.",
    TAXONOMY_VARIABLE: "TOML files with event types of your own.",
    RULES_VARIABLE: "A TOML file with alert rules of your own; `evtop rules check` reads one.",
    RECORD_VARIABLE: "0 leaves it to other consoles to record what fires.",
    HEALTH_VARIABLE: "A TOML file that says which events report health, beside *.health_changed.",
    NOTIFY_VARIABLE: "How the terminal tells of alerts: bell, desktop, title.",
    COMMAND_VARIABLE: "A program that tells of alerts; no shell reads it.",
    WEBHOOK_VARIABLE: "A file: the URL that is told of alerts, and on a second line the key that signs.",
    APPRISE_VARIABLE: "A file: URLs of services that Apprise knows, one a line.",
    TIMES_VARIABLE: "How long the first alert is held back, what changes, and what does not.",
    RETENTION_VARIABLE: "After how many days `evtop prune` and `evtop worker` delete events.",
    ZONE_VARIABLE: "The zone of the console: UTC, local, ago, or a name like Europe/Berlin.",
    WINDOW_VARIABLE: f"How many rows the timeline keeps, {WINDOW_MIN} to {WINDOW_MAX}.",
    USER_VARIABLE: "Who acknowledges and silences alerts here; default: the login name.",
    PERSONAL_VARIABLE: "Places in metadata that hold personal data, beside the known; -name takes one out.",
    TITLE_VARIABLE: "Where metadata says what people call a resource, the first place that there is.",
    FACTS_VARIABLE: "What else of metadata pages of resources show.",
    STORE_PASSWORD_FILE: "A file whose first line is the password of the store.",
    BUS_PASSWORD_FILE: "A file whose first line is the password of the bus.",
    SIGNING_KEY_FILE: "A file whose first line is the key that announcements are signed with.",
    THEME_VARIABLE: f"Colours: {', '.join(THEME_NAMES)}.",
    ASCII_VARIABLE: "1 draws in ASCII, 0 does not; by itself where the locale is not UTF-8.",
    KEYS_VARIABLE: "A TOML file with other keys; `evtop keys` prints one to start from.",
    MOUSE_VARIABLE: "1 heeds the mouse, which takes the terminal's own selection away.",
    LOW_BANDWIDTH_VARIABLE: "1 draws less often, 0 does not; by itself over ssh.",
    BUDGET_VARIABLE: "What following may cost at most, in bytes a second.",
}
"""What each setting is, for the file that `init` writes."""
_EXAMPLES = {
    STORE_SETTING: '"postgresql://evtop_viewer@db.example/evtop"',
    BUS_SETTING: f'"{EMBEDDED}"',
    NAME_VARIABLE: '"local"',
    TAXONOMY_VARIABLE: '["/etc/evtop/events.toml"]',
    RULES_VARIABLE: '"/etc/evtop/rules.toml"',
    RECORD_VARIABLE: '"0"',
    HEALTH_VARIABLE: '"/etc/evtop/health.toml"',
    NOTIFY_VARIABLE: '"bell,title"',
    COMMAND_VARIABLE: '"notify-send evtop"',
    WEBHOOK_VARIABLE: '"/etc/evtop/webhook"',
    APPRISE_VARIABLE: '"/etc/evtop/services"',
    TIMES_VARIABLE: '"10s 5m 4h"',
    RETENTION_VARIABLE: f"{RETENTION_DAYS:g}",
    ZONE_VARIABLE: '"Europe/Berlin"',
    WINDOW_VARIABLE: f"{WINDOW}",
    USER_VARIABLE: '"ana"',
    PERSONAL_VARIABLE: '["client.address", "-device_id"]',
    TITLE_VARIABLE: '["title", "name"]',
    FACTS_VARIABLE: '["year", "file.size"]',
    THEME_VARIABLE: '"dark"',
    ASCII_VARIABLE: '"1"',
    KEYS_VARIABLE: '"/etc/evtop/keys.toml"',
    MOUSE_VARIABLE: '"1"',
    LOW_BANDWIDTH_VARIABLE: '"1"',
    BUDGET_VARIABLE: "72000",
}
_DEFAULTS: dict[str, Callable[[], str]] = {
    STORE_SETTING: default_store,
    BUS_SETTING: lambda: EMBEDDED,
    NAME_VARIABLE: lambda: "local",
    RETENTION_VARIABLE: lambda: f"{RETENTION_DAYS:g}",
    ZONE_VARIABLE: lambda: "UTC",
    WINDOW_VARIABLE: lambda: f"{WINDOW}",
    PERSONAL_VARIABLE: lambda: ",".join(personal_places()),
    TITLE_VARIABLE: lambda: ",".join(TITLES),
    FACTS_VARIABLE: lambda: ",".join(FACTS),
}

app = typer.Typer(help="The settings, and where they come from.", no_args_is_help=True, rich_markup_mode=None)


class Setting(NamedTuple):
    """A setting, what it is set to as it may be shown, and by what."""

    name: str
    value: str | None
    origin: str


@app.command()
def show(
    output: TableOrJson = Output.TEXT,
) -> None:
    """Print every setting with its value and where it comes from. Secrets are not shown.

    Exit status 1 says that the settings cannot be used; why is on stderr.
    """
    try:
        settings = all_settings()
    except StartError as error:
        fail(str(error))
    if output is Output.JSON:
        for setting in settings:
            write_json({"setting": setting.name, "value": setting.value, "from": setting.origin})
    else:
        from monitor.text import ROW_MAX

        rows = [[setting.name, setting.value or "-", setting.origin] for setting in settings]
        for line in table_lines(["setting", "value", "from"], rows, cell_max=ROW_MAX):
            write(line)
    for name, meant in unknown_variables(os.environ):
        say(f"{name} is no setting" + (f"; did you mean {meant}?" if meant else ""))
    try:
        exposed = exposed_password()
        fill_in()
        used = Settings.from_environment()
        window_rows()
        personal_places()
    except StartError as error:
        fail(str(error))
    for line in (*used.warnings, *([exposed] if exposed else [])):
        say(line)


@app.command()
def path() -> None:
    """Print where the file with settings is, or would be."""
    write(str(_file()))


@app.command()
def init() -> None:
    """Write a file with every setting, each commented out. One that is there already stays as it is."""
    file = _file()
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(template())
    except FileExistsError:
        fail(f"{file} is there already")
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror or error}")
    write(str(file))


def _file() -> Path:
    file = settings_file()
    if file is None:
        fail(f"there is no home folder; set XDG_CONFIG_HOME, or {CONFIG_VARIABLE}")
    return file


def template() -> str:
    """The file that `init` writes: with nothing changed in it, it says nothing."""
    lines = ["# Settings of evtop. What the environment sets, wins: EVTOP_STORE over store, and so on.", ""]
    for key, name in KEYS.items():
        example = _EXAMPLES.get(name, '"/etc/evtop/secret"' if name in SECRET_VARIABLES else '""')
        lines += [f"# {DESCRIPTIONS.get(name, name)}", f"# {key} = {example}", ""]
    return "\n".join(lines)


def all_settings() -> list[Setting]:
    """Every setting, in the order of the documentation.

    Raises:
        StartError: the file with settings cannot be used.
    """
    file = settings_file()
    in_file = file_settings()
    found = [
        Setting(
            CONFIG_VARIABLE,
            None if file is None else str(file),
            ENVIRONMENT if os.environ.get(CONFIG_VARIABLE) else DEFAULT,
        )
    ]
    for name in (*VARIABLES, *SECRET_VARIABLES):
        if text := os.environ.get(name):
            found.append(Setting(name, masked(name, text), ENVIRONMENT))
        elif name in in_file:
            found.append(Setting(name, masked(name, in_file[name]), f"file {file}"))
        else:
            found.append(Setting(name, _default(name), DEFAULT))
    return found


def _default(name: str) -> str | None:
    try:
        return _DEFAULTS[name]() if name in _DEFAULTS else None
    except StartError:
        return None


def masked(name: str, text: str) -> str:
    """The value `text` of the setting `name` as it may be shown: no key, no password."""
    if name == SIGNING_KEY:
        return MASK
    if name == STORE_SETTING:
        from store.database_url import described

        return described(text)
    if name == BUS_SETTING and text not in {EMBEDDED, NO_BUS}:
        from monitor.cli.console import without_credentials

        return without_credentials(text)
    return text

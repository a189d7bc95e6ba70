"""What commands share: the `--demo` and `--output` options, one way to run and one way to fail."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Coroutine
from enum import StrEnum
from typing import Annotated, NoReturn, TypeVar

import typer

from monitor.ascii_json import ascii_json
from monitor.errors import StartError
from monitor.settings import Settings, activate_masking, activate_told, unknown_variables
from monitor.settings_file import exposed_password, fill_in

Demo = Annotated[bool, typer.Option("--demo", help="Address the running demo.")]
ShowPersonal = Annotated[
    bool, typer.Option("--show-personal", help="Show personal data, as addresses and e-mail, as they are.")
]
Result = TypeVar("Result")


class Output(StrEnum):
    """How things are written."""

    TEXT = "text"
    JSON = "json"


TableOrJson = Annotated[Output, typer.Option("--output", "-o", help="A table, or a JSON object a line.")]


class Rows(StrEnum):
    """How many things of one kind are written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


def chosen_settings(demo: bool, *, warn: bool = True, show_personal: bool = False) -> Settings:
    """The demo's settings, or those of the environment and the file; a setting that is wrong ends the program.

    The taxonomy that they name becomes that of the process, and it hides what they call personal, unless
    `show_personal`; pages tell of resources what they say. Variables that are none of ours, and secrets that others
    may read, are warned of, where there is no screen that the warning would be lost on.
    """
    try:
        exposed = exposed_password() if warn else None
        fill_in()
        settings = Settings.for_demo() if demo else Settings.from_environment()
        settings.activate_taxonomy()
        activate_masking(shown=show_personal)
        activate_told()
    except StartError as error:
        fail(str(error))
    for line in (*settings.warnings, *([exposed] if exposed else [])) if warn else ():
        say(line)
    for name, meant in unknown_variables(os.environ) if warn else ():
        say(f"{name} is no setting" + (f"; did you mean {meant}?" if meant else ""))
    return settings


def activate_health(settings: Settings) -> None:
    """Make what reports health in this process what `settings` say; a file that is wrong ends the program."""
    try:
        settings.activate_health()
    except StartError as error:
        fail(str(error))


def say(message: str) -> None:
    """Write one line to stderr, cleaned and no longer than a row may be."""
    from monitor.text import clean_row

    print(f"evtop: {clean_row(message)}", file=sys.stderr)  # noqa: T201


def write(text: str) -> None:
    """Write one line to stdout, cleaned like event text, which it may quote, and no longer than a row may be.

    On a pipe, too: it ends on someone's terminal after all. What is to be read by programs is written as JSON.
    """
    from monitor.text import clean_row

    print(clean_row(text))  # noqa: T201


def write_json(value: object) -> None:
    """Write `value` to stdout as one line of JSON, in ASCII: a terminal must not see control characters."""
    from pydantic_core import to_json

    print(ascii_json(to_json(value).decode()))  # noqa: T201


def fail(message: str) -> NoReturn:
    """Say in one line on stderr what went wrong, and exit with status 1."""
    say(message)
    raise typer.Exit(1)


def run_to_end(work: Coroutine[None, None, Result], *, warn: bool = True) -> Result:
    """Run `work`; a store that cannot be used, or ^C, ends the program without a traceback.

    What is logged below goes to stderr, one line each, unless `warn` is false.
    """
    import asyncio

    from store.errors import StoreError

    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    handler.setLevel(logging.WARNING if warn else logging.CRITICAL)
    logging.getLogger().addHandler(handler)
    try:
        return asyncio.run(work)
    except (StoreError, StartError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


class _OneLine(logging.Formatter):
    """A record without its traceback; its text may quote a server, so it is cleaned like event text."""

    def format(self, record: logging.LogRecord) -> str:
        from monitor.text import clean

        return f"evtop: {clean(record.getMessage())}"

"""What commands share: the `--demo` option, one way to fail, one way to print event text."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Annotated, NoReturn, TypeVar

import typer

from monitor.errors import StartError
from monitor.settings import Settings

Demo = Annotated[bool, typer.Option("--demo", help="Address the running demo.")]
Result = TypeVar("Result")


def chosen_settings(demo: bool) -> Settings:
    """The demo's settings, or those of the environment; a setting that is wrong ends the program."""
    try:
        return Settings.for_demo() if demo else Settings.from_environment()
    except StartError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Say in one line on stderr what went wrong, and exit with status 1."""
    from monitor.text import clean

    print(f"evtop: {clean(message)}", file=sys.stderr)  # noqa: T201
    raise typer.Exit(1)


def run_to_end(work: Coroutine[None, None, Result]) -> Result:
    """Run `work`; a store that cannot be used, or ^C, ends the program without a traceback."""
    import asyncio

    from store.errors import StoreError

    try:
        return asyncio.run(work)
    except (StoreError, StartError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None

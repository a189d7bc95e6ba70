"""What commands share: the `--demo` option, one way to run and one way to fail."""

from __future__ import annotations

import logging
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

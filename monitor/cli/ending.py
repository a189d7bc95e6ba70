"""Signals that end a program at once, made into an end in which it can tidy up first."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

import typer


@contextmanager
def tidy_end() -> Generator[None]:
    """Have SIGTERM and SIGHUP cancel the running task, as ^C does by itself. One that was ignored stays ignored.

    Raises:
        typer.Exit: it was cancelled by one of them; with the status 128 + its number.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - only for the type
    told: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        told.append(number)
        task.cancel()

    heeded = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in heeded:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if told:
            raise typer.Exit(128 + told[0]) from None
        raise
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)

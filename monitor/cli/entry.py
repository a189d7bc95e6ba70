"""The way in and out of `evtop`: what may end it before there is anything to say, and output that cannot be written."""

from __future__ import annotations

import os
import signal
import sys
from io import TextIOWrapper
from typing import NoReturn

from monitor.cli.clean_stream import CleanStream
from monitor.garbage import while_importing

INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command line, and exit."""
    try:
        status = _flushed(_status())
    except KeyboardInterrupt:
        # One more ^C, while what the first one had begun was being ended.
        status = INTERRUPTED
    sys.exit(status)


def _status() -> int | str | None:
    _open_what_is_closed()
    for name in ("stdout", "stderr"):
        setattr(sys, name, CleanStream(getattr(sys, name)))
    try:
        # ^C while Python still reads files ends the program like any other: an exception would come out of an import
        # as a traceback, or not at all.
        is_heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if is_heeded:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        with while_importing():
            from monitor.cli.main import app

        if is_heeded:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        app()
    except SystemExit as ended:
        return ended.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        _report(error)
        _drop_output()
        return 1
    return 0


def _open_what_is_closed() -> None:
    """Without stdout or stderr, what is opened next would take its number, and get what is written to it."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        # A locale that lacks a character must not cost the rest of the output.
        sys.stdout.reconfigure(errors="backslashreplace")  # pyright: ignore[reportUnknownMemberType]


def _flushed(status: int | str | None) -> int | str | None:
    """`status`, or 1 when all was well but that the output could not be written to its end."""
    try:
        sys.stdout.flush()
    except OSError as error:
        # A console whose terminal is gone has said so by its status already.
        if not isinstance(error, BrokenPipeError) and not status:
            _report(error)
            status = 1
        _drop_output()
    return status


def _drop_output() -> None:
    """What is still in the buffer would be tried again, at the latest when Python ends, with another complaint."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _report(error: OSError) -> None:
    from monitor.cli.options import say

    say(
        f"the output could not be written: {error.strerror or error}"
        if error.filename is None
        else str(error)
    )

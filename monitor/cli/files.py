"""`evtop FILE` and `… | evtop -`: the console over lines of JSON, without a store of anyone's."""

from __future__ import annotations

import gzip
import os
import stat
import zlib
from codecs import getincrementaldecoder
from contextlib import ExitStack
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click import UsageError
from typer.core import TyperGroup

from monitor.cli.mapping import read_mapping
from monitor.cli.options import fail

if TYPE_CHECKING:
    from monitor.backend import Backend
    from monitor.file_backend import Source
    from monitor.fit.choices import Options
    from monitor.model.start import Start
    from monitor.settings import Settings

STDIN = "-"
_LOOKED_AT = 4096
"""Bytes at the beginning of a file by which text is told."""
_GZIP_MAGIC = b"\x1f\x8b"


class FilesOrCommand(TyperGroup):
    """The commands; what comes in the place of one and looks like a file begins a list of files.

    The files are left in the `obj` of the context. A file that is called like a command is written `./stats`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Tell files from a command; between files, options may stand anywhere."""
        if not self._begins_with_file(ctx, args):
            return super().parse_args(ctx, args)
        ctx.allow_interspersed_args = True
        super().parse_args(ctx, args)
        ctx.obj = (*ctx._protected_args, *ctx.args)
        ctx._protected_args = ctx.args = []
        return []

    def _begins_with_file(self, ctx: Any, args: list[str]) -> bool:
        try:
            _, words, _ = self.make_parser(ctx).parse_args(list(args))
        except UsageError:
            # Whatever is wrong with the options is said where they are read.
            return False
        if not words or words[0] in self.list_commands(ctx):
            return False
        word = words[0]
        return word == STDIN or "/" in word or "." in word or Path(word).exists()


def open_files(
    names: tuple[str, ...], mapping_file: Path | None, settings: Settings, *, options: Options, start: Start
) -> int:
    """Run the console over files; returns the exit status. What cannot be opened ends the program with one line."""
    mapping = None if mapping_file is None else read_mapping(mapping_file)
    from monitor.cli.console import open_console
    from monitor.file_backend import FileBackend, FileClock
    from monitor.private_store import PrivateStore, PrivateStoreError
    from store.credentials import secret

    with ExitStack() as opened:
        # Never closed: a thread may be waiting for a pipe when the program ends.
        sources = [_opened(name) for name in names]
        if STDIN in names:
            _take_keys_from_terminal()
        try:
            store = opened.enter_context(PrivateStore())
        except PrivateStoreError as error:
            fail(str(error))
        settings = replace(
            settings,
            store_url=secret(store.url),
            bus_url=secret("none"),
            name=_shown_name(names),
            warnings=(),
        )
        clock = FileClock()

        async def connect() -> Backend:
            from store.events import EventStore

            return FileBackend(await EventStore.open(store.url), sources, mapping, clock)

        where = [
            *(("reads" if not number else "", name) for number, name in enumerate(names)),
            ("into", f"{store.folder} (until the console ends)"),
            ("process", str(os.getpid())),
        ]
        words = names if mapping_file is None else (*names, "--map", str(mapping_file))
        return open_console(
            settings,
            connect,
            options,
            start,
            now=clock,
            where=where,
            sources=words,
        )


def _shown_name(names: tuple[str, ...]) -> str:
    first = "stdin" if names[0] == STDIN else Path(names[0]).name
    return f"{first} +{len(names) - 1}" if len(names) > 1 else first


def _opened(name: str) -> Source:
    from monitor.file_backend import Source

    try:
        if name == STDIN:
            if os.isatty(0):
                fail("- reads what is piped in, and nothing is: COMMAND | evtop -")
            # A number of its own, as the terminal takes the place of this one.
            return Source("stdin", FileIO(os.dup(0)))
        stream = FileIO(name)
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            return Source(name, stream)
        _refuse_other_than_text(name, stream)
    except (OSError, ValueError) as error:
        fail(f"{name}: {(error.strerror if isinstance(error, OSError) else None) or error}")
    return Source(name, stream, status.st_size)


def _refuse_other_than_text(name: str, stream: FileIO) -> None:
    start = stream.read(_LOOKED_AT)
    stream.seek(0)
    if start.startswith(_GZIP_MAGIC):
        try:
            start = gzip.GzipFile(fileobj=stream, mode="rb").read(_LOOKED_AT)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            fail(f"{name}: not what gzip wrote")
        stream.seek(0)
    if b"\x00" in start:
        fail(f"{name}: not text: it has NUL bytes")
    try:
        getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        fail(f"{name}: not text in UTF-8")


def _take_keys_from_terminal() -> None:
    """Let the terminal of the screen take the place of stdin, for keys; whoever reads keys finds it where it was."""
    try:
        # By its own name, as not every system lets programs wait for /dev/tty.
        terminal = os.open(_terminal_name(), os.O_RDWR | os.O_NOCTTY)
    except OSError as error:
        fail(f"there is no terminal for the keys: {error.strerror}")
    os.dup2(terminal, 0)
    os.close(terminal)


def _terminal_name() -> str:
    try:
        return os.ttyname(1)
    except OSError:
        return "/dev/tty"

"""Lines of a file or a pipe, read on a thread of their own with bounded memory, whatever the bytes are."""

from __future__ import annotations

import asyncio
import gzip
import io
import threading
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import NamedTuple, Protocol

LINE_MAX = 1024 * 1024
"""Bytes of a line that are held; of a longer one only the start is."""
BATCH_LINES = 1000
BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of lines that wait to be taken; the reading thread waits beyond it."""
LINGER_SECONDS = 0.2
"""How long a batch waits for more lines, so that those of a slow pipe are not held back."""
_KEPT_OF_LONG_LINES = 200
_BUFFER = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
"""What JSON allows around a value (RFC 8259, section 2)."""


class SourceError(Exception):
    """The file cannot be read on. The message is one line that says why."""


class ByteStream(Protocol):
    """A file, a pipe, a socket's file: whatever bytes are read from."""

    def read(self, size: int = -1, /) -> bytes | None:
        """Up to `size` bytes; none at the end. None where nothing has come of a stream that does not wait."""
        ...


class Line(NamedTuple):
    """One line, counted from 1, without white space around it and without a byte order mark.

    `size` is what it had in bytes; of a line over `LINE_MAX`, `content` is only the start.
    """

    number: int
    content: bytes
    size: int

    @property
    def is_too_long(self) -> bool:
        """Whether `content` is not all of it."""
        return self.size > LINE_MAX


def read_lines(stream: ByteStream) -> Iterator[Line]:
    """The lines of `stream`, which may be compressed by gzip. Only LF ends a line.

    Raises:
        SourceError: it cannot be read, or is not what gzip wrote.
    """
    buffered = io.BufferedReader(_Raw(stream), _BUFFER)
    try:
        compressed = buffered.peek(2)[:2] == _GZIP_MAGIC
        yield from _lines(gzip.GzipFile(fileobj=buffered, mode="rb") if compressed else buffered)
    except EOFError:
        raise SourceError("it ends within compressed data") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"not what gzip wrote: {error}") from None
    except OSError as error:
        raise SourceError(error.strerror or str(error) or type(error).__name__) from None


def _lines(stream: io.BufferedIOBase) -> Iterator[Line]:
    number = 0
    while line := stream.readline(LINE_MAX + 1):
        number += 1
        size = len(line)
        if size > LINE_MAX:
            line, size = line[:_KEPT_OF_LONG_LINES], size + _skip_line(stream, line)
        yield Line(number, line.removeprefix(_UTF8_MARK).strip(_BLANKS), size)


def _skip_line(stream: io.BufferedIOBase, start: bytes) -> int:
    """Read on to the end of the line that begins with `start`. Returns how many bytes that was."""
    skipped, chunk = 0, start
    while chunk and not chunk.endswith(b"\n"):
        chunk = stream.readline(_BUFFER)
        skipped += len(chunk)
    return skipped


class _Raw(io.RawIOBase):
    """Any stream of bytes as one that `io.BufferedReader` takes."""

    def __init__(self, stream: ByteStream) -> None:
        # One that hands on what a pipe has, where there is one: `read` would wait for more.
        self._read: Callable[[int], bytes | None] = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        content = self._read(len(buffer))
        if content is None:
            raise BlockingIOError("a stream that does not wait")
        buffer[: len(content)] = content
        return len(content)


class LineBatches:
    """The lines of a stream in batches, for one event loop.

    The thread that reads is a daemon: a pipe that says nothing holds up neither the loop nor the end of the process.
    """

    def __init__(self, stream: ByteStream, batch_lines: int = BATCH_LINES) -> None:
        self._stream = stream
        self._batch_lines = batch_lines
        self._waiting: list[Line] = []
        self._bytes = 0
        self._ended = False
        self._stopped = False
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        self._news = asyncio.Event()

    async def __aiter__(self) -> AsyncGenerator[list[Line]]:
        """The batches, in order, none of them empty.

        Raises:
            SourceError: the stream cannot be read on; the lines before came first.
        """
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="evtop-import", daemon=True).start()
        try:
            while batch := await self._next():
                yield batch
            if self._failure is not None:
                raise self._failure
        finally:
            with self._changed:
                self._stopped = True
                self._changed.notify()

    async def _next(self) -> list[Line]:
        await self._until_news()
        if not self._is_full():
            try:
                async with asyncio.timeout(LINGER_SECONDS):
                    while not self._is_full():
                        self._news.clear()
                        if not self._is_full():
                            await self._news.wait()
            except TimeoutError:
                pass
        with self._changed:
            batch, self._waiting, self._bytes = self._waiting, [], 0
            self._changed.notify()
        return batch

    async def _until_news(self) -> None:
        while not (self._waiting or self._ended):
            self._news.clear()
            if not (self._waiting or self._ended):
                await self._news.wait()

    def _is_full(self) -> bool:
        return self._ended or len(self._waiting) >= self._batch_lines or self._bytes >= BATCH_BYTES

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for line in read_lines(self._stream):
                if not self._hand_over(line, loop):
                    return
        except Exception as error:
            self._failure = error
        self._ended = True
        self._tell(loop)

    def _hand_over(self, line: Line, loop: asyncio.AbstractEventLoop) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._is_full())
            self._waiting.append(line)
            self._bytes += len(line.content)
            first = len(self._waiting) == 1
            full, stopped = self._is_full(), self._stopped
        if first or full:
            self._tell(loop)
        return not stopped

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            # The loop has ended, and no one waits.
            self._stopped = True

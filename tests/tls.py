"""Certificates, good and bad, and an endpoint that speaks TLS in front of a server that does not."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import trustme

from tests.database_server import HOST

_CHUNK_BYTES = 64 * 1024
_CALL_TIMEOUT = 10.0
_SSL_REQUEST = bytes.fromhex("00000008 04d2162f")
"""How a client of PostgreSQL's asks for TLS (postgresql.org/docs/current/protocol-message-formats.html)."""


class Certificates:
    """Of an authority, and of servers that it vouches for or should not be trusted, as PEM files in `folder`.

    `KINDS` says what is wrong with each.
    """

    KINDS = ("good", "for another host", "expired", "not yet valid", "of another authority", "self-signed")

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        """Whom to trust."""
        authority.cert_pem.write_to_path(str(self.authority))
        now = datetime.now(UTC)
        day = timedelta(days=1)
        issued = {
            "good": authority.issue_cert(HOST, not_before=now - day, not_after=now + day),
            "for another host": authority.issue_cert("other.example", not_after=now + day),
            "expired": authority.issue_cert(HOST, not_before=now - 2 * day, not_after=now - day),
            "not yet valid": authority.issue_cert(HOST, not_before=now + day, not_after=now + 2 * day),
            "of another authority": trustme.CA().issue_cert(HOST, not_after=now + day),
        }
        self._files: dict[str, Path] = {}
        for number, (kind, certificate) in enumerate(issued.items()):
            self._files[kind] = file = folder / f"server-{number}.pem"
            certificate.private_key_and_cert_chain_pem.write_to_path(str(file))
        alone = trustme.CA()
        self._files["self-signed"] = file = folder / "self-signed.pem"
        file.write_bytes(alone.private_key_pem.bytes() + alone.cert_pem.bytes())

    def server(self, kind: str) -> Path:
        """Key and certificate of a server, in one file."""
        return self._files[kind]


class TlsEndpoint:
    """Listens on `127.0.0.1:port`, speaks TLS, and hands on what it hears to the server that `connect` reaches.

    With `asked`, the client of a PostgreSQL asks for TLS first. Its loop runs in a thread of its own.
    """

    def __init__(
        self,
        certificate: Path,
        connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]],
        *,
        asked: bool = False,
    ) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._connect = connect
        self._asked = asked
        self.port = 0
        self.sessions = 0
        """How many handshakes have succeeded."""
        self._links: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        # What a client thinks of the certificate is no news here.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-endpoint", daemon=True)

    @classmethod
    def before_socket(cls, certificate: Path, path: Path) -> Self:
        """In front of a server on a unix socket."""
        return cls(certificate, lambda: asyncio.open_unix_connection(path))

    @classmethod
    def before_port(cls, certificate: Path, port: int, *, asked: bool = False) -> Self:
        """In front of a server on a port of this machine."""
        return cls(certificate, lambda: asyncio.open_connection(HOST, port), asked=asked)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(_CALL_TIMEOUT)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_CALL_TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_TIMEOUT)
        self._loop.close()

    async def _listen(self) -> None:
        context = None if self._asked else self._context
        self._server = await asyncio.start_server(self._serve, HOST, 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        writers = [writer]
        try:
            if self._asked:
                assert await reader.readexactly(len(_SSL_REQUEST)) == _SSL_REQUEST
                writer.write(b"S")
                await writer.start_tls(self._context)
            self.sessions += 1
            back, forth = await self._connect()
            writers.append(forth)
            done, rest = await asyncio.wait(
                [asyncio.ensure_future(_copy(reader, forth)), asyncio.ensure_future(_copy(back, writer))],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in (*done, *rest):
                task.cancel()
            await asyncio.gather(*done, *rest, return_exceptions=True)
        except (OSError, EOFError):
            pass
        finally:
            self._links.discard(link)
            for end in writers:
                end.close()
            for end in writers:
                with suppress(OSError):
                    await end.wait_closed()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while chunk := await source.read(_CHUNK_BYTES):
        sink.write(chunk)
        await sink.drain()

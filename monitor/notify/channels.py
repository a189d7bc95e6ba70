"""Ways to tell people elsewhere: a command, a webhook. Each sends one notification, or says why it cannot."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from http.client import HTTPException
from socket import gethostname
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import SecretStr

from monitor.notify.threads import in_daemon_thread
from monitor.notify.wording import Wording
from monitor.text import clean

COMMAND_WITHIN = 30.0
WEBHOOK_WITHIN = 10.0
"""Seconds after which a command is ended, and a server given up."""
_SAID_MAX = 200


class NotifyError(Exception):
    """It could not be told. One line, without credentials; `again` says whether another try may help."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(clean(reason))
        self.again = again


class Channel(Protocol):
    """One way to tell people."""

    @property
    def name(self) -> str:
        """What the status and the help call it; it holds no credentials."""
        ...

    def identity(self) -> str:
        """The same for all programs, on whatever machine, that tell the same people by it: see `identity_of`."""
        ...

    async def send(self, wording: Wording) -> None:
        """Tell it.

        Raises:
            NotifyError: it could not be told.
        """
        ...


def identity_of(*words: str) -> str:
    """Twelve hexadecimal digits that stand for `words`, which may be secret: nobody can find them out by trying.

    Nobody who reads them in the store, that is: working one out takes as long as scrypt does
    (https://www.rfc-editor.org/rfc/rfc7914), and so few digits are those of many words.
    """
    text = "\0".join(words).encode(errors="replace")
    return hashlib.scrypt(text, salt=b"evtop channel", n=2**14, r=8, p=1, dklen=6).hex()


class Command:
    """Starts a program: no shell, `words` and then the title as its arguments, the JSON on its standard input."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = tuple(words)
        self.name = f"command {clean(self._words[0])}"

    def identity(self) -> str:
        """Of the same words, on this machine, for this user: a program does here what it does."""
        return identity_of("command", gethostname(), str(os.getuid()), *self._words)

    async def send(self, wording: Wording) -> None:
        """Run the program and wait for its end."""
        try:
            process = await asyncio.create_subprocess_exec(
                *self._words,
                wording.title,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                # The keys of the console are not for it.
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise NotifyError(f"{self.name}: {reason or type(error).__name__}", again=False) from None
        try:
            async with asyncio.timeout(COMMAND_WITHIN):
                _, said = await asyncio.gather(_give(process.stdin, wording.json), _end_of(process.stderr))
                await process.wait()
        except TimeoutError:
            raise NotifyError(f"{self.name}: not done within {COMMAND_WITHIN:g} s", again=False) from None
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode:
            line = said.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
            raise NotifyError(f"{self.name}: status {process.returncode}: {line[0][:_SAID_MAX]}", again=True)


async def _give(pipe: asyncio.StreamWriter | None, what: bytes) -> None:
    if pipe is not None:
        # A program need not read what it is given.
        with suppress(BrokenPipeError, ConnectionResetError):
            pipe.write(what)
            await pipe.drain()
        pipe.close()


async def _end_of(pipe: asyncio.StreamReader | None) -> bytes:
    """The last of what a program says, however much that is."""
    said = b""
    while pipe is not None and (more := await pipe.read(_SAID_MAX * 16)):
        said = (said + more)[-_SAID_MAX * 16 :]
    return said


class Webhook:
    """Posts the JSON to a URL, signed where there is a key.

    The signature is in `X-Evtop-Signature: t=SECONDS,v1=HEX`, HMAC-SHA256 over `SECONDS.BODY`, so that an old request
    cannot be sent anew. `X-Evtop-Id` is the same for what is told twice.
    """

    def __init__(
        self, url: SecretStr, key: SecretStr | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._url = url
        self._key = key
        self._now = now
        self.name = f"webhook {clean(urlsplit(url.get_secret_value()).hostname or '')}"

    def identity(self) -> str:
        """Of the same URL."""
        return identity_of("webhook", self._url.get_secret_value())

    async def send(self, wording: Wording) -> None:
        """Post it, in a thread of its own."""
        headers = {"Content-Type": "application/json", "User-Agent": "evtop"}
        headers["X-Evtop-Id"] = str(wording.identifier)
        if self._key is not None:
            moment = int(self._now())
            headers["X-Evtop-Signature"] = f"t={moment},v1={signature(self._key, moment, wording.json)}"
        try:
            await in_daemon_thread(
                partial(_post, _request(self._url, wording.json, headers), WEBHOOK_WITHIN), WEBHOOK_WITHIN
            )
        except HTTPError as error:
            error.close()
            # 429 and what is wrong on the other side may be over soon; what it does not like will not be.
            again = error.code >= 500 or error.code in {408, 429}
            raise NotifyError(f"{self.name}: answered {error.code}", again=again) from None
        except (URLError, HTTPException, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise NotifyError(f"{self.name}: {_line_of(reason)}", again=True) from None


def signature(key: SecretStr, moment: int, body: bytes) -> str:
    """HMAC-SHA256 over `moment`, in seconds since 1970, a dot and `body`, in hexadecimal."""
    return hmac.new(key.get_secret_value().encode(), b"%d." % moment + body, hashlib.sha256).hexdigest()


def _request(url: SecretStr, body: bytes, headers: dict[str, str]) -> Request:
    """A user and a password of the URL go where HTTP wants them (RFC 7617)."""
    parts = urlsplit(url.get_secret_value())
    credentials, _, place = parts.netloc.rpartition("@")
    if credentials:
        headers["Authorization"] = "Basic " + b64encode(unquote(credentials).encode()).decode()
    return Request(parts._replace(netloc=place).geturl(), body, headers, method="POST")  # noqa: S310


class _NoRedirect(HTTPRedirectHandler):
    """A redirection is an answer that is not 2xx: what was signed for one server is not for another."""

    def redirect_request(self, *_args: Any, **_options: Any) -> None:
        return None


def _post(request: Request, within: float) -> None:
    with build_opener(_NoRedirect).open(request, timeout=within) as answer:
        answer.read(1)


def _line_of(reason: object) -> str:
    if isinstance(reason, str):
        return reason
    return (reason.strerror if isinstance(reason, OSError) else None) or type(reason).__name__

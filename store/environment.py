"""What the environment says of the store, the bus and the key that signs messages: for consoles and for producers.

Passwords and the key may lie in files, so that neither a URL nor the environment has to hold them.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from store.bus_url import BUS_SETTING, EMBEDDED, NO_BUS
from store.credentials import secret
from store.errors import STORE_SETTING, one_line
from store.signing import KEY_MIN_BYTES

if TYPE_CHECKING:
    from pydantic import SecretStr

STORE_PASSWORD_FILE = "EVTOP_STORE_PASSWORD_FILE"  # noqa: S105 - the name of a variable
BUS_PASSWORD_FILE = "EVTOP_BUS_PASSWORD_FILE"  # noqa: S105
SIGNING_KEY = "EVTOP_SIGNING_KEY"
SIGNING_KEY_FILE = "EVTOP_SIGNING_KEY_FILE"
_LINE_MAX_BYTES = 4096
_BUS_SCHEMES = ("redis://", "rediss://", "unix://")

_log = logging.getLogger(__name__)


class SettingError(ValueError):
    """A variable that cannot be used. The message is one line that names it, and quotes nothing secret."""


def _log_warning(message: str) -> None:
    _log.warning("%s", message)


class Environment:
    """The variables that say where store and bus are, by default those of this process. Printing it shows none.

    `warn` is told of a file with a secret that others may read, in one line.

    >>> environment = Environment()
    >>> recorder = Recorder(environment.store_url(), environment.bus_url())
    """

    def __init__(
        self, variables: Mapping[str, str] = os.environ, warn: Callable[[str], None] = _log_warning
    ) -> None:
        self._variables = variables
        self._warn = warn

    def __repr__(self) -> str:
        return "Environment()"

    def store_url(self, default: str | None = None) -> SecretStr:
        """The URL in `EVTOP_STORE`, else `default`, with the password in `EVTOP_STORE_PASSWORD_FILE`, if that is set.

        Raises:
            SettingError: there is no URL, it has a password already or takes none, or the file cannot be used.
        """
        url = secret(self._variables.get(STORE_SETTING) or default or "")
        if not url.get_secret_value():
            raise SettingError(f"{STORE_SETTING} is not set")
        if not self._is_set(STORE_PASSWORD_FILE):
            return url
        if url.get_secret_value().startswith("sqlite"):
            raise SettingError(f"{STORE_PASSWORD_FILE}: an SQLite store has no password")
        return self._with_password(url, STORE_SETTING, STORE_PASSWORD_FILE)

    def bus_url(self) -> SecretStr:
        """The URL in `EVTOP_BUS`, else `embedded`, with the password in `EVTOP_BUS_PASSWORD_FILE`, if that is set.

        Raises:
            SettingError: it is no kind of bus, has a password already or takes none, or the file cannot be used.
        """
        url = secret(self._variables.get(BUS_SETTING) or EMBEDDED)
        has_server = url.get_secret_value().startswith(_BUS_SCHEMES)
        if not has_server and url.get_secret_value() not in {EMBEDDED, NO_BUS}:
            raise SettingError(
                f"{BUS_SETTING}: not a bus; use redis://, rediss://, unix://, {EMBEDDED} or {NO_BUS}"
            )
        if not self._is_set(BUS_PASSWORD_FILE):
            return url
        if not has_server:
            raise SettingError(f"{BUS_PASSWORD_FILE}: the bus {url.get_secret_value()!r} has no password")
        return self._with_password(url, BUS_SETTING, BUS_PASSWORD_FILE)

    def signing_key(self) -> SecretStr | None:
        """The key in `EVTOP_SIGNING_KEY`, or on the first line of the file in `EVTOP_SIGNING_KEY_FILE`, else None.

        Raises:
            SettingError: both are set, the file cannot be used, or the key has fewer than 16 bytes.
        """
        if self._is_set(SIGNING_KEY) and self._is_set(SIGNING_KEY_FILE):
            raise SettingError(f"{SIGNING_KEY} and {SIGNING_KEY_FILE} are both set; use one of them")
        if self._is_set(SIGNING_KEY_FILE):
            name, key = SIGNING_KEY_FILE, self._first_line(SIGNING_KEY_FILE)
        elif self._is_set(SIGNING_KEY):
            name, key = SIGNING_KEY, secret(self._variables[SIGNING_KEY])
        else:
            return None
        if len(key.get_secret_value().encode(errors="surrogateescape")) < KEY_MIN_BYTES:
            raise SettingError(f"{name}: the key must have {KEY_MIN_BYTES} bytes at least")
        return key

    def _is_set(self, variable: str) -> bool:
        return bool(self._variables.get(variable))

    def _with_password(self, url: SecretStr, setting: str, variable: str) -> SecretStr:
        if has_password(url):
            raise SettingError(f"{variable}: {setting} has a password already; take it out of the URL")
        return _inserted(url, self._first_line(variable))

    def _first_line(self, variable: str) -> SecretStr:
        """What stands on the first line of the file that `variable` names.

        Raises:
            SettingError: nothing does, or the file cannot be read.
        """
        path = self._variables[variable]
        place = f"{variable}: {one_line(path)}"
        try:
            with open(path, "rb") as file:  # noqa: PTH123 - for `Path`, a NUL is an error of its own kind
                status = os.fstat(file.fileno())
                line = secret(file.readline(_LINE_MAX_BYTES + 1).decode().rstrip("\r\n"))
        except OSError as error:
            raise SettingError(f"{place}: {error.strerror or type(error).__name__}") from None
        except UnicodeError:
            raise SettingError(f"{place}: not UTF-8 text") from None
        except ValueError:
            raise SettingError(f"{place}: not a path") from None
        if not line.get_secret_value():
            raise SettingError(f"{place}: the first line is empty")
        if len(line.get_secret_value()) > _LINE_MAX_BYTES:
            raise SettingError(f"{place}: the first line is longer than {_LINE_MAX_BYTES} bytes")
        if others_may_read(status):
            self._warn(f"{place}: others may read it; chmod 600")
        return line


def has_password(url: SecretStr) -> bool:
    """Whether there is a password in a URL."""
    _scheme, _, rest = url.get_secret_value().partition("://")
    account, _, _place = _authority(rest).rpartition("@")
    return ":" in account or "password" in parse_qs(rest.partition("?")[2], keep_blank_values=True)


def _inserted(url: SecretStr, password: SecretStr) -> SecretStr:
    scheme, _, rest = url.get_secret_value().partition("://")
    authority = _authority(rest)
    user, _, place = authority.rpartition("@")
    quoted = quote(password.get_secret_value(), safe="")
    return secret(f"{scheme}://{user}:{quoted}@{place}{rest[len(authority) :]}")


def _authority(rest: str) -> str:
    """User and place, of what comes after the `://` of a URL."""
    ends = [rest.find(mark) for mark in "/?#" if mark in rest]
    return rest[: min(ends, default=len(rest))]


def others_may_read(status: os.stat_result) -> bool:
    """Whether the mode is looser than 0600, or than 0640 for what is root's. Of a pipe, it says nothing.

    The rule of PostgreSQL for private keys: postgresql.org/docs/current/libpq-ssl.html.
    """
    allowed = 0o640 if status.st_uid == 0 else 0o600
    return stat.S_ISREG(status.st_mode) and bool(stat.S_IMODE(status.st_mode) & 0o077 & ~allowed)

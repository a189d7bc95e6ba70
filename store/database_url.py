"""URLs of databases: which kind they name, and what of them may be shown."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from store.credentials import secret
from store.engines import DatabaseKind, UnusableUrlError
from store.engines.mariadb import Mariadb
from store.engines.postgresql import Postgresql
from store.engines.sqlite import Sqlite
from store.errors import STORE_SETTING, StoreUnavailableError, one_line

_KINDS: dict[str, DatabaseKind] = {
    "sqlite": Sqlite(),
    "postgresql": Postgresql(),
    "postgres": Postgresql(),
    "mysql": Mariadb(),
    "mariadb": Mariadb(),
}


class StoreAddress(NamedTuple):
    """Where a store is. Printing it shows no secret, unlike the URL alone, whose query may hold one."""

    url: URL
    kind: DatabaseKind

    def __repr__(self) -> str:
        return f"StoreAddress({self.url.drivername})"


def parsed(url: str | SecretStr) -> StoreAddress:
    """`url` and the kind of database that it names. A password in the query string comes out as one of the user's.

    Raises:
        StoreUnavailableError: it is no URL, or names a database that evtop does not know.
    """
    url = secret(url)
    found = _read(url)
    if isinstance(found, str):
        raise StoreUnavailableError(f"{STORE_SETTING}{found}")
    return found


def _read(url: SecretStr) -> StoreAddress | str:
    """The address at `url`, or what is wrong with it.

    Returns that rather than raising it: a traceback would show this frame, and the password in it.
    """
    text = url.get_secret_value()
    try:
        address = make_url(text)
    except (ArgumentError, ValueError):
        return f": not a database URL; write it like {Sqlite.example}"
    if _splits_password(address, text):
        return f" {described(url)}: write an @ in the user name or password as %40"
    kind = _KINDS.get(address.drivername.partition("+")[0])
    if kind is None:
        examples = ", ".join(dict.fromkeys(kind.example for kind in _KINDS.values()))
        return f" {described(url)}: use one of {examples}"
    password = address.query.get("password")
    if password is not None and address.get_backend_name() != "sqlite":
        # The drivers let the one in the query win.
        password = password if isinstance(password, str) else password[-1]
        address = address.difference_update_query(["password"]).set(password=password)
    return StoreAddress(address, kind)


def described(url: str | SecretStr) -> str:
    """`url` for people: without password and query string."""
    text = secret(url).get_secret_value()
    try:
        address = make_url(text)
    except (ArgumentError, ValueError):
        return "(not a URL)"
    if _splits_password(address, text):
        # What follows the first @ may belong to the password.
        return f"{address.drivername}://***"
    return one_line(unquote(address.set(query={}).render_as_string(hide_password=True)))


def _splits_password(url: URL, text: str) -> bool:
    """Whether another @ follows the one after the password: where the password ends is anyone's guess then."""
    if url.password is None:
        return False
    _scheme, _user, rest = text.split(":", 2)
    before, at, _after = rest.partition("@")[2].partition("@")
    return bool(at) and ("=" not in before or "@" in f"{url.host}{url.database}")


def unusable(url: str | SecretStr, kind: DatabaseKind, error: Exception) -> StoreUnavailableError:
    """Why no engine can be made for `url`, in one line."""
    reason = (
        str(error)
        if isinstance(error, UnusableUrlError)
        else f"not a database URL; write it like {kind.example}"
    )
    return StoreUnavailableError(f"{STORE_SETTING} {described(url)}: {reason}")

"""URLs of databases: which kind they name, and what of them may be shown."""

from __future__ import annotations

from urllib.parse import unquote

from sqlalchemy import make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

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


def parsed(url: str) -> tuple[URL, DatabaseKind]:
    """`url` and the kind of database that it names.

    Raises:
        StoreUnavailableError: it is no URL, or names a database that evtop does not know.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreUnavailableError(
            f"{STORE_SETTING}: not a database URL; write it like {Sqlite.example}"
        ) from None
    if _splits_password(parsed, url):
        raise StoreUnavailableError(
            f"{STORE_SETTING} {described(url)}: write an @ in the user name or password as %40"
        )
    kind = _KINDS.get(parsed.drivername.partition("+")[0])
    if kind is None:
        examples = ", ".join(dict.fromkeys(kind.example for kind in _KINDS.values()))
        raise StoreUnavailableError(f"{STORE_SETTING} {described(url)}: use one of {examples}")
    return parsed, kind


def described(url: str) -> str:
    """`url` for people: without password and query string."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return "(not a URL)"
    if _splits_password(parsed, url):
        # What follows the first @ may belong to the password.
        return f"{parsed.drivername}://***"
    return one_line(unquote(parsed.set(query={}).render_as_string(hide_password=True)))


def _splits_password(url: URL, text: str) -> bool:
    """Whether another @ follows the one after the password: where the password ends is anyone's guess then."""
    if url.password is None:
        return False
    _scheme, _user, rest = text.split(":", 2)
    before, at, _after = rest.partition("@")[2].partition("@")
    return bool(at) and ("=" not in before or "@" in f"{url.host}{url.database}")


def unusable(url: str, kind: DatabaseKind, error: Exception) -> StoreUnavailableError:
    """Why no engine can be made for `url`, in one line."""
    reason = (
        str(error)
        if isinstance(error, UnusableUrlError)
        else f"not a database URL; write it like {kind.example}"
    )
    return StoreUnavailableError(f"{STORE_SETTING} {described(url)}: {reason}")

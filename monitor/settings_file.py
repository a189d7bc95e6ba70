"""Settings from a file: TOML, each under the name of its variable without `EVTOP_`, in lower case.

    store = "postgresql://evtop_viewer@db.internal/evtop"
    store_password_file = "/etc/evtop/store-password"
    taxonomy = ["/etc/evtop/events.toml"]

What the environment sets, wins. A key that signs messages is not taken from here: it has a file of its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from monitor.errors import StartError
from monitor.settings import (
    CONFIG_VARIABLE,
    FACTS_VARIABLE,
    PERSONAL_VARIABLE,
    PREFIX,
    SECRET_VARIABLES,
    TAXONOMY_VARIABLE,
    TITLE_VARIABLE,
    VARIABLES,
)
from store.bus_url import BUS_SETTING
from store.credentials import secret
from store.environment import (
    BUS_PASSWORD_FILE,
    SIGNING_KEY,
    SIGNING_KEY_FILE,
    STORE_PASSWORD_FILE,
    has_password,
    others_may_read,
)
from store.errors import STORE_SETTING, one_line
from store.paths import config_dir

FILE_NAME = "config.toml"
KEYS = {
    name.removeprefix(PREFIX).lower(): name for name in (*VARIABLES, *SECRET_VARIABLES) if name != SIGNING_KEY
}
"""What may stand in the file, and the variable that it stands for."""
_SEPARATORS = {
    TAXONOMY_VARIABLE: os.pathsep,
    PERSONAL_VARIABLE: ",",
    TITLE_VARIABLE: ",",
    FACTS_VARIABLE: ",",
}
"""What may be a list in the file, and what its parts are joined by in the variable."""
_OF_ONE_PLACE = {
    STORE_PASSWORD_FILE: STORE_SETTING,
    BUS_PASSWORD_FILE: BUS_SETTING,
    SIGNING_KEY_FILE: SIGNING_KEY,
}
"""A password is that of the URL beside it: not of another one that the environment gives."""


def settings_file(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Where the file is, or would be: `EVTOP_CONFIG`, else `config.toml` in `$XDG_CONFIG_HOME/evtop`.

    None when there is no home folder to look in.
    """
    named = environment.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    try:
        return config_dir() / FILE_NAME
    except RuntimeError:
        return None


def file_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What holds of the file, by variable, as the environment would say it: what that leaves open.

    Raises:
        StartError: it cannot be read, or says something that is no setting; the message names the file.
    """
    path = settings_file(environment)
    if path is None:
        return {}
    place = one_line(str(path))
    # Most have none.
    import tomllib

    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        if environment.get(CONFIG_VARIABLE):
            raise StartError(f"{CONFIG_VARIABLE}: {place}: No such file or directory") from None
        return {}
    except OSError as error:
        raise StartError(f"{place}: {error.strerror or type(error).__name__}") from None
    except ValueError as error:
        raise StartError(f"{place}: {one_line(str(error))}") from None
    said = {_variable(place, key): _text(place, key, value) for key, value in document.items()}
    return {
        name: text
        for name, text in said.items()
        if not environment.get(name) and not environment.get(_OF_ONE_PLACE.get(name, ""))
    }


def fill_in(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables of `environment` that are not set, or empty, to what holds of the file.

    Raises:
        StartError: as `file_settings` does.
    """
    environment.update(file_settings(environment))


def exposed_password(environment: Mapping[str, str] = os.environ) -> str | None:
    """A line about the file when a password stands in it and others may read it; it can be read and used."""
    path = settings_file(environment)
    urls = [text for name, text in file_settings(environment).items() if name in {STORE_SETTING, BUS_SETTING}]
    if path is None or not any(has_password(secret(url)) for url in urls):
        return None
    is_exposed = others_may_read(path.stat())
    return (
        f"{one_line(str(path))}: there is a password in it, and others may read it; chmod 600"
        if is_exposed
        else None
    )


def _variable(place: str, key: str) -> str:
    if key in KEYS:
        return KEYS[key]
    if key == SIGNING_KEY.removeprefix(PREFIX).lower():
        raise StartError(
            f"{place}: signing_key: put it into a file of its own and name that as signing_key_file"
        )
    from store.taxonomy import nearest

    meant = nearest(key, tuple(KEYS)) if len(key) <= 64 else None
    raise StartError(f"{place}: no setting {key!r}" + (f"; did you mean {meant}?" if meant else ""))


def _text(place: str, key: str, value: Any) -> str:
    match value:
        case bool():
            return "1" if value else "0"
        case str() | int() | float():
            return str(value)
        case list() if KEYS[key] in _SEPARATORS and all(isinstance(part, str) for part in value):  # pyright: ignore[reportUnknownVariableType]
            return _SEPARATORS[KEYS[key]].join(value)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            raise StartError(f"{place}: {key}: text or a number is expected")

"""Stores that evtop must refuse, each with what it must say."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing

from store.event import Event
from tests.console.commands import stored
from tests.pty_console import PrivateHome

HOSTILE = "a\x1b]52;c;ZXZ0b3A=\x07b\x9b31mc\u202ed\r\ne[/b]"
"""Escape sequences, a C1 control, a bidi override, a line break and markup."""


def newer_store(home: PrivateHome) -> str:
    """A store that a later evtop has migrated."""
    stored(home, Event(event_type="a.b"))
    with closing(sqlite3.connect(home.store_url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE evtop_schema_version SET version_num = '9999'")
        connection.commit()
    return home.store_url


def read_only_store(home: PrivateHome) -> str:
    """A file without tables that must not be written."""
    (home.directory / "empty.db").touch()
    return f"sqlite:///file:{home.directory}/empty.db?mode=ro&uri=true"


def path_below_a_file(home: PrivateHome) -> str:
    (home.directory / "file").touch()
    return f"sqlite:///{home.directory}/file/below/events.db"


def no_database(home: PrivateHome) -> str:
    path = home.directory / "text.db"
    path.write_text("this is no database, whatever its name says" * 100)
    return f"sqlite:///{path}"


UNUSABLE_STORES: dict[str, tuple[Callable[[PrivateHome], str], str]] = {
    "a newer schema": (newer_store, "its schema is version 9999"),
    "read-only": (read_only_store, "readonly database"),
    "a folder": (lambda home: f"sqlite:///{home.directory}", "unable to open database file"),
    "below a file": (path_below_a_file, "Not a directory"),
    "no database": (no_database, "file is not a database"),
    "garbage": (lambda _: "garbage", "not a database URL"),
    "hostile garbage": (lambda _: HOSTILE, "not a database URL"),
    "an unknown kind": (lambda _: "nosuch://u:hunter2@h/db", "use one of sqlite:///"),
    "another kind": (
        lambda _: "postgresql://u:hunter2@127.0.0.1:9/db?password=hunter2",
        "Connect call failed",
    ),
}
"""By kind: what makes one in a home and gives its URL, and a part of the message."""

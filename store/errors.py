"""What can go wrong with the store, each error in one line that names the setting to look at."""

from __future__ import annotations

STORE_SETTING = "EVTOP_STORE"


class StoreError(Exception):
    """The store cannot be used. The message is one line for an operator and holds no credentials."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached, read or written."""


class SchemaTooNewError(StoreError):
    """The database was written by a later version of evtop."""


class DataRefusedError(StoreError):
    """The database found fault with what was to be stored; another try would end the same way.

    `reason` is what it said, in one line; it may quote what was stored.
    """

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")
        self.reason = reason


def one_line(text: str) -> str:
    """The first line of `text`, with what cannot be printed escaped: a database may quote what was stored."""
    first = next(iter(text.splitlines()), "")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in first)

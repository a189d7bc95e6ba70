"""What can go wrong with the store, each error in one line that names the setting to look at."""

from __future__ import annotations

STORE_SETTING = "EVTOP_STORE"


class StoreError(Exception):
    """The store cannot be used. The message is one line for an operator and holds no credentials."""


class StoreUnavailableError(StoreError):
    """The database cannot be reached, read or written."""


class SchemaTooNewError(StoreError):
    """The database was written by a later version of evtop."""

"""Where the store and the bus are: from the environment, with defaults that need nothing configured."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from monitor.errors import StartError
from store.paths import data_dir, runtime_dir

STORE_VARIABLE = "EVTOP_STORE"
BUS_VARIABLE = "EVTOP_BUS"
EMBEDDED = "embedded"
NO_BUS = "none"


@dataclass(frozen=True, repr=False)
class Settings:
    """`store` is an SQLAlchemy URL; `bus` a Redis URL, `embedded` or `none`. Both may hold a password.

    `name` is what the status line calls this system; `runtime` is where the embedded bus lives.
    """

    store: str
    bus: str
    name: str
    runtime: Path

    def __repr__(self) -> str:
        return f"Settings(name={self.name!r})"

    @classmethod
    def from_environment(cls) -> Settings:
        """`EVTOP_STORE` and `EVTOP_BUS`; else SQLite in the data folder and the embedded bus.

        Raises:
            StartError: `EVTOP_BUS` is none of the kinds.
        """
        store = os.environ.get(STORE_VARIABLE) or sqlite_url(_data_dir() / "events.db")
        bus = os.environ.get(BUS_VARIABLE) or EMBEDDED
        if bus not in {EMBEDDED, NO_BUS} and not bus.startswith(("redis://", "rediss://", "unix://")):
            raise StartError(
                f"{BUS_VARIABLE}: not a bus; use redis://, rediss://, unix://, {EMBEDDED} or {NO_BUS}"
            )
        return cls(store, bus, os.environ.get("EVTOP_NAME", "local"), runtime_dir())

    @classmethod
    def for_demo(cls) -> Settings:
        """The running demo: its own store and its own bus. The demo starts them, nobody else does."""
        runtime = runtime_dir() / "demo"
        return cls(sqlite_url(demo_store()), f"unix://{runtime / 'bus.sock'}", "demo", runtime)


def demo_store() -> Path:
    """The SQLite file of the demo."""
    return _data_dir() / "demo" / "events.db"


def _data_dir() -> Path:
    try:
        return data_dir()
    except RuntimeError:
        raise StartError(f"there is no home folder; set XDG_DATA_HOME, or {STORE_VARIABLE}") from None


def sqlite_url(path: Path) -> str:
    """The SQLAlchemy URL of an SQLite file."""
    return f"sqlite:///{path}"

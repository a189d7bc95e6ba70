"""Which bus a setting names, for those who announce."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

    from store.bus import Bus

EMBEDDED = "embedded"
NO_BUS = "none"
BUS_SETTING = "EVTOP_BUS"


def producer_bus(address: str | SecretStr, runtime: Path | None = None) -> Bus | None:
    """The bus at `address`: a Redis URL, `embedded` or `none`. Connections are made when they are needed.

    The embedded server in `runtime` is started by consoles and workers, not by producers: with their process it
    would end. While none runs, nothing is announced, and the store has the events.

    Raises:
        ValueError: not a bus; the message quotes nothing of it.
        OSError: `runtime` is no place for a socket.
    """
    # A command line that only needs the names above does not wait for these.
    from pydantic import SecretStr

    from store.embedded import EmbeddedBus
    from store.paths import runtime_dir
    from store.redis_bus import RedisBus

    # Rebound, so that a traceback with local variables has nothing to show.
    address = address if isinstance(address, SecretStr) else SecretStr(address)
    if address.get_secret_value() == NO_BUS:
        return None
    if address.get_secret_value() == EMBEDDED:
        return RedisBus(EmbeddedBus(runtime or runtime_dir()).url)
    return RedisBus(address)

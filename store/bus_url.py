"""Which bus a setting names, for those who announce, and how well the way to it is protected."""

from __future__ import annotations

import logging
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

    from store.bus import Bus
    from store.redis_bus import RedisBus

EMBEDDED = "embedded"
NO_BUS = "none"
BUS_SETTING = "EVTOP_BUS"
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")

_log = logging.getLogger(__name__)


def producer_bus(
    address: str | SecretStr, runtime: Path | None = None, signing_key: SecretStr | None = None
) -> Bus | None:
    """The bus at `address`: a Redis URL, `embedded` or `none`. Connections are made when they are needed.

    With a `signing_key`, announcements are signed.

    The embedded server in `runtime` is started by consoles and workers, not by producers: with their process it
    would end. While none runs, nothing is announced, and the store has the events.

    Raises:
        ValueError: not a bus; the message quotes nothing of it but the name of a file that cannot be read.
        OSError: `runtime` is no place for a socket.
    """
    # A command line that only needs the names above does not wait for these.
    from store.credentials import secret
    from store.embedded import EmbeddedBus
    from store.paths import runtime_dir
    from store.redis_bus import RedisBus
    from store.signing import Signer

    # Rebound, so that a traceback with local variables has nothing to show.
    address = secret(address)
    if address.get_secret_value() == NO_BUS:
        return None
    if address.get_secret_value() == EMBEDDED:
        signer = Signer(signing_key) if signing_key else None
        return RedisBus(EmbeddedBus(runtime or runtime_dir()).url, signer=signer)
    return redis_bus(address, signing_key)


def redis_bus(address: SecretStr, signing_key: SecretStr | None = None) -> RedisBus:
    """The bus at a Redis URL. A way to it that is open to others is warned of.

    Raises:
        ValueError: not a bus; the message quotes nothing of it but the name of a file that cannot be read.
    """
    from store.redis_bus import RedisBus
    from store.signing import Signer

    bus = RedisBus(address, signer=Signer(signing_key) if signing_key else None)
    missing = _missing_file(address)
    if missing is not None:
        raise ValueError(missing)
    weakness = transport_weakness(address)
    if weakness is not None:
        _log.warning("%s %s: %s", BUS_SETTING, bus.address, weakness)
    return bus


def transport_weakness(address: SecretStr) -> str | None:
    """What someone between here and the bus at `address` can do; None when nothing, as on one machine.

    `address` is a URL that can be used, `embedded` or `none`.
    """
    options = _options(address)
    host = options.get("host", "localhost")
    if "path" in options or _is_loopback(host):
        return None
    from redis.asyncio.connection import SSLConnection

    if options.get("connection_class") is not SSLConnection:
        return "not encrypted; anyone on the way can read and forge all of it, use rediss://"
    if options.get("ssl_cert_reqs") == "none":
        return "the server's certificate is not checked (ssl_cert_reqs=none)"
    if options.get("ssl_check_hostname") is False:
        return "the server's name is not checked (ssl_check_hostname)"
    return None


def _missing_file(address: SecretStr) -> str | None:
    """Which file of the URL cannot be read, and why: the driver would tell only why."""
    from store.credentials import why_unreadable

    options = _options(address)
    for name in _FILES:
        reason = why_unreadable(options[name]) if options.get(name) else None
        if reason is not None:
            return f"{name}: {reason}"
    return None


def _options(address: SecretStr) -> dict[str, Any]:
    from redis.asyncio.connection import parse_url

    text = address.get_secret_value()
    return {} if text in {EMBEDDED, NO_BUS} else dict(parse_url(text))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

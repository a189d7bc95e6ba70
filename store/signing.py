"""Signatures on announcements: Redis tells nobody who published, and whoever may publish may forge rows.

A signed message ends with `,"signature":"<64 hexadecimal digits>"}`: HMAC-SHA256 (RFC 2104, FIPS 180-4) by a key
that producers and consoles share, over the message as it was without that member. A signature does not keep an old
message from being sent again; a console knows the id of what it showed, and asks the store for the rest.
"""

from __future__ import annotations

import hmac
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr

KEY_MIN_BYTES = 16
_CONTEXT = b"evtop event 1\n"
"""Comes before what is signed, so that the same key may sign other things."""
_HEAD, _TAIL = b',"signature":"', b'"}'
_MEMBER_BYTES = len(_HEAD) + 64 + len(_TAIL)


class Signature(StrEnum):
    """What the signature of a message says."""

    VALID = "valid"
    MISSING = "missing"
    WRONG = "wrong"


class Signer:
    """Signs messages and checks signatures with one shared key.

    Raises:
        ValueError: the key has fewer than `KEY_MIN_BYTES` bytes. The message does not quote it.
    """

    def __init__(self, key: SecretStr) -> None:
        if len(key.get_secret_value().encode()) < KEY_MIN_BYTES:
            raise ValueError(f"a signing key has at least {KEY_MIN_BYTES} bytes")
        self._key = key

    def sign(self, message: bytes) -> bytes:
        """`message`, a JSON object with at least one member, with its signature as the last one."""
        return message[:-1] + _HEAD + self._digest(message) + _TAIL

    def check(self, message: bytes) -> Signature:
        """Whether `message` was signed, and with this key."""
        at = len(message) - _MEMBER_BYTES
        if at <= 0 or not (message.startswith(_HEAD, at) and message.endswith(_TAIL)):
            return Signature.WRONG if b'"signature"' in message else Signature.MISSING
        found = message[at + len(_HEAD) : -len(_TAIL)]
        is_valid = hmac.compare_digest(found, self._digest(message[:at] + b"}"))
        return Signature.VALID if is_valid else Signature.WRONG

    def __repr__(self) -> str:
        return "Signer()"

    def _digest(self, message: bytes) -> bytes:
        key = self._key.get_secret_value().encode()
        return hmac.digest(key, _CONTEXT + message, "sha256").hex().encode()

"""Signatures on announcements."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from store.signing import KEY_MIN_BYTES, Signature, Signer
from store.wire import decode, encode
from tests.events import make_event

KEY = SecretStr("0123456789abcdef")
MESSAGE = encode(make_event(7, metadata={"title": "Ä"}, position=3), "web-1", 12)


def test_a_signed_message_is_the_same_event_and_valid() -> None:
    message = Signer(KEY).sign(MESSAGE)
    assert Signer(KEY).check(message) is Signature.VALID
    assert decode(message) == decode(MESSAGE)
    assert list(json.loads(message))[-1] == "signature"


def test_without_a_signature_one_is_missing() -> None:
    assert Signer(KEY).check(MESSAGE) is Signature.MISSING
    assert Signer(KEY).check(b"") is Signature.MISSING


def test_another_key_signs_otherwise() -> None:
    assert Signer(SecretStr("fedcba9876543210")).check(Signer(KEY).sign(MESSAGE)) is Signature.WRONG


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(0, len(MESSAGE) + 78), st.integers(1, 255))
def test_no_byte_of_a_signed_message_can_be_changed(place: int, change: int) -> None:
    message = bytearray(Signer(KEY).sign(MESSAGE))
    message[place] ^= change
    assert Signer(KEY).check(bytes(message)) is not Signature.VALID


def test_a_second_signature_does_not_hide_what_was_added() -> None:
    signed = Signer(KEY).sign(MESSAGE)
    forged = signed[:-1] + b',"status":"failed"' + signed[-80:]
    assert Signer(KEY).check(forged) is Signature.WRONG


def test_a_short_key_is_refused_without_quoting_it() -> None:
    key = "x" * (KEY_MIN_BYTES - 1)
    with pytest.raises(ValueError, match="16 bytes") as caught:
        Signer(SecretStr(key))
    assert key not in str(caught.value)
    assert key not in repr(Signer(KEY))

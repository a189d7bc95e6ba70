"""Fixtures: real servers, one for each test that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.valkey import ValkeyServer


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A running Valkey of this test's own."""
    with ValkeyServer() as server:
        yield server

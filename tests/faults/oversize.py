"""What is too large to be recorded, made in the process that records it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def _deep() -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(100_000):
        value = {"in": value}
    return value


OVERSIZE: dict[str, Callable[[], dict[str, Any]]] = {
    "1 MB of metadata": lambda: {"metadata": {f"key {n}": "x" * 1_000 for n in range(1_000)}},
    "64 MB in one text": lambda: {"metadata": {"text": "x" * 64_000_000}},
    "100,000 levels": lambda: {"metadata": _deep()},
    "50,000 keys": lambda: {"metadata": {f"key {n}": n for n in range(50_000)}},
    "1 MB without a space": lambda: {"actor_id": "x" * 1_000_000},
}

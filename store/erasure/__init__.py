"""Erasure: who an actor was is taken out of all that is stored, and what was done stays, under a pseudonym."""

from __future__ import annotations

from store.erasure.erasing import Erased, erase
from store.erasure.identity import Identity

__all__ = ["Erased", "Identity", "erase"]

"""Errors that end the program with one line on stderr."""

from __future__ import annotations


class StartError(Exception):
    """The console cannot start. The message is one line that says what to look at, without credentials."""

"""Errors that end the program with one line on stderr."""

from __future__ import annotations

import traceback
from pathlib import Path

from store.errors import StoreError


class StartError(Exception):
    """The console cannot start. The message is one line that says what to look at, without credentials."""


def read_failure(error: Exception) -> str:
    """Why the store could not be read, in one line. Of what nobody expected, only the kind: it may quote an event."""
    return str(error) if isinstance(error, StoreError) else f"reading failed: {type(error).__name__}"


def internal_error(error: BaseException | None) -> str:
    """One line on an error that nobody expected: its kind, and where it came from.

    Its own text is left out: it may quote an event, or credentials.
    """
    if error is None:
        return "internal error"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    ours = next((frame for frame in reversed(frames) if "monitor" in Path(frame.filename).parts), None)
    if ours is not None and ours is not frames[-1]:
        place += f", called at {Path(ours.filename).name}:{ours.lineno}"
    return f"internal error: {type(error).__name__}{place}"

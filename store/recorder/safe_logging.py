"""Logging in the host's process, whose filters and handlers may raise: that must cost no event."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress


def log_safely(
    log: Callable[..., None], message: str, *arguments: object, error: BaseException | None = None
) -> None:
    """Log `message` in the name of the caller, with the traceback of `error` if there is one. Raises no `Exception`.

    Args:
        log: A method of a logger, like `logger.warning`.
    """
    with suppress(Exception):
        log(message, *arguments, exc_info=error, stacklevel=2)

"""What a spool says to whoever runs the process."""

from __future__ import annotations

import logging
from contextlib import suppress

_logger = logging.getLogger("store.spool")


def warn(message: str, *arguments: object) -> None:
    """Log a warning. A filter of the host's that raises must not leave a spool half changed."""
    with suppress(Exception):
        _logger.warning(message, *arguments)

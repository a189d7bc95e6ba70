"""Running the feed of a command, which writes what comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitor.backend import Backend
    from monitor.model.arrivals import Arrivals


async def follow_feed(backend: Backend, take_in: Callable[[Arrivals], None]) -> None:
    """Run the feed of `backend` until cancelled.

    Raises:
        OSError: what `take_in` writes to is gone.
    """
    try:
        await backend.run(take_in)
    except BaseExceptionGroup as group:
        # The feed runs in a task group, which wraps whatever the writer raises.
        output_errors, others = group.split(OSError)
        if output_errors is None or others is not None:
            raise
        raise output_errors.exceptions[0] from None

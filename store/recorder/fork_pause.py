"""Standing still while the process is forked."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress

from store.recorder.bell import Bell
from store.recorder.delivery import Delivery
from store.recorder.safe_logging import log_safely

logger = logging.getLogger(__name__)

_ATTACH_SECONDS = 1.0
_FORK_SECONDS = 10.0
"""What a fork may take; far longer than any does."""
_STILL_SECONDS = 6.0
"""How long a fork waits for a transaction: longer than a transaction of SQLite waits for the lock of the file."""


class ForkPause:
    """Keeps the writer away from a database that a fork must not find open.

    A child gets a copy of what SQLite knows of its locks, and would count on locks that are the parent's: it could
    wait for them for ever, or lose what it wrote.
    """

    def __init__(self, bell: Bell, delivery: Delivery) -> None:
        self._bell = bell
        self._delivery = delivery
        self._still = threading.Event()
        self._forked: asyncio.Event | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False

    def begin(self) -> None:
        """Close the database, when the transaction under way has ended. In the forking thread, before the fork."""
        if not self._delivery.needs_stillness or self._is_over:
            return
        # The writer may have been started a moment ago.
        self._bell.attached.wait(_ATTACH_SECONDS)
        self._still = threading.Event()
        self._forked = asyncio.Event()
        stands = self._bell.call(self._stand, self._forked) and not self._is_over
        if stands and not self._still.wait(_STILL_SECONDS):
            log_safely(
                logger.warning,
                "the process was forked while its store was in use: its child may not be able to use it",
            )

    def end(self) -> None:
        """Let the writer go on. In the process that has forked."""
        if self._forked is not None:
            self._bell.call(self._forked.set)
            self._forked = None

    def give_up(self) -> None:
        """Hold up no fork any more: the writer has ended."""
        self._is_over = True
        self._bell.attached.set()
        self._still.set()

    def _stand(self, forked: asyncio.Event) -> None:
        task = asyncio.create_task(self._stand_still(forked))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stand_still(self, forked: asyncio.Event) -> None:
        async with self._delivery.stillness():
            self._still.set()
            # A signal handler that raises may keep whoever forked from saying that it is over.
            with suppress(TimeoutError):
                await asyncio.wait_for(forked.wait(), _FORK_SECONDS)

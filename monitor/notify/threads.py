"""Work that blocks, in a thread that nobody has to wait for at the end: what hangs elsewhere must not hold evtop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


async def in_daemon_thread(work: Callable[[], Result], within: float) -> Result:
    """What `work` returns or raises. After `within` seconds it is left alone with whatever it does.

    Raises:
        TimeoutError: it was not done by then.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if not done.done():
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: Result | None = None
        failure: BaseException | None = None
        try:
            result = work()
        except BaseException as error:
            # Told to whoever waits: in a thread it would only be printed over the picture.
            failure = error
        # By the time that it is done, the loop may be gone.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, daemon=True, name="notification").start()
    async with asyncio.timeout(within):
        return await done

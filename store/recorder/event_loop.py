"""The event loop of the writer: it neither holds up the end of the process, nor outlives it in a forked one."""

from __future__ import annotations

import asyncio
import os
import selectors
import stat
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

THREAD_NAME = "evtop-recorder"

P = ParamSpec("P")
T = TypeVar("T")


class WriterLoop:
    """Runs one coroutine, on a selector that is known from outside."""

    def __init__(self) -> None:
        self._selector: selectors.BaseSelector | None = None

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run `coroutine` to its end.

        Raises:
            OSError: the process has no descriptors left for a loop.
        """
        try:
            self._selector = selectors.DefaultSelector()
            selector = self._selector
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
                runner.get_loop().set_default_executor(_DaemonThreads())
                runner.run(coroutine)
        finally:
            # Without a loop it was never begun, of which Python would warn.
            coroutine.close()

    def abandon_after_fork(self) -> None:
        """In a forked process: let go of the parent's connections.

        A server would take the parent for alive, locks and all, as long as any process holds its end of a connection.
        """
        if self._selector is None:
            return
        for key in list((self._selector.get_map() or {}).values()):
            with suppress(OSError):
                if stat.S_ISSOCK(os.fstat(key.fd).st_mode):
                    _put_nothing_in_place_of(key.fd)


def _put_nothing_in_place_of(descriptor: int) -> None:
    """Let go of what `descriptor` is open for, and keep its number: objects that are never used again still hold it."""
    try:
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # No number is left, so that the next file gets the one that is given up here.
        os.close(descriptor)
        os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        return
    os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


class _DaemonThreads(ThreadPoolExecutor):
    """Runs each call in a thread of its own, which ends with the process.

    The pool of the standard library refuses work when the main thread has ended, and has its exit wait for what is
    under way: a name that is being looked up, a file that is locked.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Begin to run `fn`.

        Raises:
            RuntimeError: no thread can be started.
        """
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()

        def run() -> None:
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=run, name=THREAD_NAME, daemon=True).start()
        return future

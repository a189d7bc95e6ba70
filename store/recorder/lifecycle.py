"""Recorders and the process they live in: forks, the end of the interpreter, workers of multiprocessing."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from store.recorder.safe_logging import log_safely

logger = logging.getLogger(__name__)


class LivesInProcess(Protocol):
    """What has a thread, files and connections that a fork does not share, and something to finish at the end."""

    def flush_at_exit(self) -> None:
        """Finish what is begun, while threads can still be started and others may still run."""
        ...

    def close_at_exit(self) -> None:
        """Finish, for good."""
        ...

    def pause_before_fork(self) -> None:
        """In the forking thread: let go of what a fork must not find in use."""
        ...

    def resume_after_fork(self) -> None:
        """In the process that has forked: go on."""
        ...

    def begin_anew_after_fork(self) -> None:
        """In a forked process: leave everything to the parent that is the parent's."""
        ...


# By their addresses. Of a `WeakSet`, no list can be made while another thread adds to it.
_living: weakref.WeakValueDictionary[int, LivesInProcess] = weakref.WeakValueDictionary()
# Threads that fork at the same time would wake each other's writers too early.
_forking = threading.RLock()
_left_to_the_parent: list[object] = []


def register(member: LivesInProcess) -> None:
    """Tell `member` of forks and of the end of the process."""
    _living[id(member)] = member


def leave_to_the_parent(*things: object) -> None:
    """Keep `things`, copies of the parent's threads and connections, so that no destructor touches them."""
    _left_to_the_parent.append(things)


def close_with_worker(member: LivesInProcess) -> None:
    """Have `member` closed by multiprocessing, which ends its workers without running what `atexit` has."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(member, member.close_at_exit, exitpriority=0)


def _each(act: Callable[[LivesInProcess], None]) -> None:
    """Have every member act, whatever becomes of it in another one."""
    for reference in _living.valuerefs():
        member = reference()
        if member is not None:
            try:
                act(member)
            except Exception as error:
                log_safely(logger.error, "a recorder could not follow its process", error=error)


def _flush_all() -> None:
    _each(lambda member: member.flush_at_exit())


def _close_all() -> None:
    _each(lambda member: member.close_at_exit())


def _pause_all() -> None:
    _each(lambda member: member.pause_before_fork())


def _resume_all() -> None:
    _each(lambda member: member.resume_after_fork())


def _begin_all_anew() -> None:
    _each(lambda member: member.begin_anew_after_fork())


atexit.register(_close_all)
os.register_at_fork(before=_pause_all, after_in_parent=_resume_all, after_in_child=_begin_all_anew)
# Registered last, it comes first before a fork, and last after it. Builtins, for a signal handler of the host's that
# raises where a Python function begins would leave the lock taken, and every other thread's fork waiting for ever.
os.register_at_fork(
    before=_forking.acquire, after_in_parent=_forking.release, after_in_child=_forking.release
)
# `atexit` runs when no thread can be started any more (since Python 3.12): too late for a script that records and
# ends, and has no connection yet. `concurrent.futures` registers itself in this way.
_register_early = getattr(threading, "_register_atexit", None)
if _register_early is not None:
    # It refuses when the main thread has ended already.
    with suppress(RuntimeError):
        _register_early(_flush_all)

"""Recorders and the process they live in: forks, the end of the interpreter, workers of multiprocessing."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from contextlib import suppress
from typing import Protocol


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


_living: weakref.WeakSet[LivesInProcess] = weakref.WeakSet()
# Threads that fork at the same time would wake each other's writers too early.
_forking = threading.RLock()
_left_to_the_parent: list[object] = []


def register(member: LivesInProcess) -> None:
    """Tell `member` of forks and of the end of the process."""
    _living.add(member)


def leave_to_the_parent(*things: object) -> None:
    """Keep `things`, copies of the parent's threads and connections, so that no destructor touches them."""
    _left_to_the_parent.append(things)


def close_with_worker(member: LivesInProcess) -> None:
    """Have `member` closed by multiprocessing, which ends its workers without running what `atexit` has."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None and processes.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(member, member.close_at_exit, exitpriority=0)


def _flush_all() -> None:
    for member in list(_living):
        member.flush_at_exit()


def _close_all() -> None:
    for member in list(_living):
        member.close_at_exit()


def _pause_all() -> None:
    _forking.acquire()
    for member in list(_living):
        member.pause_before_fork()


def _resume_all() -> None:
    for member in list(_living):
        member.resume_after_fork()
    _forking.release()


def _begin_all_anew() -> None:
    global _forking
    _forking = threading.RLock()
    for member in list(_living):
        member.begin_anew_after_fork()


atexit.register(_close_all)
os.register_at_fork(before=_pause_all, after_in_parent=_resume_all, after_in_child=_begin_all_anew)
# `atexit` runs when no thread can be started any more (since Python 3.12): too late for a script that records and
# ends, and has no connection yet. `concurrent.futures` registers itself in this way.
_register_early = getattr(threading, "_register_atexit", None)
if _register_early is not None:
    # It refuses when the main thread has ended already.
    with suppress(RuntimeError):
        _register_early(_flush_all)

"""Fixtures that every test may use, and the end of a test that nothing else can end."""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

pytest_plugins = ["tests.servers"]

STUCK_SECONDS = 500
"""Longer than the timeout of any test that is not marked `long_fault`."""

# A shell starts background commands with the first two ignored, `nohup` with the third, and the programs under test
# would inherit it.
for _signal, _usual in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _usual)

# After each key a pilot waits until the process rests, and looks for that fifty times a second only: in a test with
# many keys that is most of the time. By what share of it the process may be at work stays much the same.
_wait: Any = import_module("textual._wait")
_wait.SLEEP_GRANULARITY, _wait.SLEEP_IDLE = 1 / 100, 1 / 1000

_stderr = os.dup(2)  # pytest takes the real one away while a test runs


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a third of the time a test waits, for a server, a deadline or the disk."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: it took a tenth of the run to look through all tests."""
    gc.freeze()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Show where a stuck test is and end its process, when the timeout of pytest-timeout could not.

    That timeout is a signal: it does nothing for a test that waits in a lock, or whose teardown is stuck too.
    """
    if item.get_closest_marker("long_fault"):
        return (yield)
    faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True, file=_stderr)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()

"""A wall clock that can be set, for one process: what `datetime.now()` and `time.time()` say in it from then on.

The monotonic clock goes on as it does when an administrator sets the time of a machine.
"""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta, tzinfo
from typing import Any

_true_time = time.time
_offset = 0.0


class _StillDatetime(type):
    """A moment is a moment, whichever class made it."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class _SetDatetime(datetime, metaclass=_StillDatetime):
    """`datetime`, with a `now()` by the clock that was set."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=_offset)


def set_off(offset: float, packages: tuple[str, ...] = ("store.",)) -> None:
    """Set the clock `offset` seconds off the real one, for all loaded modules of `packages`."""
    global _offset
    _offset = offset
    time.time = lambda: _true_time() + _offset
    for name, module in list(sys.modules.items()):
        if name.startswith(packages) and getattr(module, "datetime", None) is datetime:
            module.datetime = _SetDatetime  # type: ignore[attr-defined]

"""Tracking never breaks the tracked: the one place where what goes wrong in tracking itself ends up."""

from __future__ import annotations

import contextlib
import logging
import os
import threading

from store.recording import EventFields, Records

_log = logging.getLogger(__name__)
_PLACES_MAX = 256
_OTHERS = "(others)"


class Mishaps:
    """What went wrong in tracking, counted by place. The first at each place is logged, the rest only counted.

    A place is an event type, as a rule. Beyond 256 places all others are counted as one. Safe from any
    thread, from a finalizer that runs while this counts, and after `fork()`.
    """

    def __init__(self) -> None:
        self._renew_lock()
        self._counts: dict[str, int] = {}
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew_lock)

    def note(self, place: object, reason: BaseException | str) -> None:
        """Count a mishap. Of an exception only its type is told, since its text may hold what nobody should read."""
        try:
            # Quoted, because an event type that an application built from its input is hostile text.
            name = ascii(str(place)[:128])
            with self._lock:
                if name not in self._counts and len(self._counts) >= _PLACES_MAX:
                    name = _OTHERS
                count = self._counts[name] = self._counts.get(name, 0) + 1
            if count == 1:
                told = reason if isinstance(reason, str) else type(reason).__name__
                _log.warning("tracking of %s has trouble: %s (told once)", name, ascii(told[:300]))
        except Exception:
            # The place has no text, or a log handler of the host raised: there is no further place to tell it to.
            with contextlib.suppress(Exception), self._lock:
                self._counts[_OTHERS] = self._counts.get(_OTHERS, 0) + 1

    def counts(self) -> dict[str, int]:
        """How many so far, by place."""
        with self._lock:
            return dict(self._counts)

    @property
    def total(self) -> int:
        """How many so far."""
        return sum(self.counts().values())

    def _renew_lock(self) -> None:
        # Reentrant, because garbage collection can run a finalizer that tracks while the lock is held.
        self._lock = threading.RLock()


MISHAPS = Mishaps()
"""The mishaps of this process. What a recorder accepted and could not store is in its own balance, not here."""


def record_safely(recorder: Records, event_type: str, fields: EventFields) -> bool:
    """Record, whatever becomes of it: False when the recorder refused, and when it raised, which is counted."""
    try:
        return bool(recorder.record(event_type, **fields))
    except Exception as error:
        MISHAPS.note(event_type, error)
        return False

"""A recorder for tests that turns each call into a real event, so that every field keeps its rule."""

from __future__ import annotations

from typing import Unpack

from store.event import Event
from store.recording import EventFields


class Recorded:
    """What was recorded, as events. `broken` makes it answer with False, or raise when it is an exception."""

    def __init__(self, broken: bool | BaseException = False) -> None:
        self.broken = broken
        self.events: list[Event] = []
        self.calls = 0

    def record(self, event_type: str, /, **fields: Unpack[EventFields]) -> bool:
        self.calls += 1
        if isinstance(self.broken, BaseException):
            raise self.broken
        if self.broken:
            return False
        self.events.append(Event.model_validate({"event_type": event_type, **fields}))
        return True

    @property
    def only(self) -> Event:
        """The one event there is."""
        assert len(self.events) == 1, [event.event_type for event in self.events]
        return self.events[0]

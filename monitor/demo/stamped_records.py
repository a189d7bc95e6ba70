"""Simulated time for what the application records: the recorder's own would be the time of day."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Unpack

from pydantic import ValidationError
from uuid_utils.compat import uuid7

from store.event import Event
from store.recording import EventFields, Records


class StampedRecords:
    """Hands everything on to `recorder` with the time that `now` gives, which must be aware, and notes it."""

    def __init__(self, recorder: Records, now: Callable[[], datetime]) -> None:
        self._recorder = recorder
        self._now = now
        self._noted: list[Event] = []

    def record(self, event_type: str, /, **fields: Unpack[EventFields]) -> bool:
        """Record that something happened, now. Never raises; False when `recorder` dropped it."""
        moment = self._now()
        fields["inserted_at"] = moment
        # The id orders as the time does, for a simulated past too.
        fields["id"] = uuid7(nanoseconds=int(moment.timestamp() * 1_000_000) * 1_000)
        # What breaks a rule is no event. Its recorder refuses it and keeps the reason.
        with suppress(ValidationError):
            self._noted.append(Event.model_validate({"event_type": event_type, **fields}))
        return self._recorder.record(event_type, **fields)

    def take(self) -> list[Event]:
        """The events made since the last call, stored or not."""
        noted, self._noted = self._noted, []
        return noted

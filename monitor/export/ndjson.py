"""Events as JSON, one object a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from monitor.ascii_json import ascii_json
from monitor.masking import shown_event
from store.event import Event
from store.wire import encode


def json_line(event: Event) -> str:
    """`event` as one line of ASCII, without its end: JSON would let control characters through to a terminal."""
    return ascii_json(encode(shown_event(event)).decode())


class NdjsonWriter:
    """One JSON object a line, as announcements have it and `evtop import` takes it: nothing of an event is lost."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, events: Sequence[Event]) -> None:
        """Add `events`, one line each."""
        self._file.write("".join([f"{json_line(event)}\n" for event in events]).encode("ascii"))

    def finish(self) -> None:
        """Nothing is kept back."""

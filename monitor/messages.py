"""Messages that more than one part of the console knows: facts in the past tense."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from monitor.model.arrivals import Arrivals
from monitor.model.filter import Filter
from monitor.model.rows import SortKey
from store.event import Event


@dataclass
class FeedAdvanced(Message):
    """The feed handed on a frame."""

    arrivals: Arrivals


@dataclass
class OlderPageLoaded(Message):
    """Events before `floor` were read with `shown`: either may be another one by now."""

    shown: Filter
    floor: SortKey | None
    events: list[Event]
    has_older: bool


@dataclass
class StoreReadFailed(Message):
    """A page could not be read; the reason is one line."""

    reason: str

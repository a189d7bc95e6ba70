"""What the feed hands on: frozen values, at most one `Arrivals` a frame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from monitor.model.gaps import Gap
from store.event import Event

RollupRow = tuple[int, str, str, str | None, int, float]
"""Minute since 1970, category, event type, severity, count."""


class Link(StrEnum):
    """How the console learns of new events."""

    CONNECTING = "connecting"
    LIVE = "live"
    POLLING = "polling"
    RECONNECTING = "reconnecting"


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """The state of the feed. `reason` is raw text; `attempt` counts tries since the bus was last there."""

    link: Link = Link.CONNECTING
    since: datetime | None = None
    reason: str = ""
    attempt: int = 0
    retry_in: float = 0.0
    store_error: str = ""
    repairing: bool = False


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts since the console was started.

    `received`: distinct events that arrived, live or from the store. `malformed`: messages that were no events.
    `duplicates`: announcements of an event that was announced before. `dropped`: messages that did not fit
    the buffer and were read from the store instead. `missed`: announcements that never came, by the producers'
    sequence numbers. `recovered`: events that only the store told of. `unreadable`: rows that are no events.
    """

    received: int = 0
    malformed: int = 0
    duplicates: int = 0
    dropped: int = 0
    missed: int = 0
    recovered: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Opening:
    """What the console starts with, or starts over with after it missed too much to catch up.

    `newest` is the newest page, `rollups` count all events of the window, `history` holds earlier events that
    the health engine wants. `has_older` tells whether the store holds more than `newest`.
    """

    newest: tuple[Event, ...]
    rollups: tuple[RollupRow, ...]
    history: tuple[Event, ...]
    has_older: bool


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What one frame brought. `confirmed` and `missing` are ids of events that came by the bus alone."""

    status: FeedStatus
    tally: Tally
    opening: Opening | None = None
    events: tuple[Event, ...] = ()
    unconfirmed: frozenset[UUID] = frozenset()
    gaps: tuple[Gap, ...] = ()
    confirmed: tuple[UUID, ...] = ()
    missing: tuple[UUID, ...] = ()

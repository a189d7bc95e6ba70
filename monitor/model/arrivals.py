"""What the feed hands on: frozen values, at most one `Arrivals` a frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    READING = "reading"
    """Files are being read."""
    FOLLOWING = "following"
    """A pipe is being read, which may go on."""
    READ = "read"
    """Files and pipes are read to their end."""


FROM_FILES = frozenset({Link.READING, Link.FOLLOWING, Link.READ})
"""Lines, not messages, and no store but one that is filled with them."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """The state of the feed. `reason` and `store_error` are raw text.

    `attempt` counts tries since the bus was last there; the next one is due at `retry_at`, `retry_in` seconds after
    the last one failed. `since` is when the
    link came to be what it is, `store_error_since` when the store went away.
    """

    link: Link = Link.CONNECTING
    since: datetime | None = None
    reason: str = ""
    attempt: int = 0
    retry_at: datetime | None = None
    store_error: str = ""
    store_error_since: datetime | None = None
    repairing: bool = False
    retry_in: float = 0.0

    @property
    def stale_since(self) -> datetime | None:
        """From when on nothing new could arrive: neither by the bus nor from the store. None while something can."""
        if self.link is Link.LIVE or self.store_error_since is None:
            return None
        return max(self.store_error_since, self.since) if self.since else self.store_error_since


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts since the console was started.

    `received`: distinct events that arrived, live or from the store. `malformed`: messages that were no events.
    `duplicates`: announcements of an event that was announced before. `dropped`: messages that did not fit
    the buffer and were read from the store instead. `missed`: announcements that never came, by the producers'
    sequence numbers. `lost`: those of them that were about events which the store does not have. `recovered`: events
    that only the store told of. `unreadable`: rows that are no events. `unsigned`, `forged`: messages without a
    signature, or with a wrong one, where signatures are asked for. `altered`: events that the store has otherwise than
    the bus had told.
    """

    received: int = 0
    malformed: int = 0
    duplicates: int = 0
    dropped: int = 0
    missed: int = 0
    recovered: int = 0
    unreadable: int = 0
    lost: int = 0
    unsigned: int = 0
    forged: int = 0
    altered: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message that was no event: how it begins, its bytes, why it was refused, and which line it is. Raw."""

    excerpt: bytes
    size: int
    reason: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """The event under `key` is another one in the store."""

    key: tuple[datetime, int]
    event: Event


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
    """What one frame brought. `confirmed` and `missing` are ids of events that came by the bus alone.

    `unconfirmed` are ids of events, new or shown before, for which nothing speaks but their message. `heard` has the
    last event of each producer that was heard.
    """

    status: FeedStatus
    tally: Tally
    opening: Opening | None = None
    events: tuple[Event, ...] = ()
    unconfirmed: frozenset[UUID] = frozenset()
    gaps: tuple[Gap, ...] = ()
    confirmed: tuple[UUID, ...] = ()
    missing: tuple[UUID, ...] = ()
    corrections: tuple[Correction, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    heard: tuple[tuple[str, Event], ...] = ()

    def after(self, earlier: Arrivals | None) -> Arrivals:
        """This frame with the events, and the opening, of the `earlier` one that were not drawn yet."""
        if earlier is None:
            return self
        opening = self.opening or earlier.opening
        return replace(self, opening=opening, events=(*earlier.events, *self.events))

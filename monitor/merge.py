"""What the bus announces and what the store holds, folded by id into what the next frame hands on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from monitor.model.arrivals import Arrivals, FeedStatus, Opening, Tally
from monitor.model.catching_up import KnownIds, Seen, SequenceTracker, Watermark
from monitor.model.gaps import Gap
from store import wire
from store.event import Event

MAX_UNCONFIRMED = 1000
"""Events looked up in the store because the bus alone told of them; further ones keep their mark."""


@dataclass(slots=True)
class _Frame:
    """What was found since the last frame."""

    opening: Opening | None = None
    events: list[Event] = field(default_factory=list[Event])
    unconfirmed: set[UUID] = field(default_factory=set[UUID])
    confirmed: list[UUID] = field(default_factory=list[UUID])
    missing: list[UUID] = field(default_factory=list[UUID])


class Merge:
    """Tells new events from known ones, and counts. Does no I/O and knows no clock.

    `position` is where to read on in the store: every commit up to it was seen.
    """

    def __init__(self) -> None:
        self._known = KnownIds()
        self._watermark = Watermark()
        self._floor = 0
        self._sequences = SequenceTracker()
        self._unconfirmed: dict[UUID, float] = {}
        self._tally = Tally()
        self._shown_tally = Tally()
        self._frame = _Frame()

    @property
    def position(self) -> int:
        """Every commit up to here was seen, on the bus or in the store."""
        return self._watermark.position

    @property
    def unconfirmed(self) -> Collection[UUID]:
        """Ids of events that came by the bus without a position, to be looked up in the store."""
        return self._unconfirmed.keys()

    @property
    def has_news(self) -> bool:
        """Whether there is something to hand on."""
        frame = self._frame
        return bool(
            frame.events
            or frame.opening
            or frame.confirmed
            or frame.missing
            or self._tally != self._shown_tally
        )

    def decode(self, payload: bytes) -> wire.Announcement | None:
        """Read a message; None for one that is no event, which is counted."""
        try:
            return wire.decode(payload)
        except Exception:
            # Whatever a hostile message manages to raise, the next one is read.
            self._tally = replace(self._tally, malformed=self._tally.malformed + 1)
            return None

    def leaves_hole(self, announcement: wire.Announcement) -> bool:
        """Whether announcements were missed before this one whose events were not seen otherwise."""
        event, producer, sequence = announcement
        if producer is None or sequence is None:
            return False
        missed = self._sequences.missed_before(producer, sequence)
        if not missed:
            return False
        self._tally = replace(self._tally, missed=self._tally.missed + missed)
        return event.position is None or event.position > self.position + 1

    def forget_sequences(self) -> None:
        """Note that announcements came and were dropped: the producers did not lose them."""
        self._sequences.forget()

    def fold(self, event: Event, where: int, moment: float) -> bool:
        """Take in an event; False when it was there already. `moment` is monotonic, in seconds."""
        before = self._known.note(event.id, where)
        position = event.position
        if position is not None:
            self._watermark.saw(position)
        if where == Seen.STORE:
            if self._unconfirmed.pop(event.id, None) is not None:
                self._frame.confirmed.append(event.id)
        elif before & Seen.BUS:
            self._tally = replace(self._tally, duplicates=self._tally.duplicates + 1)
        if before or (position is not None and position <= self._floor):
            return False
        if position is None:
            self._frame.unconfirmed.add(event.id)
            if len(self._unconfirmed) < MAX_UNCONFIRMED:
                self._unconfirmed[event.id] = moment
        self._frame.events.append(event)
        return True

    def open_with(self, opening: Opening, known: Iterable[Event], position: int, overlap: int) -> None:
        """Start, or start over, from what the store held when its last position was `position`.

        `known` are events that must not be taken for new ones. Commits up to `overlap` before `position` may
        still become visible; all before those are in the opening, by their rollups at least.
        """
        for event in known:
            self._known.note(event.id, Seen.STORE)
        self._watermark = Watermark(position)
        self._floor = max(0, position - overlap)
        frame = self._frame
        frame.opening = opening
        # What waits for the frame and is in the opening as well would be counted twice.
        frame.events = [event for event in frame.events if (event.position or position + 1) > position]

    def read_up_to(self, position: int, keep: int) -> None:
        """Note that the store was read up to `position`. Ids of the last `keep` commits still decide."""
        self._watermark.advance_to(position)
        self._floor = max(self._floor, self.position - keep)

    def go_back_to(self, position: int) -> None:
        """Note that the store ends at `position`: what messages said of later commits was not true."""
        self._watermark = Watermark(position)

    def overdue(self, since: float) -> None:
        """Report the unconfirmed events that came before `since` as missing from the store."""
        for identifier in [key for key, moment in self._unconfirmed.items() if moment <= since]:
            del self._unconfirmed[identifier]
            self._frame.missing.append(identifier)

    def count(self, *, dropped: int = 0, recovered: int = 0) -> None:
        """Add to the tally."""
        tally = self._tally
        self._tally = replace(tally, dropped=tally.dropped + dropped, recovered=tally.recovered + recovered)

    def unreadable(self, total: int) -> None:
        """Note how many rows of the store were no events so far."""
        if total != self._tally.unreadable:
            self._tally = replace(self._tally, unreadable=total)

    def take(self, status: FeedStatus, gaps: tuple[Gap, ...]) -> Arrivals:
        """What is to be handed on now, with `status` and the gaps that changed."""
        frame, self._frame = self._frame, _Frame()
        self._tally = replace(self._tally, received=self._tally.received + len(frame.events))
        self._shown_tally = self._tally
        return Arrivals(
            status,
            self._tally,
            frame.opening,
            tuple(frame.events),
            frozenset(frame.unconfirmed),
            gaps,
            tuple(frame.confirmed),
            tuple(frame.missing),
        )

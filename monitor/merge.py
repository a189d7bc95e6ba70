"""What the bus announces and what the store holds, folded by id into what the next frame hands on."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from monitor.confirmations import Confirmations
from monitor.model.announcements import Announcements
from monitor.model.arrivals import Arrivals, Correction, FeedStatus, Opening, Refusal, Tally
from monitor.model.catching_up import KnownIds, Seen, Watermark
from monitor.model.gaps import Gap
from monitor.model.lean import LeanEvents
from store import wire
from store.event import Event
from store.signing import Signature, Signer

EXCERPT_BYTES = 200
"""How much of a message that is no event is kept to be shown."""
REFUSALS_MAX = 100
"""Such messages of one frame that are kept; all are counted."""


@dataclass(slots=True)
class _Frame:
    """What was found since the last frame."""

    opening: Opening | None = None
    events: list[Event] = field(default_factory=list[Event])
    unconfirmed: set[UUID] = field(default_factory=set[UUID])
    confirmed: list[UUID] = field(default_factory=list[UUID])
    missing: list[UUID] = field(default_factory=list[UUID])
    corrections: list[Correction] = field(default_factory=list[Correction])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    heard: dict[str, Event] = field(default_factory=dict[str, Event])


class Merge:
    """Tells new events from known ones, and counts. Does no I/O and knows no clock.

    `position` is where to read on in the store: every commit up to it was seen. With a `signer`, only what it signed
    is believed before the store confirms it.
    """

    def __init__(self, signer: Signer | None = None) -> None:
        self._signer = signer
        self._known = KnownIds()
        self._watermark = Watermark()
        self._floor = 0
        self._announcements = Announcements()
        self._confirmations = Confirmations()
        self._lean = LeanEvents()
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
        return self._confirmations.unconfirmed

    @property
    def claims(self) -> list[tuple[int, UUID]]:
        """Positions at which events are stored, as the bus says, and their ids; to be looked at."""
        return self._confirmations.claims()

    @property
    def has_news(self) -> bool:
        """Whether there is something to hand on."""
        frame = self._frame
        return bool(
            frame.events
            or frame.opening
            or frame.confirmed
            or frame.missing
            or frame.unconfirmed
            or frame.corrections
            or self._tally != self._shown_tally
        )

    def decode(self, payload: bytes) -> wire.Announcement | None:
        """Read a message; None for one that is no event, which is counted and remembered with the reason."""
        try:
            return wire.decode(payload)
        except wire.MalformedMessageError as error:
            reason = str(error)
        except Exception as error:
            # Whatever a hostile message manages to raise, the next one is read.
            reason = type(error).__name__
        self._tally = replace(self._tally, malformed=self._tally.malformed + 1)
        if len(self._frame.refusals) < REFUSALS_MAX:
            self._frame.refusals.append(Refusal(payload[:EXCERPT_BYTES], len(payload), reason))
        return None

    def missed_before(self, announcement: wire.Announcement) -> tuple[int, bool]:
        """How many announcements were missed before this one, and whether the store must be read for their events."""
        event, producer, sequence = announcement
        if producer is None or sequence is None:
            return 0, False
        self._frame.heard[producer] = event
        missed = self._announcements.heard(producer, sequence, event.position)
        if not missed:
            return 0, False
        self._tally = replace(self._tally, missed=self._tally.missed + missed)
        return missed, event.position is None or event.position > self.position + 1

    def settle(self) -> int:
        """How many missed announcements were about events that the store, read up to `position`, does not have."""
        lost = self._announcements.settle(self.position)
        if lost:
            self._tally = replace(self._tally, lost=self._tally.lost + lost)
        return lost

    def forget_sequences(self) -> None:
        """Note that announcements came and were dropped: the producers did not lose them."""
        self._announcements.forget()

    def heard(self, announcement: wire.Announcement, payload: bytes, moment: float) -> bool:
        """Take in what the bus says; False when the event was there already. `moment` is monotonic, in seconds."""
        event = announcement.event
        position = event.position
        before = self._known.note(event.id, Seen.BUS)
        if position is not None:
            self._watermark.saw(position)
            if before == Seen.STORE:
                self._announcements.announced(position)
        if before & Seen.BUS:
            self._tally = replace(self._tally, duplicates=self._tally.duplicates + 1)
        if before or (position is not None and position <= self._floor):
            return False
        event = self._lean.lean(event)
        is_signed = self._is_signed(payload)
        if position is None or is_signed is False:
            self._frame.unconfirmed.add(event.id)
            self._confirmations.doubt(event, moment)
        elif not is_signed:
            self._confirmations.claim(event, position, moment)
        self._frame.events.append(event)
        return True

    def stored(self, event: Event) -> bool:
        """Take in what the store says; False when the event was there already."""
        before = self._known.note(event.id, Seen.STORE)
        position = event.position or 0
        self._watermark.saw(position)
        told = self._confirmations.stored(event)
        if told is not None:
            self._frame.confirmed.append(event.id)
            if not _is_same(told, event):
                self._tally = replace(self._tally, altered=self._tally.altered + 1)
                self._frame.corrections.append(Correction(told.sort_key, event))
        if before or position <= self._floor:
            return False
        self._announcements.stored(position)
        self._frame.events.append(self._lean.lean(event))
        return True

    def judge(self, looked_at: Iterable[int], held: Collection[int]) -> None:
        """Take in which of the claims at the positions `looked_at` the store holds."""
        wrong = self._confirmations.judge(looked_at, held)
        self._frame.unconfirmed.update(event.id for event in wrong)

    def _is_signed(self, payload: bytes) -> bool | None:
        """None when signatures are not looked at."""
        if self._signer is None:
            return None
        signature = self._signer.check(payload)
        tally = self._tally
        if signature is Signature.MISSING:
            self._tally = replace(tally, unsigned=tally.unsigned + 1)
        elif signature is Signature.WRONG:
            self._tally = replace(tally, forged=tally.forged + 1)
        return signature is Signature.VALID

    def open_with(self, opening: Opening, known: Iterable[Event], position: int, overlap: int) -> None:
        """Start, or start over, from what the store held when its last position was `position`.

        `known` are events that must not be taken for new ones. Commits up to `overlap` before `position` may
        still become visible; all before those are in the opening, by their rollups at least.
        """
        for event in known:
            self._known.note(event.id, Seen.OPENING)
        self._announcements.forget()
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
        self._frame.missing.extend(self._confirmations.overdue(since))

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
            tuple(frame.corrections),
            tuple(frame.refusals),
            tuple(frame.heard.items()),
        )


def _is_same(told: Event, stored: Event) -> bool:
    """Whether the store has what the bus told; only the position is the store's own to give."""
    return {**told.__dict__, "position": None} == {**stored.__dict__, "position": None}

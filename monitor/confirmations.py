"""What the bus alone told of: looked up in the store, as anyone who may publish can claim anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from store.event import Event

MAX_UNCONFIRMED = 1000
"""Events looked up by their id; further ones keep their mark."""
MAX_CLAIMS = 20_000
"""Events whose claim to be stored is looked at, between two looks; of a flood, the rest is believed."""


@dataclass(frozen=True, slots=True)
class _Claim:
    event: Event
    made_at: float


class Confirmations:
    """Events that came by the bus and were not seen in the store yet. Moments are monotonic, in seconds.

    One that tells its position in the store is a *claim*, and believed until someone has looked there. One that
    tells none, or is not there, is *unconfirmed*.
    """

    def __init__(self) -> None:
        self._claims: dict[int, _Claim] = {}
        self._unconfirmed: dict[UUID, _Claim] = {}

    @property
    def unconfirmed(self) -> Collection[UUID]:
        """Ids to look up in the store."""
        return self._unconfirmed.keys()

    def claim(self, event: Event, position: int, moment: float) -> None:
        """Note that `event` is said to be stored at `position`."""
        if len(self._claims) < MAX_CLAIMS:
            self._claims[position] = _Claim(event, moment)

    def doubt(self, event: Event, moment: float) -> None:
        """Note that nothing speaks for `event` but its message."""
        if len(self._unconfirmed) < MAX_UNCONFIRMED:
            self._unconfirmed[event.id] = _Claim(event, moment)

    def stored(self, event: Event) -> Event | None:
        """Note that the store has `event`. Returns what the bus told of it, if that was in doubt."""
        position = event.position or 0
        if position in self._claims and self._claims[position].event.id == event.id:
            del self._claims[position]
        doubted = self._unconfirmed.pop(event.id, None)
        return None if doubted is None else doubted.event

    def claims(self) -> list[tuple[int, UUID]]:
        """Where which events are said to be, by position."""
        return sorted((position, claim.event.id) for position, claim in self._claims.items())

    def judge(self, looked_at: Iterable[int], held: Collection[int]) -> list[Event]:
        """Take in which of the claims that were looked at hold. Returns the events of the others."""
        wrong: list[Event] = []
        for position in looked_at:
            claim = self._claims.pop(position, None)
            if claim is not None and position not in held:
                self.doubt(claim.event, claim.made_at)
                wrong.append(claim.event)
        return wrong

    def overdue(self, since: float) -> list[UUID]:
        """Give up, and return, the unconfirmed events that came before `since`."""
        late = [identifier for identifier, claim in self._unconfirmed.items() if claim.made_at <= since]
        for identifier in late:
            del self._unconfirmed[identifier]
        return late

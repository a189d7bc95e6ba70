"""A batch on its way from the recorder's queue to the database: decoded once, stored in as many steps as it takes."""

from __future__ import annotations

import json
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from store.dead_letters import DeadLetter
from store.event import Event
from store.taxonomy import RefusedEventError, active
from store.wire import validation_reason

_EVENT = TypeAdapter(Event)
MAX_BYTES = 1024 * 1024
"""What the events of a batch may have together, encoded, if they are more than one."""
ATTEMPTS_MAX = 10
"""Attempts, within half a minute, that may end with an error that nothing explains, before a batch is suspected."""


@dataclass(slots=True)
class Batch:
    """Encoded events, and what became of them so far.

    `pending` are still to be stored, `letters` to be buried. `unexplained` counts the attempts that ended with an
    error of which it is not known whose fault it is: a thread that could not be started, a driver that broke.
    `internal_errors` counts those that ended with one of our own.
    """

    payloads: list[bytes]
    producer: str
    pending: list[Event] = field(default_factory=list[Event])
    letters: list[DeadLetter] = field(default_factory=list[DeadLetter])
    stored: int = 0
    duplicates: int = 0
    dead_lettered: int = 0
    decoded: bool = False
    unexplained: int = 0
    internal_errors: int = 0

    def decode(self) -> None:
        """Fill `pending` and `letters` from the payloads: what is no event, or not admitted, is refused.

        Raises:
            MemoryError: there is no room for them now.
        """
        if self.decoded:
            return
        pending: list[Event] = []
        letters: list[DeadLetter] = []
        for payload in self.payloads:
            try:
                pending.append(active().admit(_EVENT.validate_json(payload)))
            except ValidationError as error:
                letters.append(_letter(payload, validation_reason(error), self.producer))
            except RefusedEventError as error:
                letters.append(_letter(payload, str(error), self.producer))
            except MemoryError:
                raise
            except Exception as error:
                # Whatever a rule makes of it, one event must not take the others with it.
                letters.append(_letter(payload, type(error).__name__, self.producer))
        self.pending, self.letters, self.decoded = pending, letters, True

    def leave_out(self, known: Container[UUID]) -> None:
        """Count as duplicates what is pending of `known` ids, or comes twice."""
        new: dict[UUID, Event] = {}
        for event in self.pending:
            if event.id in known or event.id in new:
                self.duplicates += 1
            else:
                new[event.id] = event
        self.pending = list(new.values())

    def settle(self, events: Sequence[Event], stored: int, buried: int) -> None:
        """Take `events` out of what is pending, of which `stored` were new, and the first `buried` of the letters."""
        done = {event.id for event in events}
        self.pending = [event for event in self.pending if event.id not in done]
        self.stored += stored
        self.duplicates += len(events) - stored
        del self.letters[:buried]
        self.dead_lettered += buried

    def refuse(self, event: Event, reason: str) -> None:
        """Move `event`, which the database refused, from what is pending to the letters."""
        self.pending = [other for other in self.pending if other is not event]
        payload = _ascii(event.model_dump_json(exclude={"position"}).encode())
        self.letters.append(DeadLetter(reason, payload, event.id, event.event_type, self.producer))

    def pardon(self, event: Event) -> None:
        """Undo the `refuse` that came last: `event` is the first of what is pending again."""
        self.letters.pop()
        self.pending.insert(0, event)

    @property
    def is_suspect(self) -> bool:
        """Whether an error that nothing explains may come of one of the events, for it comes again and again."""
        return self.unexplained >= ATTEMPTS_MAX

    @property
    def event_bytes(self) -> int:
        """What an event has on average, encoded."""
        return sum(map(len, self.payloads)) // max(1, len(self.payloads))

    @property
    def left(self) -> int:
        """How many events are neither stored nor buried yet."""
        return len(self.payloads) - self.stored - self.duplicates - self.dead_lettered


def _letter(payload: bytes, reason: str, producer: str) -> DeadLetter:
    text = _ascii(payload)
    identifier, event_type = None, None
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        fields = None
    if isinstance(fields, dict):
        named: dict[str, object] = fields  # pyright: ignore[reportUnknownVariableType]
        event_type = str(named["event_type"])[:128] if "event_type" in named else None
        try:
            identifier = UUID(str(named.get("id")))
        except ValueError:
            identifier = None
    return DeadLetter(reason, text, identifier, event_type, producer)


def _ascii(payload: bytes) -> str:
    """`payload` as JSON of ASCII alone, which every database takes; as it is, if it is no JSON."""
    if payload.isascii():
        return payload.decode()
    try:
        return json.dumps(json.loads(payload))
    except (ValueError, RecursionError):
        return payload.decode(errors="backslashreplace").encode("ascii", "backslashreplace").decode()

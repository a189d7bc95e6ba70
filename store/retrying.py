"""Dead letters tried again: what was refused once may be admitted now, by another taxonomy or another schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from store.dead_letters import PAYLOAD_MAX, DeadLetter
from store.event import Event
from store.events import EventStore
from store.importing.stable_id import stable_id
from store.one_by_one import create_accepted
from store.taxonomy import RefusedEventError, active
from store.wire import validation_reason

_EVENT = TypeAdapter(Event)


@dataclass(slots=True)
class Retried:
    """What became of some letters. `stored` and `duplicates` were removed; `kept` stay, by number, with the reason."""

    stored: int = 0
    duplicates: int = 0
    kept: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def add(self, other: Retried) -> None:
        """Count `other` too."""
        self.stored += other.stored
        self.duplicates += other.duplicates
        self.kept += other.kept


async def retry(store: EventStore, letters: Sequence[DeadLetter]) -> Retried:
    """Decode the payloads of `letters` again, store and announce what is admitted now, and remove those letters.

    `letters` come from `DeadLetterRepository`. An event that is stored already is not stored again, so that a retry
    that was cut short can be repeated.

    Raises:
        StoreError: the database failed. No letter was removed whose event is not stored.
        ValueError: a letter has no number, for it was never stored. Nothing was stored or removed then.
    """
    retried = Retried()
    events: list[Event] = []
    numbers: list[int] = []
    for letter in letters:
        number = _number(letter)
        try:
            events.append(active().admit(revived(letter)))
            numbers.append(number)
        except ValidationError as error:
            retried.kept.append((number, validation_reason(error)))
        except RefusedEventError as error:
            retried.kept.append((number, str(error)))
        except (ValueError, RecursionError) as error:
            retried.kept.append((number, str(error) or type(error).__name__))
    outcome = await create_accepted(store, events)
    retried.stored, retried.duplicates = outcome.stored, outcome.duplicates
    refused = dict(outcome.refused)
    retried.kept += [(numbers[place], reason) for place, reason in refused.items()]
    retried.kept.sort()
    await store.dead_letters.remove([number for place, number in enumerate(numbers) if place not in refused])
    return retried


def revived(letter: DeadLetter) -> Event:
    """The event of `letter`. A payload without id or time gets those of the letter, the same each time.

    Raises:
        pydantic.ValidationError: the payload is no event.
        ValueError: the payload was cut off when it was kept.
    """
    if len(letter.payload) >= PAYLOAD_MAX:
        raise ValueError("the payload was cut off when it was kept")
    event = _EVENT.validate_json(letter.payload)
    missing: dict[str, Any] = {}
    if "inserted_at" not in event.model_fields_set and letter.failed_at is not None:
        missing["inserted_at"] = letter.failed_at
    if "id" not in event.model_fields_set:
        moment = missing.get("inserted_at", event.inserted_at)
        missing["id"] = letter.event_id or stable_id(moment, letter.payload.encode(), _number(letter))
    return event.model_copy(update=missing) if missing else event


def _number(letter: DeadLetter) -> int:
    if letter.id is None:
        raise ValueError("the letter was never stored")
    return letter.id

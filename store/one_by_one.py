"""Storing events of which the database may refuse some: the ones at fault stand alone, the others are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from store.errors import DataRefusedError, StoreError
from store.event import Event
from store.events import EventStore
from store.taxonomy import RefusedEventError


@dataclass(slots=True)
class Outcome:
    """What became of some events. `refused` are those that were not stored, by place among them, with the reason."""

    stored: int = 0
    duplicates: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])


async def create_accepted(store: EventStore, events: Sequence[Event]) -> Outcome:
    """Store and announce those of `events` that the database takes: in one transaction, when it takes all of them.

    Raises:
        StoreError: the database failed. What was stored until then stays; to try all of them again does no harm.
    """
    outcome = Outcome()
    # Of each span that is refused, the halves are tried, the first one first.
    spans = [(0, len(events))] if events else []
    while spans:
        start, end = spans.pop()
        try:
            stored = await store.create_many(events[start:end])
        except (DataRefusedError, RefusedEventError) as error:
            reason = error.reason if isinstance(error, DataRefusedError) else str(error)
        except StoreError:
            raise
        except Exception as error:
            # Whatever else goes wrong goes wrong with these events, and would again.
            reason = str(error).partition("\n")[0] or type(error).__name__
        else:
            outcome.stored += len(stored)
            outcome.duplicates += end - start - len(stored)
            continue
        if end - start == 1:
            outcome.refused.append((start, reason))
            continue
        middle = (start + end + 1) // 2
        spans += ((middle, end), (start, middle))
    return outcome

"""How counters that are pending are named in Redis: one hash for each epoch, one field for each counter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from store.counters.tally import CounterKey

KEEP_SECONDS = 86_400
"""How long Redis keeps what nobody flushes."""
WHOLE = ""
"""The field that says that the hash was there when its epoch began: nothing was lost with an earlier one."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What events of one commit add to counters, and the epoch that the commit belongs to.

    `epoch` is 0 in a store whose counters nobody has flushed yet: nothing is kept for it.
    """

    epoch: int
    added: Mapping[CounterKey, int]


def epoch_key(epoch: int) -> str:
    """The hash that holds what was added in an epoch. Epochs are random numbers: stores may share a server."""
    return f"evtop:c:{epoch:x}"


def field_of(key: CounterKey) -> str:
    """The field of a counter. No two counters have the same, whatever their resources are called."""
    return f"{key.counter} {len(key.resource_type)} {key.resource_type} {key.resource_id}"


def key_of(field: str) -> CounterKey | None:
    """The counter of a field; None for what is no such field."""
    counter, _, rest = field.partition(" ")
    length, _, named = rest.partition(" ")
    if not counter or not length.isdecimal() or not length.isascii() or len(length) > 4:
        return None
    size = int(length)
    return CounterKey(named[:size], named[size + 1 :], counter) if named[size : size + 1] == " " else None

"""The account of a recorder, as applications read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderStats:
    """What became of every event, as of one moment.

    `accepted` are all that `record()` was given since the process began (a forked one begins anew), but for those
    that sampling left out; `recovered` were found in the spool, from an earlier process. Each of them is one of:
    `queued`, in memory; `spooled`, on disk; `stored`, in the table and counted; `duplicates`, in the table or
    known by id before; `dead_lettered`, refused, and kept with the reason; `dropped`, by reason.

    Of the stored, the bus took `announced`. `retries` are failed attempts to commit; `listener_failures` are
    callbacks that raised, `listener_overflows` events that a slow one missed. `away` says why the database cannot
    be used, None when it can.
    """

    accepted: int
    recovered: int
    sampled_out: int
    queued: int
    spooled: int
    stored: int
    duplicates: int
    dead_lettered: int
    dropped: Mapping[str, int]
    announced: int
    retries: int
    listener_failures: int
    listener_overflows: int
    away: str | None

    @property
    def balance(self) -> int:
        """What is not accounted for: 0, always."""
        kept = self.queued + self.spooled + self.stored + self.duplicates + self.dead_lettered
        return self.accepted + self.recovered - kept - sum(self.dropped.values())

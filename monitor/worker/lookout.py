"""Looks in the store, now and then, for what workers do, so that a console leaves it to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from monitor.errors import read_failure
from monitor.worker.registry import ALERTS
from monitor.worker.tells import tell_name
from store.leases import JobState, Leases

LOOK_EVERY = 5.0
"""Seconds between two looks: so long, beside its lease, a worker that was killed is taken for alive."""
RETRY_MAX = 60.0
"""The same where the jobs cannot be read."""


class Lookout:
    """What the jobs were like at the last look. Where they cannot be read, nobody does anything, as far as is known.

    `channels` gives the identities of the channels that this console tells; working them out may take a while.
    """

    def __init__(self, leases: Leases, channels: Callable[[], Sequence[str]]) -> None:
        self._leases = leases
        self._channels = channels
        self.jobs: Mapping[str, JobState] | None = None
        """By name; None where they could not be read, or were not looked at yet."""
        self.failure = ""
        """Why they could not be read, in one line; else empty."""
        self.told: frozenset[str] = frozenset()
        """The identities of those channels that a worker tells."""

    @property
    def alerts_are_watched(self) -> bool:
        """Whether a worker records what fires."""
        return self._is_held(ALERTS)

    async def run(self, looked: Callable[[], None]) -> None:
        """Look, and call `looked` after each look, until cancelled."""
        names: dict[str, str] = {}
        with suppress(Exception):
            # Without them, this console tells all its channels.
            names = {identity: tell_name(identity) for identity in await asyncio.to_thread(self._channels)}
        wait = LOOK_EVERY
        while True:
            try:
                self.jobs = await self._leases.states()
            except Exception as error:
                # Whatever it was: this console does all that is its own to do.
                self.jobs, self.failure = None, read_failure(error)
                wait = min(RETRY_MAX, 2 * wait)
            else:
                self.failure, wait = "", LOOK_EVERY
            self.told = frozenset(identity for identity, name in names.items() if self._is_held(name))
            looked()
            await asyncio.sleep(wait)

    def _is_held(self, name: str) -> bool:
        state = None if self.jobs is None else self.jobs.get(name)
        return state is not None and state.holder is not None

"""One run of a job, under its lease: begun, held while it lasts, given back however it ends."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from monitor.errors import StartError, internal_error
from monitor.worker.registry import Job
from store.errors import StoreError
from store.leases import Leases

GIVE_BACK_WITHIN, GIVE_BACK_TRIES = 10.0, 2
"""Seconds that giving a lease back may take, and how often it is tried."""
_log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How a run ended."""

    DONE = "done"
    FAILED = "failed"
    LOST = "lost"
    """Someone else has the job now: it was not renewed in time."""
    STOPPED = "stopped"
    """This worker ends."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """`said` is what was done, or why it failed, in one line of raw text; `seconds` is how long it took."""

    job: Job
    outcome: Outcome
    said: str
    seconds: float


class Run:
    """Does `work`, which is what `job` does, while its lease, which is taken already, is renewed."""

    def __init__(
        self,
        job: Job,
        leases: Leases,
        work: Callable[[], Awaitable[str]],
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._leases = leases
        self._begin = work
        self._tick = tick
        self._lost = False

    async def __call__(self) -> RunEnd:
        """Do it. Cancelled, it is broken off and given back, so that another worker goes on at once.

        Returns:
            How it ended; it raises nothing but what cancels it.
        """
        began = self._tick()
        work = asyncio.ensure_future(self._begin())
        keeping = asyncio.create_task(self._keep(work), name=f"{self._job.name}: lease")
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            await _cancelled(work)
            await _cancelled(keeping)
            await self._give_back(self._leases.end if self._job.goes_on else self._leases.let_go)
            raise
        await _cancelled(keeping)
        outcome, said = self._result(work)
        if outcome is Outcome.FAILED:
            await self._give_back(lambda name: self._leases.end(name, said))
        elif outcome is Outcome.DONE and not await self._give_back(self._leases.end):
            outcome, said = Outcome.LOST, f"{said}; another worker had taken it by then"
        return RunEnd(self._job, outcome, said, self._tick() - began)

    def _result(self, work: asyncio.Future[str]) -> tuple[Outcome, str]:
        if self._lost:
            return Outcome.LOST, "another worker has taken it"
        if work.cancelled():
            return Outcome.FAILED, "cancelled"
        match work.exception():
            case None:
                return Outcome.DONE, work.result()
            case StoreError() | StartError() as error:
                return Outcome.FAILED, str(error)
            case error:
                while isinstance(error, BaseExceptionGroup):
                    error = error.exceptions[0]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
                return Outcome.FAILED, internal_error(error)  # pyright: ignore[reportUnknownArgumentType]

    async def _keep(self, work: asyncio.Future[str]) -> None:
        """Renew the lease while the work goes on; end the work when it is another one's."""
        length = self._leases.length.total_seconds()
        held_from = self._tick()
        while True:
            await asyncio.sleep(length / 3)
            asked_at = self._tick()
            try:
                is_held = await self._leases.renew(self._job.name)
            except StoreError as error:
                _log.info("%s: its lease is not renewed: %s", self._job.name, error)
                if self._job.bridges_outages or self._tick() < held_from + length:
                    continue
                is_held = False
            if not is_held:
                self._lost = True
                work.cancel()
                return
            held_from = asked_at

    async def _give_back(self, how: Callable[[str], Awaitable[bool]]) -> bool:
        """Whether nobody else had it. Where that cannot be told, it runs out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GIVE_BACK_WITHIN):
                # Once more: a file that another one has locked for long is free as a rule by then.
                for _ in range(GIVE_BACK_TRIES):
                    with suppress(StoreError):
                        return await how(self._job.name)
        return True


async def _cancelled(task: asyncio.Future[str] | asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

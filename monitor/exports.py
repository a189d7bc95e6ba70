"""The exports of a console: one at a time, beside everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from store.errors import StoreError

if TYPE_CHECKING:
    from monitor.export.job import ExportJob
    from store.repository import EventRepository


class Exports:
    """Runs jobs and says what became of them: `tell` is called with a line and whether it is an error."""

    def __init__(self, tell: Callable[[str, bool], None]) -> None:
        self._tell = tell
        self._task: asyncio.Task[None] | None = None
        self._given_up = False
        self.job: ExportJob | None = None
        """What is being exported."""
        self.last: Path | None = None
        """Where the last export went."""

    async def run(self, job: ExportJob, repository: EventRepository) -> None:
        """Run `job` to its end, or until `cancel`."""
        self.job, self._given_up = job, False
        self._task = asyncio.ensure_future(job.run(repository))
        try:
            await self._task
            said, failed = _outcome(job), False
        except asyncio.CancelledError:
            if not self._given_up:
                raise
            said, failed = f"the export was cancelled; {job.path} was not written", False
        except (OSError, StoreError) as error:
            said, failed = f"the export failed: {error}", True
        except Exception as error:
            # Its text may quote an event.
            said, failed = f"the export failed: {type(error).__name__}; {job.path} was not written", True
        else:
            self.last = job.path
        finally:
            self.job = self._task = None
        self._tell(said, failed)

    def cancel(self) -> None:
        """Give the job up; nothing remains of its file. One that is ending ends."""
        if self._task is not None and self.job is not None and not self.job.is_ending:
            self._given_up = True
            self._task.cancel()


def _outcome(job: ExportJob) -> str:
    events = "1 event" if job.written == 1 else f"{job.written:,} events"
    left_out = f"; {job.unreadable:,} rows that are no events were left out" if job.unreadable else ""
    return f"{events} written to {job.path}{left_out}"

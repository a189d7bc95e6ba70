"""Scheduled jobs: each is run, timed and recorded, whether it succeeds or fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from monitor.demo.media import Library
from monitor.demo.search import Search
from store.recording import Actor, Records, Resource, fields_of

Work = Callable[[], dict[str, object]]
"""The work of a job; returns the figures worth recording."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs: first after `first` seconds, then every `every` seconds."""

    name: str
    first: float
    every: float


SCHEDULES = (
    Schedule("rss-sync", 5, 20),
    Schedule("refresh-metadata", 33, 75),
    Schedule("cleanup", 48, 130),
    Schedule("backup", 90, 150),
)
LIBRARY_SCAN = "library-scan"
"""Not among `SCHEDULES`: a scan takes its time, and is timed by the one who runs it."""


class Jobs:
    """Runs jobs by name."""

    def __init__(self, recorder: Records, library: Library, search: Search, random: Random) -> None:
        self._recorder = recorder
        self._library = library
        self._search = search
        self._random = random
        self.backup_disk_full = False
        self._attempts: dict[str, int] = {}
        self._work: dict[str, Work] = {
            "rss-sync": self._sync,
            "refresh-metadata": self._refresh,
            "cleanup": self._clean_up,
            "backup": self._back_up,
        }

    def run(self, name: str) -> bool:
        """Run the job `name`; returns whether it succeeded. A job that fails stops nothing but itself."""
        attempt = self._attempts.get(name, 0) + 1
        duration_ms = self._random.randint(80, 9_000)
        try:
            figures = self._work[name]()
        except Exception as error:
            self._attempts[name] = attempt
            self._recorder.record(
                "job.failed",
                **fields_of(Actor.job(name), Resource("job", name)),
                status="failed",
                metadata={
                    "error": str(error),
                    "duration_ms": duration_ms,
                    "attempt": attempt,
                },
            )
            return False
        self._attempts[name] = 0
        self.record_executed(name, duration_ms, attempt=attempt, **figures)
        return True

    def record_executed(self, name: str, duration_ms: int, **figures: object) -> None:
        """Record that the job `name` succeeded."""
        self._recorder.record(
            "job.executed",
            **fields_of(Actor.job(name), Resource("job", name)),
            status="completed",
            metadata={
                "duration_ms": duration_ms,
                **figures,
            },
        )

    def _sync(self) -> dict[str, object]:
        return {"releases_new": self._search.sync()}

    def _refresh(self) -> dict[str, object]:
        return {"items": len(self._library.items)}

    def _clean_up(self) -> dict[str, object]:
        return {
            "files_deleted": self._random.randint(0, 40),
            "bytes_freed": self._random.randrange(9 * 10**9),
        }

    def _back_up(self) -> dict[str, object]:
        if self.backup_disk_full:
            raise OSError(28, "No space left on device", "/backup/evening.tar.zst")
        return {"path": "/backup/evening.tar.zst", "size_bytes": self._random.randrange(10**8, 9 * 10**8)}

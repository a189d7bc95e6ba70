"""What a job of the worker is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.alert_watch import AlertWatch
from monitor.backend import Backend
from monitor.health.rule import Rule
from monitor.notify.chosen import Telling
from monitor.settings import Settings
from store.database import Database
from store.leases import JobState, Leases


@dataclass(frozen=True, slots=True)
class Context:
    """`before` is how the job was before this run, by the database's clock; `now` is what this machine's clock says.

    With `once` the job is to come to an end by itself, also where it goes on otherwise. `watching` is told of what
    watches alerts here, and of None when it has ended.
    """

    settings: Settings
    backend: Backend
    leases: Leases
    rules: Sequence[Rule]
    telling: Telling
    now: Callable[[], datetime]
    tick: Callable[[], float]
    before: JobState
    once: bool
    watching: Callable[[AlertWatch | None], None]

    @property
    def database(self) -> Database:
        """The open store."""
        return self.backend.store.database

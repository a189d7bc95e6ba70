"""The figures of a worker for Prometheus, on loopback alone. Names follow https://prometheus.io/docs/practices/naming/."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from monitor.alert_watch import AlertWatch
from monitor.errors import StartError
from monitor.health.engine import AlertState
from monitor.model.arrivals import FROM_FILES, Link
from monitor.worker.figures import Figures
from monitor.worker.registry import JOBS
from monitor.worker.run import Outcome
from store.database import Database
from store.dead_letters import DeadLetterRepository
from store.errors import StoreError
from store.event import Severity
from store.leases import JobState, Leases
from store.repository import EventRepository

LOOPBACK = "127.0.0.1"
WITHIN = 10.0
"""Seconds after which whoever asks for figures is given none."""
STORE_WITHIN = 5.0
"""Seconds that the store may take; after that, figures come without those of the store."""
TALLY = {
    "received": ("events", "Distinct events that arrived, live or from the store."),
    "malformed": ("malformed_messages", "Messages that were no events."),
    "duplicates": ("duplicate_announcements", "Announcements of an event that was announced before."),
    "dropped": ("dropped_messages", "Messages that did not fit the buffer; the store is read for them."),
    "missed": ("missed_announcements", "Announcements that never came, by the producers' own numbering."),
    "recovered": ("recovered_events", "Events that only the store told of."),
    "unreadable": ("unreadable_rows", "Rows of the store that are no events."),
    "lost": ("lost_events", "Missed announcements whose events the store does not have."),
    "unsigned": ("unsigned_messages", "Messages without a signature, where a key is set."),
    "forged": ("forged_messages", "Messages with a wrong signature, where a key is set."),
    "altered": ("altered_events", "Events that the store has otherwise than the bus told."),
}
"""What the feed counts: the part of the name, and what it is."""


@dataclass(frozen=True, slots=True)
class _OfStore:
    """What was asked of the store for one answer; None where it did not tell."""

    jobs: Mapping[str, JobState] | None = None
    position: int | None = None
    dead_letters: int | None = None


class WorkerCollector(Collector):
    """Puts figures together when they are asked for: on the event loop, where they change, not in the server's own."""

    def __init__(
        self, figures: Figures, leases: Leases, database: Database, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._figures = figures
        self._leases = leases
        self._database = database
        self._loop = loop

    def describe(self) -> Iterable[Metric]:
        """Nothing before it is asked for: the loop does not run while this is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """All figures, as of now."""
        return asyncio.run_coroutine_threadsafe(self._collect(), self._loop).result(WITHIN)

    async def _collect(self) -> Sequence[Metric]:
        of_store = await self._ask_store()
        told = GaugeMetricFamily("evtop_worker_info", "What runs.", labels=["version", "holder"])
        told.add_metric([version("evtop"), self._leases.holder], 1)
        figures = self._figures
        of_jobs = _of_jobs(figures, of_store, self._leases.holder)
        return [told, *of_jobs, *_of_the_store(of_store), *_of_watch(figures.watch)]

    async def _ask_store(self) -> _OfStore:
        try:
            async with asyncio.timeout(STORE_WITHIN):
                return _OfStore(
                    await self._leases.states(job.name for job in JOBS),
                    await EventRepository(self._database).last_position(),
                    await DeadLetterRepository(self._database).count(),
                )
        except (StoreError, TimeoutError):
            return _OfStore()


def _of_jobs(figures: Figures, of_store: _OfStore, holder: str) -> Iterator[Metric]:
    names = [job.name for job in JOBS]
    states = of_store.jobs or {}
    runs = CounterMetricFamily(
        "evtop_job_runs", "Runs that have ended in this worker.", labels=["job", "outcome"]
    )
    took = SummaryMetricFamily("evtop_job_duration_seconds", "How long runs took.", labels=["job"])
    last = GaugeMetricFamily("evtop_job_last_duration_seconds", "How long the last run took.", labels=["job"])
    success = GaugeMetricFamily(
        "evtop_job_last_success_timestamp_seconds", "When the job last ended well, anywhere.", labels=["job"]
    )
    running = GaugeMetricFamily("evtop_job_running", "1 while the job runs in this worker.", labels=["job"])
    lease = GaugeMetricFamily("evtop_job_lease_held", "1 while this worker has the job.", labels=["job"])
    held = GaugeMetricFamily("evtop_job_held", "1 while any worker has the job.", labels=["job"])
    for name in names:
        for outcome in Outcome:
            runs.add_metric([name, outcome], figures.runs[name, outcome])
        ended = sum(figures.runs[name, outcome] for outcome in Outcome)
        took.add_metric([name], ended, figures.seconds[name])
        if name in figures.last_seconds:
            last.add_metric([name], figures.last_seconds[name])
        running.add_metric([name], name in figures.running)
        state = states.get(name)
        known = [figures.last_success.get(name, 0.0)]
        if state is not None:
            lease.add_metric([name], state.holder == holder)
            held.add_metric([name], state.holder is not None)
            if state.ended_at is not None and state.failure is None:
                known.append(state.ended_at.timestamp())
        if any(known):
            success.add_metric([name], max(known))
    yield from (runs, took, last, success, running, lease, held)


def _of_the_store(of_store: _OfStore) -> Iterator[Metric]:
    yield GaugeMetricFamily("evtop_store_up", "1 when the store answers.", of_store.jobs is not None)
    if of_store.position is not None:
        yield GaugeMetricFamily("evtop_store_position", "The position of the last commit.", of_store.position)
    if of_store.dead_letters is not None:
        yield GaugeMetricFamily(
            "evtop_dead_letters", "Events that could not be stored.", of_store.dead_letters
        )


def _of_watch(watch: AlertWatch | None) -> Iterator[Metric]:
    """What the feed and the alerts are like; nothing where another worker watches."""
    if watch is None:
        return
    model, now = watch.model, datetime.now(UTC)
    link = GaugeMetricFamily("evtop_feed_link", "1 for how news comes at present.", labels=["link"])
    for one in Link:
        if one not in FROM_FILES:
            link.add_metric([one], model.status.link is one)
    yield link
    yield GaugeMetricFamily(
        "evtop_feed_store_up", "1 when the feed can read the store.", not model.status.store_error
    )
    if model.lag is not None:
        yield GaugeMetricFamily(
            "evtop_feed_lag_seconds", "From the newest event to its arrival, of the last batch.", model.lag
        )
    if model.newest_at is not None:
        yield GaugeMetricFamily(
            "evtop_feed_newest_event_timestamp_seconds",
            "When the latest event happened.",
            model.newest_at.timestamp(),
        )
    yield GaugeMetricFamily("evtop_feed_open_gaps", "Gaps that may still hide events.", model.open_gaps)
    yield CounterMetricFamily("evtop_feed_late_events", "Events that came 10 s late or more.", model.late)
    for field in fields(model.tally):
        name, does = TALLY[field.name]
        yield CounterMetricFamily(f"evtop_feed_{name}", does, getattr(model.tally, field.name))
    yield from _of_alerts(watch, now)


def _of_alerts(watch: AlertWatch, now: datetime) -> Iterator[Metric]:
    shown = watch.model.alerts.shown(now)
    alerts = GaugeMetricFamily("evtop_alerts", "Alerts by state.", labels=["state", "severity"])
    for state in AlertState:
        for severity in Severity:
            alerts.add_metric(
                [state, severity],
                sum(one.alert.state is state and one.alert.severity is severity for one in shown),
            )
    yield alerts
    yield GaugeMetricFamily(
        "evtop_alerts_calling",
        "Alerts that fire and that nobody acknowledged or silenced.",
        sum(one.attention for one in shown),
    )
    yield GaugeMetricFamily(
        "evtop_alerts_recorded", "1 when what fires can be recorded.", not watch.unrecorded
    )
    labels = ["channel", "identity"]
    sent = CounterMetricFamily("evtop_notifications_sent", "Notifications that were taken.", labels=labels)
    failed = CounterMetricFamily("evtop_notifications_failed", "Those given up.", labels=labels)
    waiting = GaugeMetricFamily("evtop_notifications_waiting", "Those that wait.", labels=labels)
    for messenger in watch.teller.messengers:
        state = messenger.state
        told_apart = [state.name, messenger.identity]
        sent.add_metric(told_apart, state.sent)
        failed.add_metric(told_apart, state.failed)
        waiting.add_metric(told_apart, state.waiting)
    yield from (sent, failed, waiting)


@contextmanager
def served(collector: WorkerCollector, port: int) -> Generator[int]:
    """Answer on `port` of 127.0.0.1 while it lasts; 0 takes one that is free. Gives the port.

    Raises:
        StartError: the port cannot be had; one line that says why.
    """
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    try:
        # Without an address it would answer everyone who reaches the machine.
        server, thread = start_http_server(port, addr=LOOPBACK, registry=registry)
    except OSError as error:
        raise StartError(f"--metrics: port {port} of {LOOPBACK}: {error.strerror or error}") from None
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

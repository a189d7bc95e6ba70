"""A recorder's account as figures for Prometheus, in the application that records.

For an application that uses `prometheus_client` already: `REGISTRY.register(RecorderCollector(recorder))`. Names follow
https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from store.recorder.stats import RecorderStats

COUNTED = {
    "accepted": "Events that were given to be recorded.",
    "recovered": "Events of an earlier process that were found in the spool.",
    "sampled_out": "Events that sampling left out.",
    "stored": "Events in the table.",
    "duplicates": "Events whose id was in the table before.",
    "dead_lettered": "Events that were refused, and kept with the reason.",
    "announced": "Stored events that the bus took.",
    "retries": "Attempts to commit that failed.",
    "listener_failures": "Callbacks that raised.",
    "listener_overflows": "Events that a slow callback missed.",
}
WAITING = {"queued": "Events that wait in memory.", "spooled": "Events that wait on disk."}


class Accounts(Protocol):
    """What gives the account: a `Recorder`."""

    def stats(self) -> RecorderStats:
        """What became of every event."""
        ...


class RecorderCollector(Collector):
    """All that `recorder.stats()` tells, as of the moment when it is asked for; from any thread."""

    def __init__(self, recorder: Accounts) -> None:
        self._recorder = recorder

    def collect(self) -> Iterable[Metric]:
        """The figures, each `evtop_recorder_…`; what was dropped by its reason."""
        stats = self._recorder.stats()
        for name, does in COUNTED.items():
            yield CounterMetricFamily(f"evtop_recorder_{name}", does, getattr(stats, name))
        dropped = CounterMetricFamily(
            "evtop_recorder_dropped", "Events that were given up, by reason.", labels=["reason"]
        )
        for reason, number in stats.dropped.items():
            dropped.add_metric([reason], number)
        yield dropped
        for name, does in WAITING.items():
            yield GaugeMetricFamily(f"evtop_recorder_{name}", does, getattr(stats, name))
        yield GaugeMetricFamily(
            "evtop_recorder_balance", "What is not accounted for: 0, always.", stats.balance
        )
        yield GaugeMetricFamily(
            "evtop_recorder_database_up", "1 when the database can be used.", stats.away is None
        )

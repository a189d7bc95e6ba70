"""Which benches there are, and which figures each one gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.bench import (
    alerts,
    append,
    burst,
    event_cost,
    filtering,
    growth,
    indexing,
    live_memory,
    live_path,
    numbers,
    outage,
    reconnect,
    recording,
    retention,
    rules,
    startup,
    store_to_eye,
    sustained,
    window_memory,
    wire,
)
from tests.bench.figure import Figure


@dataclass(frozen=True, slots=True)
class Bench:
    """A bench. `figures` are the names of what `run` gives, which may come one by one."""

    name: str
    figures: tuple[str, ...]
    run: Callable[[], Iterable[Figure]]
    limit: int = 300
    """Seconds that it may take."""

    def answers(self, name: str) -> bool:
        """Whether `name` is this bench or one of its figures."""
        return name == self.name or name in self.figures


BENCHES = (
    Bench("event_cost", ("decode_us", "clean_us", "mask_us"), event_cost.run),
    Bench("startup", ("help_s", "first_paint_s"), startup.run),
    Bench("live_path", ("live_path_ratio", "live_path_uncounted"), live_path.run),
    Bench("burst", ("burst_key_p95_ms", "burst_key_worst_ms", "burst_uncounted"), burst.run),
    Bench(
        "reconnect",
        ("bus_live_again_s", "bus_repaired_s", "bus_missing_ids", "bus_double_ids", "silent_cut_noticed_s"),
        reconnect.run,
    ),
    Bench("live_memory", ("live_memory_growth_mb",), live_memory.run, 600),
    Bench("window_memory", ("window_memory_mb",), window_memory.run),
    Bench("store_to_eye", ("store_to_eye_median_ms", "store_to_eye_worst_ms"), store_to_eye.run),
    Bench("append", ("append_ratio",), append.run),
    Bench("growth", tuple(f"{name}_growth" for name in growth.READS), growth.run_sqlite, 900),
    Bench(
        "filtering",
        (
            "filter_indexed_ms",
            "filter_indexed_worst_ms",
            "filter_text_first_row_ms",
            "filter_key_p95_ms",
            "filter_instead_ms",
            *indexing.NAMES,
            "filter_text_screen_ms",
            "filter_text_screen_worst_ms",
        ),
        filtering.run,
        1800,
    ),
    Bench(
        "growth_postgresql",
        tuple(f"postgresql_{name}_growth" for name in growth.READS),
        growth.run_postgresql,
        900,
    ),
    Bench(
        "recording",
        ("record_median_us", "record_p99_us", "record_to_queue_handler", "full_queue_mb"),
        recording.run,
    ),
    Bench("outage", ("record_away_p99_ratio", "spool_drain_rate", "outage_balance"), outage.run),
    Bench(
        "retention",
        tuple(f"prune_{name}_longest_lock_ms" for name in retention.DATABASES),
        retention.run,
    ),
    Bench(
        "alerts",
        ("alert_fires_median_ms", "alert_fires_worst_ms", "alerts_open_ms", "alert_history_ms"),
        alerts.run,
    ),
    Bench("rules", ("rules_cost_percent", "rules_test_s"), rules.run),
    Bench("counters", ("counter_differences", "counter_increments_per_s"), numbers.run_counters),
    Bench(
        "pages",
        (
            *("snapshots_s", "snapshots_longest_lock_ms", "dashboard_open_ms"),
            *("resource_page_few_ms", "resource_page_many_ms", "resource_screen_growth"),
        ),
        numbers.run_pages,
        1500,
    ),
    Bench(
        "sustained_2000",
        (
            "sustained_rate",
            "sustained_missing",
            "sustained_gaps_left",
            "key_echo_p95_ms",
            "console_cpu_percent",
        ),
        sustained.run,
    ),
    Bench(
        "wire",
        (
            *("wire_200_kb_s", "wire_200_cpu_percent", "wire_low_200_kb_s", "wire_low_200_cpu_percent"),
            *("wire_5000_kb_s", "wire_5000_cpu_percent", "wire_idle_bytes_s", "wire_idle_cpu_percent"),
        ),
        wire.run,
        400,
    ),
)

"""The account of a recorder, as Prometheus scrapes it."""

from __future__ import annotations

from dataclasses import fields
from urllib.request import urlopen

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from store.integration.prometheus import COUNTED, WAITING, RecorderCollector
from store.recorder import Recorder, RecorderOptions
from store.recorder.stats import RecorderStats


def scraped(recorder: Recorder) -> dict[tuple[str, ...], float]:
    registry = CollectorRegistry()
    registry.register(RecorderCollector(recorder))
    server, thread = start_http_server(0, addr="127.0.0.1", registry=registry)
    try:
        with urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=20) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    return {
        (sample.name.removeprefix("evtop_recorder_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_all_of_the_account_is_scraped(url: str) -> None:
    with Recorder(url) as recorder:
        for number in range(3):
            recorder.record("job.executed", metadata={"number": number})
        recorder.record("No Event Type")
        assert recorder.flush(30)
        stats, found = recorder.stats(), scraped(recorder)
        assert (stats.stored, stats.dead_lettered) == (3, 1)
        for name in COUNTED:
            assert found[f"{name}_total",] == getattr(stats, name), name
        for name in (*WAITING, "balance"):
            assert found[name,] == getattr(stats, name), name
        assert found["database_up",] == 1
    told = {*COUNTED, *WAITING, "dropped", "away"}
    assert told == {field.name for field in fields(RecorderStats)}


def test_what_is_dropped_and_a_database_that_is_away_are_told() -> None:
    with Recorder("postgresql://u@127.0.0.1:1/none", options=RecorderOptions(queue_events=2)) as recorder:
        for _ in range(200):
            recorder.record("job.executed")
        found = scraped(recorder)
        assert found["accepted_total",] == 200
        assert sum(value for key, value in found.items() if key[0] == "dropped_total") > 0
        assert found["balance",] == 0
        recorder.close(0.1)

"""`evtop worker` as a process: runs of jobs, what is said of them, how it ends, and figures that are really scraped."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.settings import CONFIG_VARIABLE, SECRET_VARIABLES, VARIABLES
from store.database import Database
from store.event import Event
from store.leases import JobState, Leases
from tests.console.commands import Running, emitted, evtop, one_line, publish, stored
from tests.events import make_event
from tests.pty_console import PrivateHome
from tests.waiting import wait_until

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/metrics")


@pytest.fixture
def home() -> Iterator[PrivateHome]:
    with PrivateHome(EVTOP_BUS="none") as home:
        yield home


def old(number: int, days: float) -> Event:
    return make_event(number, inserted_at=datetime.now(UTC) - timedelta(days=days))


def job_of(home: PrivateHome, name: str) -> JobState | None:
    async def look() -> JobState | None:
        async with _opened(home) as leases:
            return await leases.state(name)

    return asyncio.run(look())


@asynccontextmanager
async def _opened(home: PrivateHome) -> AsyncIterator[Leases]:
    database = await Database.open(home.store_url)
    try:
        yield Leases(database, "a test")
    finally:
        await database.close()


def figures(worker: Running) -> dict[tuple[str, ...], float]:
    """What is scraped: the name and the values of the labels, in the order of their names, to the value."""
    wait_until(lambda: ADDRESS.search(worker.errors), what=lambda: worker.errors)
    found = ADDRESS.search(worker.errors)
    assert found is not None
    with urlopen(found[0], timeout=20) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_single_run_does_its_work_and_says_so(home: PrivateHome) -> None:
    stored(home, old(1, 100), old(2, 95), old(3, 1))
    done = evtop(home, "worker", "--once", "retention")
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(r"evtop: retention: 2 events, 0 dead letters deleted \(\d+\.\d s\)\n", done.stderr)
    assert evtop(home, "tail", "--count").stdout == "1\n"
    job = job_of(home, "retention")
    assert job is not None
    assert job.began_at is not None
    assert job.ended_at is not None
    assert (job.holder, job.failure) == (None, None)
    # However short a while ago it was: who asks for it wants it.
    assert evtop(home, "worker", "--once", "retention", EVTOP_RETENTION_DAYS="0.5").returncode == 0
    assert evtop(home, "tail", "--count").stdout == "0\n"


def test_what_another_worker_runs_is_left_to_it(home: PrivateHome) -> None:
    async def take() -> None:
        async with _opened(home) as leases:
            await leases.register(["retention"])
            await leases.take("retention")

    asyncio.run(take())
    done = evtop(home, "worker", "--once", "retention")
    assert (done.returncode, done.stderr) == (3, "evtop: retention: not run, a test is at it\n")


def test_a_run_that_fails_is_status_one_and_on_record(home: PrivateHome) -> None:
    stored(home, old(1, 100), old(2, 1))
    with sqlite3.connect(home.store_url.removeprefix("sqlite:///")) as store:
        store.execute(
            "CREATE TRIGGER no BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'not\x1b[31m today'); END"
        )
    store.close()
    done = evtop(home, "worker", "--once", "retention")
    assert done.returncode == 1
    assert "retention: failed: " in done.stderr
    assert "\x1b" not in done.stderr
    job = job_of(home, "retention")
    assert job is not None
    assert "not\\x1b[31m today" in (job.failure or "")


@pytest.mark.parametrize(
    ("words", "variables", "said"),
    [
        (["--once", "everything"], {}, "--once: there is no job 'everything'; there are "),
        (["--once", "retention", "--metrics", "0"], {}, "--metrics is for a worker that goes on"),
        ([], {"EVTOP_RETENTION_DAYS": "-3"}, "EVTOP_RETENTION_DAYS: a number of days above 0"),
        ([], {"EVTOP_RULES": "/nowhere.toml"}, "EVTOP_RULES /nowhere.toml: No such file"),
        ([], {"EVTOP_NOTIFY_WEBHOOK_FILE": "/nowhere"}, "EVTOP_NOTIFY_WEBHOOK_FILE: /nowhere: No such"),
        ([], {"EVTOP_STORE": "sqlite:////dev/null/x.db"}, "EVTOP_STORE sqlite:////dev/null/x.db: "),
    ],
)
def test_what_cannot_be_is_one_line(
    home: PrivateHome, words: list[str], variables: dict[str, str], said: str
) -> None:
    assert one_line(evtop(home, "worker", *words, **variables)).startswith(said)


def test_a_store_that_may_only_be_read_is_refused(home: PrivateHome) -> None:
    stored(home, make_event(1))
    store = home.store_url.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
    for words in ([], ["--once", "retention"]):
        said = one_line(evtop(home, "worker", *words, EVTOP_STORE=store))
        assert "only reading is allowed here" in said


def test_a_port_that_is_taken_is_one_line(home: PrivateHome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = one_line(evtop(home, "worker", "--metrics", str(port)))
    assert said == f"--metrics: port {port} of 127.0.0.1: Address already in use"


def test_single_runs_of_alerts_tell_what_is_new_since_the_one_before(home: PrivateHome) -> None:
    noted = home.directory / "told"
    script = f"import sys; print(sys.argv[1], file=open({str(noted)!r}, 'a'))"
    command = f"{sys.executable} -c {shlex.quote(script)}"

    def runs() -> list[str]:
        noted.write_text("")
        done = evtop(
            home, "worker", "--once", "alerts", EVTOP_NOTIFY_COMMAND=command, EVTOP_RECORD_ALERTS="1"
        )
        assert done.returncode == 0, done.stderr
        return noted.read_text().splitlines()

    # What fires when alerts are looked at for the first time is no news.
    stored(home, _health(1, "a", "down", -3600))
    assert runs() == []
    stored(home, _health(2, "b", "down"), _health(3, "c", "down"))
    assert runs() == ["[local] firing: indexer/c is down and 2 more"]
    stored(home, _health(4, "a", "up"), _health(5, "b", "up"))
    assert runs() == ["[local] firing: indexer/c is down"]
    assert runs() == []
    stored(home, _health(6, "c", "up"))
    assert runs() == ["[local] resolved: indexer/c is down"]
    listed = evtop(home, "alerts", "list", "-o", "json").stdout
    assert [json.loads(line)["state"] for line in listed.splitlines()] == ["resolved"] * 3


def _health(number: int, name: str, status: str, ago: float = 0.0) -> Event:
    return make_event(
        number,
        event_type="indexer.health_changed",
        resource_type="indexer",
        resource_id=name,
        status=status,
        inserted_at=datetime.now(UTC) + timedelta(seconds=ago),
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)]
)
def test_a_signal_ends_it_in_order(home: PrivateHome, number: signal.Signals, status: int) -> None:
    with Running(home, "worker") as worker:
        wait_until(lambda: "alerts: begun" in worker.errors and "retention: 0" in worker.errors, 30)
        assert worker.end(number) == status
        assert "alerts: stopped" in worker.errors
        assert "Traceback" not in worker.errors
    alerts = job_of(home, "alerts")
    assert alerts is not None
    assert (alerts.holder, alerts.is_broken_off) == (None, False)


def test_figures_are_scraped() -> None:
    with PrivateHome(EVTOP_RECORD_ALERTS="1") as home, Running(home, "worker", "--metrics", "0") as worker:
        wait_until(lambda: "alerts: begun" in worker.errors and "retention: 0" in worker.errors, 30)
        wait_until(lambda: figures(worker).get(("evtop_feed_link", "live")) == 1, 30)
        emitted(home, "job.failed", "--resource", "job/sync")
        publish(home.bus_socket, b"no event")
        wait_until(lambda: figures(worker)["evtop_alerts", "error", "firing"] == 1, 30)
        wait_until(lambda: figures(worker)["evtop_feed_malformed_messages_total",] == 1, 30)
        # What fired is on record, which is an event, too.
        wait_until(lambda: figures(worker)["evtop_feed_events_total",] == 2, 30)
        found = figures(worker)
        assert found["evtop_job_runs_total", "retention", "done"] == 1
        assert found["evtop_job_duration_seconds_count", "retention"] == 1
        assert found["evtop_job_duration_seconds_sum", "retention"] > 0
        assert found["evtop_job_last_success_timestamp_seconds", "retention"] > 1.7e9
        assert (found["evtop_job_lease_held", "alerts"], found["evtop_job_lease_held", "retention"]) == (1, 0)
        assert (found["evtop_job_running", "alerts"], found["evtop_store_up",]) == (1, 1)
        assert found["evtop_store_position",] == 2
        assert found["evtop_alerts_calling",] == 1
        assert found["process_resident_memory_bytes",] > 0
        port = int(ADDRESS.findall(worker.errors)[0])
        _assert_on_loopback_alone(port)
        assert worker.end(signal.SIGTERM) == 143


UNIT = Path(__file__).parents[2] / "docs" / "evtop-worker.service"


def test_the_unit_of_the_docs_starts_what_there_is(home: PrivateHome, tmp_path: Path) -> None:
    text = UNIT.read_text()
    [command] = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, *words = command.split()
    assert evtop(home, *words, "--help").returncode == 0
    named = set(re.findall(r"\b(EVTOP_\w+)=", text))
    assert named
    assert named <= {*VARIABLES, *SECRET_VARIABLES, CONFIG_VARIABLE}
    assert f"SuccessExitStatus={128 + signal.SIGTERM}\n" in text
    if shutil.which("systemd-analyze"):
        unit = tmp_path / UNIT.name
        unit.write_text(text.replace(program, sys.executable))
        done = subprocess.run(
            ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr


def _assert_on_loopback_alone(port: int) -> None:
    address = f"{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    assert [each for each in listening if each.endswith(f":{address}")] == [f"0100007F:{address}"]

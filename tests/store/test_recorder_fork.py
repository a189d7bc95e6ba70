"""A recorder and processes that are forked: each has a queue, a producer and connections of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from store.recorder import lifecycle
from tests.store.recorder_runs import contents, prepare, run_script
from tests.waiting import wait_until

PREAMBLE = """
import json, os, sys, threading, time
from store.recorder import Recorder, RecorderOptions

def fork(work):
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return pid

def wait(pid, deadline):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return "hangs"
"""


def test_ids_of_a_process_and_its_children_differ() -> None:
    run = run_script(
        PREAMBLE
        + """
from store.recorder.recorder import uuid7
uuid7()
pipes = []
for _ in range(8):
    reader, writer = os.pipe()
    def work():
        with os.fdopen(writer, "wb") as file:
            file.write(b"".join(uuid7().bytes for _ in range(20_000)))
        return True
    pipes.append((fork(work), reader))
    os.close(writer)
ids = {uuid7().bytes for _ in range(20_000)}
for pid, reader in pipes:
    with os.fdopen(reader, "rb") as file:
        text = file.read()
    ids.update(text[at : at + 16] for at in range(0, len(text), 16))
    assert wait(pid, 10) == 0
print(len(ids))
"""
    )
    assert run.said == 9 * 20_000


def test_a_forked_worker_stores_its_own_events_and_none_of_its_parent(store_url: str) -> None:
    prepare(store_url)
    run = run_script(
        PREAMBLE
        + """
recorder = Recorder(sys.argv[1])
# Used before the fork: some are stored, some wait in the queue.
recorder.record("app.started", metadata={"who": "parent"})
assert recorder.flush(10)
for _ in range(50):
    recorder.record("app.started", metadata={"who": "parent"})

def work():
    assert recorder.stats().accepted == 0
    for _ in range(100):
        assert recorder.record("job.executed", metadata={"who": os.getpid()})
    assert recorder.flush(20)
    stats = recorder.stats()
    return (stats.stored, stats.queued, stats.balance) == (100, 0, 0) and recorder.close(5)

workers = [fork(work) for _ in range(4)]
for _ in range(50):
    recorder.record("app.started", metadata={"who": "parent"})
codes = [wait(pid, 40) for pid in workers]
assert recorder.close(10)
print(json.dumps([codes, recorder.stats().stored, recorder.stats().balance, workers]))
""",
        store_url,
        timeout=60,
    )
    assert run.errors == ""
    codes, stored, balance, workers = run.said
    assert (codes, stored, balance) == ([0] * 4, 101, 0)
    by = Counter(event.metadata["who"] for event in contents(store_url).events)
    assert by == {"parent": 101, **dict.fromkeys(workers, 100)}


@pytest.mark.thorough
def test_many_forks_under_load_neither_block_nor_lose(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    prepare(url)
    run = run_script(
        PREAMBLE
        + """
recorder = Recorder(sys.argv[1])
ends = threading.Event()
def load():
    while not ends.wait(0.0005):
        recorder.record("job.executed", metadata={"who": "parent"})
threads = [threading.Thread(target=load) for _ in range(4)]
for thread in threads:
    thread.start()
assert recorder.flush(10)

def work():
    return recorder.record("job.executed", metadata={"who": "child"}) and recorder.flush(10)

codes = [wait(fork(work), 15) for _ in range(60)]
ends.set()
for thread in threads:
    thread.join()
assert recorder.close(20)
stats = recorder.stats()
print(json.dumps([codes, stats.accepted, stats.stored, stats.balance]))
""",
        url,
        timeout=100,
    )
    codes, accepted, stored, balance = run.said
    assert codes == [0] * 60
    assert accepted == stored
    assert balance == 0
    assert Counter(event.metadata["who"] for event in contents(url).events) == {"parent": stored, "child": 60}
    assert run.errors == ""


def test_forks_of_several_threads_at_once_end_too(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    run = run_script(
        PREAMBLE
        + """
recorder = Recorder(sys.argv[1])
recorder.record("app.started", metadata={"who": "parent"})
codes = []
def work():
    return recorder.record("job.executed", metadata={"who": "child"}) and recorder.flush(10)
def run():
    for _ in range(5):
        codes.append(wait(fork(work), 15))
        recorder.record("app.started", metadata={"who": "parent"})
threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert recorder.close(10)
print(json.dumps(codes))
""",
        url,
        timeout=90,
    )
    assert run.said == [0] * 20
    assert Counter(event.metadata["who"] for event in contents(url).events) == {"parent": 21, "child": 20}


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_of_multiprocessing_may_record_and_return(tmp_path: Path, method: str) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    file = tmp_path / "program.py"
    file.write_text(
        """
import multiprocessing, sys
from store.recorder import Recorder

recorder = Recorder(sys.argv[1])

def work(n):
    recorder.record("job.executed", metadata={"n": n})

if __name__ == "__main__":
    recorder.record("job.executed", metadata={"n": 0})
    context = multiprocessing.get_context(sys.argv[2])
    workers = [context.Process(target=work, args=(n,)) for n in (1, 2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0, worker.exitcode
"""
    )
    start = "import runpy, sys; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
    run = run_script(start, file, url, method)
    assert run.errors == ""
    assert sorted(contents(url).numbers) == [0, 1, 2, 3]


def test_a_listener_is_called_in_the_process_that_stored(tmp_path: Path) -> None:
    run = run_script(
        PREAMBLE
        + """
recorder = Recorder(sys.argv[1])
seen = []
recorder.on_recorded(lambda events: seen.extend(event.metadata["n"] for event in events))
recorder.record("job.executed", metadata={"n": 0})
assert recorder.flush(10)
def work():
    seen.clear()
    recorder.record("job.executed", metadata={"n": 1})
    return recorder.close(10) and seen == [1]
code = wait(fork(work), 15)
assert recorder.close(10)
print(json.dumps([code, seen]))
""",
        f"sqlite:///{tmp_path / 'events.db'}",
    )
    assert run.said == [0, [0]]


def test_a_child_does_not_keep_the_connections_of_its_parent_open(store_url: str) -> None:
    prepare(store_url)
    run = run_script(
        PREAMBLE
        + """
recorder = Recorder(sys.argv[1])
recorder.record("app.started", metadata={"who": "parent"})
assert recorder.flush(10)
def work():
    names = [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    sockets = [name for name in names if "socket:" in name]
    # What wakes the loop of the parent is a pair of sockets, of which one end stays.
    os.write(1, json.dumps([sorted(name for name in names if "events.db" in name), len(sockets)]).encode())
    return True
code = wait(fork(work), 15)
assert code == 0
""",
        store_url,
    )
    assert run.said == [[], 1]


@pytest.mark.thorough
@pytest.mark.parametrize("spools", [False, True])
def test_a_child_begins_anew_though_no_descriptor_is_left(
    store_url: str, tmp_path: Path, spools: bool
) -> None:
    prepare(store_url)
    run = run_script(
        PREAMBLE
        + """
import resource
from pathlib import Path
from store.recorder import SpoolSettings
spool = SpoolSettings(folder=Path(sys.argv[2]) if sys.argv[2] else None)
recorder = Recorder(sys.argv[1], options=RecorderOptions(spool=spool))
recorder.record("app.started", metadata={"who": "parent"})
assert recorder.flush(10)

def inherited():
    return [fd for fd in connections if os.path.realpath(f"/proc/self/fd/{fd}") == connections[fd]]

def work():
    kept = inherited()
    for file in held:
        os.close(file)
    before = recorder.stats().accepted
    answer = recorder.record("job.executed", metadata={"who": "child"})
    flushed = recorder.flush(20)
    stats = recorder.stats()
    # What wakes the loop of the parent is a pair of sockets, of which one end stays.
    os.write(1, json.dumps([before, answer, flushed, stats.accepted, stats.stored, len(kept) <= 1]).encode())
    return recorder.close(10)

_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
names = {fd: os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")}
connections = {fd: name for fd, name in names.items() if "socket:" in name}
held = []
try:
    while True:
        held.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
pid = fork(work)
for file in held:
    os.close(file)
code = wait(pid, 40)
recorder.record("app.started", metadata={"who": "parent"})
assert recorder.flush(20)
stats = recorder.stats()
assert (code, stats.accepted, stats.stored, stats.balance) == (0, 2, 2, 0), (code, stats)
""",
        store_url,
        tmp_path / "spool" if spools else "",
        timeout=90,
    )
    assert run.said == [0, True, True, 1, 1, True]
    by = Counter(event.metadata["who"] for event in contents(store_url).events)
    assert by == {"parent": 2, "child": 1}


class Member:
    """Lives in the process, and fails at whatever it is told."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.told: list[str] = []

    def __getattr__(self, name: str) -> Callable[[], None]:
        def be_told() -> None:
            self.told.append(name)
            if self.fails:
                raise ZeroDivisionError

        return be_told


@pytest.fixture
def living(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As at the start of a process, in which nothing lives yet."""
    living = type(lifecycle._living)()
    monkeypatch.setattr(lifecycle, "_living", living)
    return living


def test_one_that_fails_keeps_no_other_from_following_the_process(living: Any) -> None:
    members: list[Any] = [Member(fails=True), Member(), Member(fails=True)]
    for member in members:
        lifecycle.register(member)
    for act in (lifecycle._flush_all, lifecycle._close_all, lifecycle._pause_all, lifecycle._resume_all):
        act()
    lifecycle._pause_all()
    lifecycle._begin_all_anew()
    acts = ["flush_at_exit", "close_at_exit", "pause_before_fork", "resume_after_fork"]
    for member in members:
        assert member.told == [*acts, "pause_before_fork", "begin_anew_after_fork"]


def test_recorders_may_be_made_while_the_process_forks(living: Any) -> None:
    ends = threading.Event()
    made: list[Any] = []

    def make() -> None:
        while not ends.is_set():
            made.append(Member())
            lifecycle.register(made[-1])
            if len(made) > 2000:
                del made[:1000]

    thread = threading.Thread(target=make)
    thread.start()
    try:
        wait_until(lambda: len(made) > 500)
        for _ in range(200):
            lifecycle._pause_all()
            lifecycle._resume_all()
    finally:
        ends.set()
        thread.join()


INTERRUPTED_FORKS = """
import concurrent.futures.thread, ctypes, functools, json, logging, os, random, signal, sys, threading

sys.unraisablehook = lambda _: None


def trip(signum):
    # Not a Python function, and unlike `signal.raise_signal` nothing that calls the handler: the next function does.
    return functools.partial(getattr(ctypes.CDLL(None), "raise"), signum)


def ignore(signum):
    signal.signal(signum, signal.SIG_IGN)
    return signum


signals = [ignore(s) for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGVTALRM)]
# Just before the hooks of the recorder: what is registered first comes last before a fork, and first after it. Those
# of the standard library, which are imported above, are not met: they would leave a lock of its own taken.
os.register_at_fork(after_in_parent=trip(signals[0]))
from store.recorder import Recorder, fork_pause
fork_pause._FORK_SECONDS = 1.0  # the first interrupt keeps the fork from saying that it is over
os.register_at_fork(before=trip(signals[1]), after_in_parent=trip(signals[2]))

recorder = Recorder(sys.argv[1])
recorder.record("job.executed")
assert recorder.flush(20)


class Interrupted(BaseException):
    pass


raised = []


def interrupt(*_):
    raised.append(1)
    raise Interrupted


def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)


said = []
for signum in signals:
    signal.signal(signum, interrupt)
    try:
        fork()
    except Interrupted:
        pass
    ignore(signum)
    other = threading.Thread(target=fork, daemon=True)
    other.start()
    other.join(10)
    recorder.record("job.executed")
    said.append([len(raised), other.is_alive(), recorder.flush(20)])
print(json.dumps(said))
sys.stdout.flush()
os._exit(0)
"""


def test_a_signal_handler_that_raises_in_the_middle_of_a_fork_holds_up_nobody(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'events.db'}"
    prepare(url)
    run = run_script(INTERRUPTED_FORKS, url, timeout=90)
    assert run.said == [[1, False, True], [2, False, True], [3, False, True]]

"""Signal handlers that interrupt `record()` wherever it happens to be: they may record too, and they may raise.

In processes of their own: what interrupts the tracer of a coverage measurement, or a callback that a test tool gave
to the garbage collector, would leave a lock taken or be swallowed there.
"""

from __future__ import annotations

import pytest

from tests.store.recorder_runs import NOWHERE, run_script

INTERRUPTED = """
import json, signal, sys
from contextlib import contextmanager

from store.recorder import Recorder, RecorderOptions
from store.recorder.encoding import EVENT_MAX_BYTES
from store.recorder.ledger import CLOSED
from tests.store.recorder_runs import balanced
from tests.waiting import wait_until


@contextmanager
def interrupted_by(handler):
    # Every few milliseconds of processor time, in the main thread.
    signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
    try:
        yield
    finally:
        # For good: the default would end the process, should a last one be under way.
        signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


url = sys.argv[1]
"""

HANDLER_RECORDS = """
recorder = Recorder(url, options=RecorderOptions(queue_events=1_000_000, queue_bytes=2**30))
accepted, balances = [], []


def handle(*_):
    # What is raised here is raised inside `record()`, which would take it for its own.
    accepted.append(recorder.record("app.interrupted"))
    accepted.append(recorder.record("app.interrupted", metadata={"x": object()}))
    balances.append(recorder.stats().balance)


recorded = 0
with balanced(recorder), interrupted_by(handle):
    while len(balances) < 100:
        assert recorder.record("job.executed")
        recorded += 1
assert accepted == [True] * 2 * len(balances)
assert not any(balances), balances
assert recorder.flush(30)
stats = recorder.stats()
assert stats.accepted == recorded + len(accepted), (stats, recorded)
assert (stats.stored, stats.balance) == (stats.accepted, 0), stats
assert recorder.close(10)
print(json.dumps(len(balances)))
"""

HANDLER_IS_REFUSED = """
recorder = Recorder(url, options=RecorderOptions(queue_events=1))
recorder.close()
handled = recorded = 0


def handle(*_):
    global handled
    handled += 1
    recorder.record("app.interrupted")


with interrupted_by(handle):
    while handled < 100:
        recorder.record("job.executed")
        recorded += 1
stats = recorder.stats()
assert stats.accepted == stats.dropped[CLOSED] == recorded + handled, (stats, recorded, handled)
print(json.dumps(handled))
"""

HANDLER_RAISES = """
recorder = Recorder(url)
records = False


def interrupt(*_):
    global records
    if records:
        records = False
        raise KeyboardInterrupt


# What is logged is logged before: an interrupt could leave a lock of `logging` taken.
recorder._warned.update(["too large", "queue full"])
interrupted = 0
with interrupted_by(interrupt):
    while interrupted < 300:
        try:
            records = True
            # An interrupt that meets a destructor is only printed.
            while records:
                recorder.record("job.executed")
                recorder.record("job.executed", metadata={"too": "large" * EVENT_MAX_BYTES})
        except KeyboardInterrupt:
            interrupted += 1
assert recorder.stats().balance == 0, recorder.stats()
# Not by a flush, which would ring for those whose ring was interrupted.
wait_until(lambda: not recorder.stats().queued, 30)
stored = recorder.stats().stored
assert recorder.record("job.executed")
wait_until(lambda: recorder.stats().stored == stored + 1)
assert recorder.stats().balance == 0, recorder.stats()
print(json.dumps(interrupted))
"""


@pytest.mark.thorough
def test_a_signal_handler_may_record_while_it_interrupts_record(url: str) -> None:
    assert run_script(INTERRUPTED + HANDLER_RECORDS, url, timeout=90).said >= 100


def test_refusals_in_a_signal_handler_are_all_counted() -> None:
    assert run_script(INTERRUPTED + HANDLER_IS_REFUSED, NOWHERE, timeout=60).said >= 100


def test_an_interrupt_while_recording_leaves_the_balance_at_0(url: str) -> None:
    assert run_script(INTERRUPTED + HANDLER_RAISES, url, timeout=90).said == 300

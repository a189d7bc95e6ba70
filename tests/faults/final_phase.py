"""The end of a fault test: the fault is over, everything arrives, a fresh event passes, and the account is right."""

from __future__ import annotations

from tests.faults.child import Producer
from tests.faults.judge import Evidence, differences, evidence, in_order, judge
from tests.faults.oracle import Promises
from tests.waiting import wait_until

DRAINED_WITHIN = 30.0
FRESH_WITHIN = 20.0


def drained(producer: Producer, within: float = DRAINED_WITHIN) -> float:
    """Wait until nothing is on the way any more, in memory or on disk. Returns how many seconds that took."""

    def on_the_way() -> int:
        stats = producer.stats()
        assert stats["balance"] == 0, stats
        return stats["queued"] + stats["spooled"]

    return wait_until(lambda: on_the_way() == 0, within, "everything has left memory and spool")


def fresh_passes(producer: Producer) -> None:
    """See that a new event is stored as if nothing had happened."""
    before = producer.stats()
    producer.record(1)
    producer.recorded()
    assert producer.flush(FRESH_WITHIN)
    drained(producer, FRESH_WITHIN)
    after = producer.stats()
    assert after["stored"] == before["stored"] + 1, (before, after)
    assert after["away"] is None, after


def all_is_well(url: str, producer: Producer, at_least: int) -> tuple[Evidence, Promises]:
    """Hold a producer that lived through the fault to everything: see `tests.faults.judge`.

    At least `at_least` events must have been accepted, for a test that moved nothing shows nothing.
    """
    drained(producer)
    fresh_passes(producer)
    found, promises = evidence(url), producer.promises()
    verdict = judge(found, [promises])
    assert verdict, verdict
    assert in_order(found, promises)
    assert not (wrong := differences(producer.stats(), promises, found)), wrong
    assert len(promises.accepted) >= at_least
    assert producer.close()
    return found, promises

"""Keeping a share of a firehose: the same share everywhere, and known of each event that is kept."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from store.database import Database
from store.recorder import Recorder, RecorderOptions
from store.repository import EventRepository
from store.sampling import KEPT_SHARE, Sampling, weight
from tests.events import NOON, make_event
from tests.store.recorder_runs import balanced, contents

FIREHOSE = "catalogue.searched"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'events.db'}"


def ids(count: int) -> tuple[int, list[UUID]]:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    return seed, [UUID(int=rng.getrandbits(128)) for _ in range(count)]


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
def test_the_kept_share_is_the_share(share: float) -> None:
    seed, identifiers = ids(100_000)
    sampling = Sampling({FIREHOSE: share})
    kept = sum(sampling.keeps(FIREHOSE, identifier) for identifier in identifiers)
    # Six standard deviations.
    deviation = (100_000 * share * (1 - share)) ** 0.5
    assert abs(kept - 100_000 * share) < 6 * deviation, f"seed {seed}"


def test_ids_as_record_makes_them_are_random_where_sampling_looks() -> None:
    sampling = Sampling({FIREHOSE: 0.5})
    kept = sum(sampling.keeps(FIREHOSE, uuid7()) for _ in range(20_000))
    assert abs(kept - 10_000) < 6 * 71


def test_every_producer_comes_to_the_same_decision() -> None:
    seed, identifiers = ids(1000)
    decisions = [
        [Sampling({FIREHOSE: 0.3}).keeps(FIREHOSE, identifier) for identifier in identifiers]
        for _ in range(2)
    ]
    assert decisions[0] == decisions[1], f"seed {seed}"
    # A larger share keeps what a smaller one keeps.
    wider = Sampling({FIREHOSE: 0.6})
    assert all(
        wider.keeps(FIREHOSE, identifier)
        for identifier, kept in zip(identifiers, decisions[0], strict=True)
        if kept
    ), f"seed {seed}"


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan"), float("inf")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"share of 'catalogue\.searched'"):
        Recorder("sqlite://", options=RecorderOptions(sampling={FIREHOSE: share}))


def test_kept_events_say_what_share_was_kept_and_the_others_are_counted(url: str) -> None:
    seed, identifiers = ids(2000)
    options = RecorderOptions(sampling={FIREHOSE: 0.25, "job.executed": 1.0})
    sampling = Sampling({FIREHOSE: 0.25})
    expected = [identifier for identifier in identifiers if sampling.keeps(FIREHOSE, identifier)]
    with Recorder(url, options=options) as first, Recorder(url, options=options) as second:
        for recorder in (first, second):
            with balanced(recorder):
                for identifier in identifiers:
                    assert recorder.record(FIREHOSE, id=identifier, metadata={"query": "x"})
                recorder.record("job.executed")
                assert recorder.flush(20)
            stats = recorder.stats()
            assert stats.sampled_out == 2000 - len(expected), f"seed {seed}"
            assert stats.accepted == len(expected) + 1, f"seed {seed}"
        assert second.stats().duplicates == len(expected)
    events = contents(url).events
    assert [event.id for event in events if event.event_type == FIREHOSE] == expected
    for event in events:
        kept = {"query": "x", KEPT_SHARE: 0.25} if event.event_type == FIREHOSE else {}
        assert event.metadata == kept


def test_counts_are_scaled_up_to_what_there_was(url: str) -> None:
    seed, identifiers = ids(4000)
    with Recorder(url, options=RecorderOptions(sampling={FIREHOSE: 0.1})) as recorder:
        for identifier in identifiers:
            recorder.record(FIREHOSE, id=identifier, inserted_at=NOON)
        for _ in range(7):
            recorder.record("job.executed", inserted_at=NOON)
        assert recorder.flush(20)
        kept = recorder.stats().stored - 7

    async def read() -> dict[str, tuple[int, float]]:
        database = await Database.open(url)
        try:
            facets = await EventRepository(database).facet_counts(NOON - timedelta(minutes=1))
            return {facet.event_type: (facet.count, facet.estimate) for facet in facets}
        finally:
            await database.close()

    counts = asyncio.run(read())
    assert counts["job.executed"] == (7, 7)
    count, estimate = counts[FIREHOSE]
    assert count == kept
    assert estimate == pytest.approx(kept * 10)
    assert abs(estimate - 4000) < 10 * 6 * (4000 * 0.1 * 0.9) ** 0.5, f"seed {seed}"


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": [1]},
        {"metadata": "text"},
        {"id": "no uuid"},
        {"id": 17},
        {"metadata": {"x": float("nan")}},
    ],
    ids=str,
)
def test_what_sampling_cannot_judge_goes_where_it_would_go_without(url: str, fields: dict[str, Any]) -> None:
    with Recorder(url, options=RecorderOptions(sampling={FIREHOSE: 0.999999999})) as recorder:
        assert recorder.record(FIREHOSE, **fields)
        assert recorder.record(["no text"], metadata={})  # pyright: ignore[reportArgumentType]
        assert recorder.flush(10)
        stats = recorder.stats()
    assert (stats.stored, stats.dead_lettered, stats.dropped) == (0, 2, {})


@pytest.mark.parametrize(
    ("share", "stands_for"),
    [
        (0.5, 2),
        (1, 1),
        (2**-32, 2**32),
        (0, 1),
        (-1, 1),
        (2, 1),
        (2**-40, 1),
        ("0.5", 1),
        (None, 1),
        ([0.5], 1),
    ],
)
def test_an_event_stands_for_as_many_as_its_share_says(share: Any, stands_for: float) -> None:
    assert weight(make_event(metadata={KEPT_SHARE: share})) == stands_for
    assert weight(make_event()) == 1

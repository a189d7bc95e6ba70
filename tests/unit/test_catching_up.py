"""Which commits were seen, which announcements were missed, which ids are known."""

from __future__ import annotations

from random import Random
from uuid import UUID

import pytest

from monitor.model.catching_up import KnownIds, Seen, Watermark


def test_the_watermark_is_the_position_up_to_which_all_was_seen() -> None:
    watermark = Watermark(10)
    for position, expected in [(11, 11), (13, 11), (14, 11), (12, 14), (3, 14), (14, 14), (15, 15)]:
        watermark.saw(position)
        assert watermark.position == expected


def test_positions_in_any_order_end_at_the_last() -> None:
    positions = Random(37).sample(range(1, 501), 500)
    watermark = Watermark()
    for count, position in enumerate(positions, 1):
        watermark.saw(position)
        seen = set(positions[:count])
        assert watermark.position == next(number for number in range(501) if number + 1 not in seen)


def test_reading_the_store_closes_holes_and_joins_what_was_seen_beyond() -> None:
    watermark = Watermark(10)
    for position in (15, 16, 20):
        watermark.saw(position)
    watermark.advance_to(14)
    assert watermark.position == 16
    watermark.advance_to(12)
    assert watermark.position == 16
    watermark.advance_to(30)
    watermark.saw(20)
    watermark.saw(31)
    assert watermark.position == 31


def test_a_flood_beyond_a_hole_is_forgotten_and_never_passes_the_hole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Watermark, "MAX_AHEAD", 100)
    watermark = Watermark()
    for position in range(2, 1000):
        watermark.saw(position)
    assert watermark.position == 0
    assert len(watermark._ahead) <= 100  # pyright: ignore[reportPrivateUsage]
    watermark.saw(1)
    assert watermark.position == 1
    watermark.advance_to(999)
    assert watermark.position == 999


def test_an_id_is_known_from_where_it_was_seen_before() -> None:
    known = KnownIds()
    first, second = UUID(int=1), UUID(int=2)
    assert known.note(first, Seen.BUS) is Seen.NOWHERE
    assert known.note(first, Seen.BUS) == Seen.BUS
    assert known.note(first, Seen.STORE) == Seen.BUS
    assert known.note(first, Seen.BUS) == Seen.BUS | Seen.STORE
    assert not known.note(second, Seen.STORE)
    assert len(known) == 2


def test_the_ids_seen_first_are_forgotten_first() -> None:
    known = KnownIds(capacity=3)
    for number in range(10):
        known.note(UUID(int=number), Seen.BUS)
    assert 3 <= len(known) <= 6
    assert [known.note(UUID(int=number), Seen.BUS) for number in (9, 8, 7, 1)] == [
        Seen.BUS,
        Seen.BUS,
        Seen.BUS,
        Seen.NOWHERE,
    ]

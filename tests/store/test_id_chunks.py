"""Statements with many values come in few lengths."""

from __future__ import annotations

from store.id_chunks import CHUNK, id_chunks


def test_all_values_are_there_in_order_and_the_last_fills_up() -> None:
    assert list(id_chunks([])) == []
    assert list(id_chunks([1])) == [[1]]
    assert list(id_chunks([1, 2, 3])) == [[1, 2, 3, 3]]
    many = list(range(CHUNK + 5))
    assert list(id_chunks(many)) == [many[:CHUNK], [*many[CHUNK:], *many[-1:] * 3]]


def test_there_are_as_many_lengths_as_powers_of_two() -> None:
    lengths = {len(chunk) for count in range(1, 3 * CHUNK) for chunk in id_chunks(range(count))}
    assert lengths == {2**power for power in range(CHUNK.bit_length())}

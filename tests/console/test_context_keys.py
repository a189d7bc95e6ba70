"""The keys that show what the filter hides around a row."""

from __future__ import annotations

import pytest

from store.errors import StoreUnavailableError
from tests.console.conftest import Opened, Operator, an_hour


def context_of(operator: Operator) -> list[str]:
    """The lines that are context."""
    return [line for line in operator.text("#timeline").splitlines() if "┊" in line]


async def filtered(operator: Operator) -> None:
    """Show one download's failures alone, and go to the last but one of them."""
    await operator.press("slash", *"type:download.failed", "enter", "k")
    await operator.sees(lambda: set(operator.types) == {"download.failed"})


async def test_rows_around_the_row_are_shown_more_of_them_and_fewer(opened: Opened) -> None:
    async with opened() as operator:
        await filtered(operator)
        event, shown = operator.timeline.selected_event, len(operator.app.model.timeline.rows)
        await operator.press("plus")
        await operator.sees(lambda: len(context_of(operator)) == 6)
        assert operator.timeline.selected_event == event
        lines = operator.text("#timeline").splitlines()
        assert event is not None
        [at] = [number for number, line in enumerate(lines) if event.metadata["title"] in line]
        assert ["┊" in line for line in lines[at - 4 : at + 5]] == [
            False,
            *[True] * 3,
            False,
            *[True] * 3,
            False,
        ]
        # They are no matches: not counted, not found.
        assert len(operator.app.model.timeline.rows) == shown
        assert f"3 around · {shown - 1}/{shown}" in operator.text()
        await operator.press("plus")
        await operator.sees(lambda: len(context_of(operator)) == 12)
        await operator.press("j")
        assert "6 around · hidden by the filter · G follows" in operator.text()
        await operator.press("enter")
        await operator.sees(lambda: len(operator.app.screen_stack) == 2)
        await operator.press("escape", "minus")
        assert len(context_of(operator)) == 6
        # From context, the next match is the row that it is around.
        assert operator.timeline.selected_event != event
        await operator.press("E")
        assert operator.timeline.selected_event == event
        await operator.press("minus")
        assert context_of(operator) == []
        await operator.press("minus")
        await operator.sees(lambda: "no rows around a match" in operator.text())


async def test_context_goes_with_the_filter_and_needs_one(opened: Opened) -> None:
    async with opened() as operator:
        await operator.press("plus")
        await operator.sees(lambda: "there is no filter" in operator.text())
        await filtered(operator)
        await operator.press("plus")
        await operator.sees(lambda: context_of(operator))
        await operator.press("C")
        assert context_of(operator) == []
        assert len(operator.types) == len(an_hour())


async def test_context_that_cannot_be_read_is_said(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened() as operator:
        await filtered(operator)

        async def away(*_: object) -> None:
            raise StoreUnavailableError("the store is away")

        monkeypatch.setattr(operator.app.reader, "before", away)
        await operator.press("plus")
        await operator.sees(lambda: "the store is away" in operator.text())
        assert context_of(operator) == []

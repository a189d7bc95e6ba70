"""The key that shows the row under the cursor whole."""

from __future__ import annotations

import pytest

from store.event import Event
from tests.console.conftest import Opened, Operator
from tests.events import make_event

WORDS = " ".join(f"word{number}" for number in range(40))


def talkative() -> list[Event]:
    """Events of which one says much."""
    return [
        make_event(number + 1, metadata={"error": WORDS if number == 50 else f"short {number}"})
        for number in range(60)
    ]


def lines_of_row(operator: Operator, line: int) -> list[int]:
    """The lines of the screen on which a line of the timeline stands."""
    view = operator.timeline
    top, height = view.viewport.top, view.size.height
    return [y for y in range(height) if view.line_at(y) + top == line]


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 12)])
async def test_the_row_under_the_cursor_is_shown_whole_and_no_other(
    opened: Opened, size: tuple[int, int]
) -> None:
    async with opened(size, stored=talkative()) as operator:
        await operator.press("ampersand", *"word39", "enter", "full_stop")
        cursor = operator.cursor
        drawn = operator.text("#timeline").splitlines()
        taken = lines_of_row(operator, cursor)
        assert len(taken) > 2
        below = " ".join(" ".join(drawn[y].strip(" │█") for y in taken[1:]).split())
        assert below.endswith((WORDS, "… enter shows all"))
        assert not drawn[taken[0]].startswith(" ")
        assert all(drawn[y].startswith("     ") for y in taken[1:])
        await operator.press("k")
        assert len(lines_of_row(operator, cursor)) == 1
        assert "word9" not in operator.text("#timeline")
        await operator.press("j", "full_stop")
        assert len(lines_of_row(operator, cursor)) == 1
        assert "word39" not in operator.text("#timeline")


async def test_what_is_read_stays_while_events_arrive(opened: Opened) -> None:
    async with opened(stored=talkative()) as operator:
        await operator.press("full_stop")
        assert not operator.timeline.viewport.following
        event = operator.timeline.selected_event
        await operator.store.create(make_event(900))
        await operator.sees(lambda: operator.app.model.timeline.pending == 1)
        assert operator.timeline.selected_event == event

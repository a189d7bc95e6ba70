"""Personal data in the console: hidden, filtered by, and shown when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor import masking
from monitor.masking import Mask, activate
from monitor.screens.detail import DetailScreen
from monitor.widgets.event_detail import EventDetail
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event

ADDRESS, OTHER = "203.0.113.7", "198.51.100.9"
STORED = [
    make_event(
        number,
        event_type="user.login",
        metadata={"ip": address, "error": f"refused from {address}"},
        inserted_at=at(3300 + number),
    )
    for number, address in enumerate((ADDRESS, OTHER, ADDRESS))
]


@pytest.fixture(autouse=True)
def mask() -> Iterator[Mask]:
    before = masking._active[0]
    activate(chosen := Mask(key=bytes(16)))
    yield chosen
    activate(before)


async def go_to(operator: Operator, *place: str) -> None:
    """Put the cursor of the detail on a value, with keys."""
    assert isinstance(operator.app.screen, DetailScreen)
    detail = operator.app.screen.query_one(EventDetail)
    await operator.press("g")
    for _ in range(detail.line_count()):
        if detail.selected is not None and detail.selected.place == place:
            return
        await operator.press("j")
    raise AssertionError(place)


async def test_rows_detail_copies_and_pages_hide_it(
    opened: Opened, mask: Mask, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str] = []
    async with opened((200, 50), STORED) as operator:
        monkeypatch.setattr(operator.app, "_give_to_terminal", lambda text: given.append(text) or True)
        monkeypatch.setattr(operator.app, "print_plain", lambda lines: given.append("\n".join(lines)))
        seen = [operator.text()]
        await operator.press("k", "c", "y", "L", "m", "enter")
        seen.append(operator.text())
        await go_to(operator, "metadata", "ip")
        await operator.press("c", "y", "v")
        seen.append(operator.text())
        assert f"refused from {mask.stand_in('ip', ADDRESS)}" in seen[0]
        assert mask.stand_in("ip", OTHER) in seen[1]
        assert len(given) == 5
        for text in (*seen, *given):
            assert ADDRESS not in text
            assert OTHER not in text
        assert "personal data" not in seen[0]


async def test_what_is_hidden_can_be_filtered_by_and_is_not_told(opened: Opened, mask: Mask) -> None:
    async with opened((200, 50), STORED) as operator:
        await operator.press("G", "enter")
        await go_to(operator, "metadata", "ip")
        await operator.press("X", "escape")
        await operator.sees(lambda: len(operator.timeline.timeline.rows) == 2)
        text = operator.text()
        assert f"only @ip:{mask.stand_in('ip', ADDRESS)}" in text
        assert ADDRESS not in text
        assert operator.live.present().query == ""


async def test_it_is_said_that_personal_data_is_shown(opened: Opened) -> None:
    activate(None)
    async with opened((200, 50), STORED) as operator:
        text = operator.text()
        assert "personal data shown" in text.splitlines()[0]
        assert f"refused from {ADDRESS}" in text

"""Personal data in the console: hidden, filtered by, and shown when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor import masking
from monitor.masking import Mask, activate
from monitor.screens.actor import ActorScreen
from monitor.screens.detail import DetailScreen
from monitor.widgets.event_detail import EventDetail
from store.erasure import Identity, erase
from store.event import Event
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


async def test_what_is_in_memory_goes_when_an_actor_is_erased(opened: Opened) -> None:
    activate(None)
    stored = [
        make_event(
            number,
            event_type="user.login",
            actor_type="user",
            actor_id="ana-7f3a91c2",
            metadata={"ip": ADDRESS},
            inserted_at=at(3000 + number),
        )
        for number in range(100)
    ]
    async with opened((200, 50), stored) as operator:
        model = operator.app.model
        # Bookmarked, frozen, read further up, with a page and a detail on top.
        await operator.press("G", "m", "0", "k", "k", "space", "enter", "a")
        await operator.sees(lambda: isinstance(operator.app.screen, ActorScreen))
        assert len(model.marks) == 1
        done = await erase(operator.store, Identity("user", "ana-7f3a91c2"))
        await operator.sees(lambda: operator.app.screen is operator.live and not model.marks.events)
        await operator.sees(lambda: "user:erased-" in operator.text())
        assert "ana-7f3a" not in operator.text()
        rows = [row for row in model.timeline.rows if isinstance(row, Event)]
        assert {row.actor_id for row in rows} <= {done.pseudonym, None}
        assert len(rows) == 101
        assert model.marks.zero is None
        assert not model.timeline.frozen


async def test_a_record_that_the_store_does_not_have_changes_nothing(opened: Opened) -> None:
    async with opened((200, 50), STORED) as operator:
        await operator.press("G", "m")
        await operator.bus.announce([make_event(77, event_type="actor.erased", inserted_at=at(3500))])
        await operator.sees(lambda: "actor.erased" in operator.text())
        await operator.sees(lambda: not any(worker.group == "forget" for worker in operator.app.workers))
        assert len(operator.app.model.marks) == 1

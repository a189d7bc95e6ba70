"""What the console says after the program was stopped for a while."""

from __future__ import annotations

from monitor.following_app import SETTLED_AFTER
from monitor.terminal import ConsoleDriver
from tests.console.conftest import Opened, Operator
from tests.events import make_events
from tests.waiting import until


def said(operator: Operator) -> list[str]:
    return [notification.message for notification in operator.app._notifications]


async def test_what_came_while_the_console_was_stopped_is_told_when_it_is_there(opened: Opened) -> None:
    async with opened() as operator:
        now = operator.app.tick()
        operator.app.tick = lambda: now
        operator.app.post_message(ConsoleDriver.Continued(12.0))
        await until(lambda: said(operator) == ["evtop was stopped for 10 s; catching up"])
        await operator.store.create_many(make_events(30, start=5000))
        await until(lambda: operator.app.model.tally.received == 30)
        operator.app.second()
        assert len(said(operator)) == 1
        now += SETTLED_AFTER

        def told() -> bool:
            # Not before the store was asked again, which is every 2 s.
            operator.app.second()
            return "caught up: 30 received since evtop was stopped" in said(operator)

        await until(told)
        operator.app.second()
        await operator.pilot.pause()
        assert len(said(operator)) == 2


async def test_a_stop_that_nobody_could_notice_is_not_told(opened: Opened) -> None:
    async with opened() as operator:
        operator.app.post_message(ConsoleDriver.Continued(0.4))
        await operator.pilot.pause()
        assert said(operator) == []

"""Alerts in the console: acknowledged, silenced, followed to their events, shared with another console, remembered."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from monitor.alert_keeper import LOOK_EVERY
from monitor.app import EvtopApp
from monitor.backend import Backend
from monitor.errors import StartError
from monitor.health.desk import DeskAlert
from monitor.health.engine import AlertState
from monitor.health.notifier import Timing
from monitor.notify.channels import Command
from monitor.notify.chosen import TERMINAL, Telling, chosen_telling
from monitor.screens.alerts import AlertsScreen, Tab
from monitor.screens.line_prompt import LinePrompt
from monitor.screens.resource import ResourceScreen
from monitor.widgets.alert_table import AlertTable
from store.errors import StoreUnavailableError
from store.event import Event
from store.events import EventStore
from store.memory_bus import MemoryBus
from tests.console.conftest import Operator
from tests.events import at, make_event
from tests.waiting import until

DOWN = make_event(
    1,
    event_type="indexer.health_changed",
    resource_type="indexer",
    resource_id="tidepool",
    status="down",
    inserted_at=at(3000),
)
FAILED = make_event(2, event_type="job.failed", resource_type="job", resource_id="sync", inserted_at=at(3300))
UP = make_event(
    3,
    event_type="indexer.health_changed",
    resource_type="indexer",
    resource_id="tidepool",
    status="up",
    inserted_at=at(3599),
)


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVTOP_USER", "ana")
    monkeypatch.setattr("monitor.alert_keeper.LOOK_EVERY", LOOK_EVERY / 20)


class System:
    """A store and a bus, and consoles on them."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self._url = f"sqlite:///{folder / 'events.db'}"
        self._stack = stack
        self.bus = MemoryBus()
        self.now = 3600.0

    async def record(self, *events: Event) -> None:
        async with await EventStore.open(self._url, self.bus) as store:
            await store.create_many(events)

    async def recorded(self, event_type: str) -> list[Event]:
        async with await EventStore.open(self._url) as store:
            return [event for event in await store.repository.newest(1000) if event.event_type == event_type]

    async def console(self, telling: Telling | None = None) -> Operator:
        store = await EventStore.open(self._url, self.bus)

        async def connect() -> Backend:
            return Backend(store, self.bus, keeps_alerts=True, now=lambda: at(self.now))

        app = EvtopApp(connect, name="test", now=lambda: at(self.now), telling=telling)
        pilot = await self._stack.enter_async_context(app.run_test(size=(120, 40), notifications=True))
        await until(lambda: app.model.opened and not app.model.alerts.wants_record)
        await until(lambda: not app.model.alerts.wants_past)
        await pilot.pause()
        return Operator(app, pilot, store, self.bus)


@asynccontextmanager
async def _system(folder: Path) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        yield System(folder, stack)


def alert(operator: Operator, title: str = "indexer/tidepool is down") -> DeskAlert:
    [one] = [one for one in operator.app.model.alerts.shown(at(3600)) if one.alert.title == title]
    return one


def calls(operator: Operator, title: str) -> bool:
    """Whether an alert is there already, and calls for attention."""
    return any(
        one.attention and one.alert.title == title for one in operator.app.model.alerts.shown(at(3600))
    )


def told(operator: Operator, text: str) -> bool:
    return any(text in note.message for note in operator.app._notifications)


async def go_to(operator: Operator, title: str) -> None:
    table = operator.app.screen.query_one(AlertTable)
    await operator.press("g")
    for _ in range(table.line_count()):
        chosen = table.chosen
        if isinstance(chosen, DeskAlert) and chosen.alert.title == title:
            return
        await operator.press("j")
    raise AssertionError(title)


async def test_what_fires_is_recorded_once_however_many_consoles_look(tmp_path: Path) -> None:
    async with _system(tmp_path) as system:
        await system.record(DOWN, FAILED)
        consoles = [await system.console() for _ in range(2)]
        for operator in consoles:
            await operator.sees(lambda operator=operator: len(operator.app.model.alerts.desk.recorded()) == 2)
        assert len(await system.recorded("alert.fired")) == 2
        await system.record(UP)
        for operator in consoles:
            await operator.sees(lambda operator=operator: alert(operator).alert.state is AlertState.RESOLVED)
            await operator.sees(
                lambda operator=operator: (
                    {one.title: one.resolved is not None for one in operator.app.model.alerts.desk.history()}
                    == {"indexer/tidepool is down": True, "job sync failed": False}
                )
            )
        assert len(await system.recorded("alert.resolved")) == 1


async def test_two_keys_see_to_an_alert_and_the_other_console_and_a_later_one_know(tmp_path: Path) -> None:
    async with _system(tmp_path) as system:
        await system.record(DOWN)
        first, second = await system.console(), await system.console()
        await first.sees(lambda: alert(first).attention)
        await first.press("a", "a")
        assert isinstance(first.app.screen, LinePrompt)
        await first.press(*"looking", "enter")
        await first.sees(lambda: told(first, "acknowledged by ana until it clears"))
        for operator in (first, second):
            await operator.sees(lambda operator=operator: alert(operator).acknowledged is not None)
            said = alert(operator).acknowledged
            assert said is not None
            assert (said.by, said.comment) == ("ana", "looking")
            assert not alert(operator).attention
        await second.sees(lambda: "1 acked" in second.text() and "firing" not in second.text("#status"))
        later = await system.console()
        await later.sees(lambda: alert(later).acknowledged is not None)
        # Again: no longer.
        await second.press("a", "a", "enter")
        await first.sees(lambda: alert(first).attention)
        # What is over is forgotten: the next time it fires, it calls.
        await first.press("a", "a", "enter")
        await second.sees(lambda: alert(second).acknowledged is not None)
        again = DOWN.model_copy(update={"id": make_event(9).id, "inserted_at": at(3599.9)})
        await system.record(UP, again)
        await second.sees(lambda: alert(second).attention)


async def test_an_alert_is_silenced_for_a_time_and_the_silence_ended(tmp_path: Path) -> None:
    async with _system(tmp_path) as system:
        await system.record(DOWN, FAILED)
        first, second = await system.console(), await system.console()
        await first.press("A")
        assert isinstance(first.app.screen, AlertsScreen)
        await go_to(first, "job sync failed")
        await first.press("s", "ctrl+u", *"soon", "enter")
        assert "no length of time" in first.text()
        await first.press("ctrl+u", *"30m known problem", "enter")
        await second.sees(lambda: alert(second, "job sync failed").silenced_by is not None)
        assert alert(second).attention
        silence = alert(second, "job sync failed").silenced_by
        assert silence is not None
        assert (silence.author, silence.comment, silence.ends) == ("ana", "known problem", at(3600 + 1800))
        await second.press("A")
        await second.sees(lambda: "2 firing" not in second.text() and "1 firing, 1 muted" in second.text())
        await second.press("tab", "tab")
        assert second.app.screen._tab is Tab.SILENCES  # type: ignore[attr-defined]
        assert "known problem" in second.text()
        await second.press("x")
        await first.sees(lambda: alert(first, "job sync failed").attention)
        # What was ended is not said to have run out.
        system.now += 3600
        second.app.second()
        await second.pilot.pause()
        assert not told(second, "has run out")
        await first.press("S", "enter")
        await first.sees(lambda: told(first, "all of job-failed is silent for 2 h"))
        await second.sees(lambda: len(second.app.model.alerts.desk.silences()) == 2)
        system.now += 7201
        second.app.second()
        await second.sees(lambda: told(second, "the silence of @rule:job-failed has run out"))
        second.app.second()
        await second.pilot.pause()
        assert len([note for note in second.app._notifications if "run out" in note.message]) == 1


async def test_from_an_alert_to_its_events_and_its_resource(tmp_path: Path) -> None:
    async with _system(tmp_path) as system:
        other = make_event(
            7,
            event_type="indexer.health_changed",
            resource_type="indexer",
            resource_id="gullnest",
            status="up",
            inserted_at=at(3010),
        )
        await system.record(DOWN, FAILED, other)
        operator = await system.console()
        await operator.press("A")
        await go_to(operator, "indexer/tidepool is down")
        assert "component-down, error" in operator.text()
        assert "█" in operator.text("#alert-details")
        await operator.press("r")
        assert isinstance(operator.app.screen, ResourceScreen)
        await operator.press("q")
        await operator.press("enter")
        assert operator.app.screen is operator.live
        await operator.sees(lambda: operator.types == ["indexer.health_changed"])
        assert "resource:indexer/tidepool" in operator.live.shown.text


async def test_the_past_is_listed_and_keys_that_do_not_fit_say_so(tmp_path: Path) -> None:
    async with _system(tmp_path) as system:
        await system.record(DOWN, UP)
        operator = await system.console()
        await operator.press("A")
        await operator.sees(lambda: "indexer/tidepool is down" in operator.text())
        await operator.press("a")
        assert told(operator, "it does not fire")
        await operator.press("shift+tab")
        assert "nothing is silenced" in operator.text()
        await operator.press("x")
        assert told(operator, "there is no silence to end here")
        await operator.press("shift+tab", "a")
        assert told(operator, "that is for the list of what fires now")
        await operator.press("question_mark")
        assert "Silence the alert for a time" in operator.text()
        await operator.press("escape", "escape")
        assert operator.app.screen is operator.live


async def test_a_store_that_takes_nothing_is_said_and_alerts_are_shown_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise StoreUnavailableError("EVTOP_STORE: it may only be read")

    async with _system(tmp_path) as system:
        await system.record(DOWN)
        monkeypatch.setattr(Backend, "record", refuse)
        operator = await system.console()
        await operator.sees(lambda: operator.app.unrecorded)
        await operator.press("A")
        assert "not on record: EVTOP_STORE: it may only be read" in operator.text()
        assert alert(operator).attention
        await operator.press("a", "enter")
        await operator.sees(lambda: told(operator, "not recorded: EVTOP_STORE: it may only be read"))
        assert alert(operator).attention


async def test_people_are_told_of_what_fires_and_of_its_end_but_not_of_what_fired_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(EvtopApp, "tell_terminal", lambda _self, sequence: written.append(sequence))
    told_by = tmp_path / "told"
    script = f"import sys; open({str(told_by)!r}, 'a').write(sys.argv[1] + chr(10))"
    async with _system(tmp_path) as system:
        await system.record(DOWN)
        telling = Telling(frozenset(TERMINAL), (Command([sys.executable, "-c", script]),))
        operator = await system.console(telling)
        operator.app.second()
        assert written == ["\x1b[22;2t\x1b]2;1 firing · evtop test\x07"]
        await system.record(FAILED)
        await operator.sees(lambda: calls(operator, "job sync failed"))
        operator.app.second()
        assert written.pop() == "\x1b]2;2 firing · evtop test\x07"
        system.now += 10
        operator.app.second()
        assert "\x07" in written
        assert any("[test] firing: job sync failed" in sequence for sequence in written)
        await operator.sees(lambda: told_by.exists() and "job sync failed" in told_by.read_text())
        written.clear()
        system.now += 300
        await system.record(UP)
        await operator.sees(lambda: alert(operator).alert.state is AlertState.RESOLVED)
        operator.app.second()
        # No bell for good news.
        assert "\x07" not in written
        assert any("resolved: indexer/tidepool is down" in sequence for sequence in written)
        assert operator.app.untold == ""
        await operator.press("q")
        assert written[-1] == "\x1b[23;2t"


async def test_that_too_much_is_to_be_told_is_said(tmp_path: Path) -> None:
    async with _system(tmp_path) as system:
        operator = await system.console(Telling(frozenset({"bell"}), timing=Timing(rate=1)))
        operator.app.second()
        await system.record(FAILED, DOWN)
        for title in ("job sync failed", "indexer/tidepool is down"):
            await operator.sees(lambda title=title: calls(operator, title))
        operator.app.second()
        system.now += 10
        operator.app.second()
        assert operator.app.untold == "1 wait, as there were many within a minute"
        system.now += 60
        operator.app.second()
        assert operator.app.untold == ""


async def test_that_nobody_could_be_told_stands_on_the_alerts_screen(tmp_path: Path) -> None:
    async with _system(tmp_path) as system:
        operator = await system.console(Telling(frozenset(), (Command(["no-such-program"]),)))
        operator.app.second()
        await system.record(FAILED)
        await operator.sees(lambda: calls(operator, "job sync failed"))
        operator.app.second()
        system.now += 10
        operator.app.second()
        await operator.sees(lambda: operator.app.untold)
        await operator.press("A")
        assert "not told: command no-such-program: No such file or directory (1 not told)" in operator.text()


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"EVTOP_NOTIFY": "bell,gong"}, "EVTOP_NOTIFY: no way 'gong'; there are bell, desktop, title"),
        ({"EVTOP_NOTIFY_COMMAND": "say 'it"}, "EVTOP_NOTIFY_COMMAND: No closing quotation"),
        (
            {"EVTOP_NOTIFY_WEBHOOK_FILE": "/no/such"},
            "EVTOP_NOTIFY_WEBHOOK_FILE: /no/such: No such file or directory",
        ),
    ],
)
def test_ways_that_cannot_be_meant_are_refused(variables: dict[str, str], said: str) -> None:
    with pytest.raises(StartError) as refusal:
        chosen_telling(variables)
    assert str(refusal.value) == said


def test_a_webhook_is_read_from_a_file_with_its_key(tmp_path: Path) -> None:
    file = tmp_path / "webhook"
    file.write_text("https://hooks.example/T0/secret\nhush\n")
    telling = chosen_telling({"EVTOP_NOTIFY_WEBHOOK_FILE": str(file), "EVTOP_NOTIFY": "bell, title"})
    assert telling.terminal == {"bell", "title"}
    assert [channel.name for channel in telling.channels] == ["webhook hooks.example"]
    file.write_text("ftp://hooks.example\n")
    with pytest.raises(StartError, match="no URL of http or https"):
        chosen_telling({"EVTOP_NOTIFY_WEBHOOK_FILE": str(file)})

"""The page of an actor: what it says, its keys, live events on it, and the way on to resources and back."""

from __future__ import annotations

from monitor.model.subjects import ActorName
from monitor.screens.actor import ActorScreen
from monitor.screens.resource import ResourceScreen
from monitor.widgets.timeline_view import TimelineView
from store.event import Event
from store.query.parser import parse
from tests.console.conftest import Opened, Operator
from tests.events import at, make_event

ANA = {"actor_type": "user", "actor_id": "ana"}


def work() -> list[Event]:
    """What ana did, and what others did."""
    movie = {"resource_type": "movie", "resource_id": "umbra", "category": "interaction"}
    return [
        make_event(
            1, event_type="user.login", category="auth", status="failed", metadata={"ip": "192.0.2.7"}, **ANA
        ),
        make_event(2, event_type="user.login", category="auth", metadata={"ip": "192.0.2.8"}, **ANA),
        make_event(3, event_type="movie.viewed", **movie, **ANA),
        make_event(4, event_type="movie.viewed", actor_type="user", actor_id="bo", **movie),
        make_event(5, event_type="movie.liked", **movie, **ANA),
        make_event(6, event_type="job.failed", severity="error", actor_type="job", actor_id="ana"),
    ]


async def page(operator: Operator) -> ActorScreen:
    """Open the page of ana, from the detail of the newest event of hers."""
    await operator.press("k", "enter", "a")
    screen = operator.app.screen
    assert isinstance(screen, ActorScreen)
    await operator.sees(lambda: screen.timeline.timeline.rows)
    return screen


def shown(screen: ActorScreen) -> list[str]:
    return [row.event_type for row in screen.timeline.timeline.rows if isinstance(row, Event)]


async def test_the_page_tells_what_one_actor_did_and_nobody_else(opened: Opened) -> None:
    async with opened(stored=work()) as operator:
        screen = await page(operator)
        assert shown(screen) == ["user.login", "user.login", "movie.viewed", "movie.liked"]
        text = operator.text("#subject-header")
        assert "user:ana" in operator.text()
        for said in (
            "4 events",
            "0 errors",
            "interaction 2",
            "auth 2",
            "movie/umbra 2",
            "viewed      1  movie/umbra",
            "liked       1  movie/umbra",
            "logins      2, 1 refused  from 2 addresses",
        ):
            assert said in text
        assert "192.0.2" not in text


async def test_live_events_of_the_actor_join_the_page(opened: Opened) -> None:
    async with opened(stored=work()) as operator:
        screen = await page(operator)
        await operator.store.create_many(
            [
                make_event(50, event_type="movie.downloaded", resource_type="movie", resource_id="x", **ANA),
                make_event(51, event_type="movie.downloaded", resource_type="movie", resource_id="y"),
            ]
        )
        await operator.sees(lambda: len(shown(screen)) == 5)
        assert "5 events" in operator.text("#subject-header")
        operator.app.tick = lambda: 1e9
        await operator.sees(lambda: "downloaded  1  movie/x" in operator.text("#subject-header"))


async def test_the_last_day_is_told_of_all_that_is_stored(opened: Opened) -> None:
    many = [
        make_event(100 + n, event_type="movie.viewed", inserted_at=at(-3600 * (n % 20)), **ANA)
        for n in range(700)
    ]
    async with opened(stored=[*many, *work()]) as operator:
        screen = await page(operator)
        assert len(shown(screen)) < 704
        assert "704 events" in operator.text("#subject-header")
        await operator.sees(lambda: f"summed up: the newest {len(shown(screen)):,}" in operator.text())
        assert screen._day.count(0) < 30
        assert sum(screen._day) == 704
        loaded = len(shown(screen))
        await operator.press("g")
        await operator.sees(lambda: len(shown(screen)) > loaded)


async def test_r_goes_on_to_a_resource_a_to_another_actor_and_escape_back(opened: Opened) -> None:
    async with opened(stored=work()) as operator:
        screen = await page(operator)
        await operator.press("r")
        resource = operator.app.screen
        assert isinstance(resource, ResourceScreen)
        await operator.sees(lambda: len(resource.timeline.timeline.rows) == 3)
        await operator.press("g", "j", "a")
        other = operator.app.screen
        assert isinstance(other, ActorScreen)
        assert other.subject.text == "user:bo"
        # The title tells the way that leads back.
        await operator.sees(lambda: "user:ana › movie/umbra › user:bo" in operator.text())
        await operator.press("escape", "escape")
        assert operator.app.screen is screen
        await operator.press("a")
        await operator.sees(lambda: "this page is about who did that" in operator.text())


async def test_what_is_exported_is_what_the_page_shows(opened: Opened) -> None:
    async with opened(stored=work()) as operator:
        screen = await page(operator)
        found = await operator.store.repository.newest(10, screen.exported())
        assert [event.event_type for event in reversed(found)] == shown(screen)
        assert screen.exported().query == parse("actor:user:ana")


async def test_an_actor_without_an_id_has_a_page(opened: Opened) -> None:
    stored = [
        make_event(1, actor_type="system", actor_id=None),
        make_event(2, actor_type="system", actor_id="cron"),
    ]
    async with opened(stored=stored) as operator:
        await operator.press("g", "enter", "a")
        screen = operator.app.screen
        assert isinstance(screen, ActorScreen)
        await operator.sees(lambda: screen.timeline.timeline.rows)
        assert screen.count == len(shown(screen)) == 1


async def test_the_neighbours_of_its_type_are_one_key_away(opened: Opened) -> None:
    stored = [make_event(1, actor_type="system", actor_id=None)]
    # Behind more events of one than are read at a time.
    did = ["d", *["b"] * 260, "a", "c"]
    stored += [make_event(number, actor_type="user", actor_id=name) for number, name in enumerate(did, 2)]
    stored.append(make_event(999, actor_type="job", actor_id="sync"))
    async with opened(stored=stored) as operator:

        async def shows(name: str) -> None:
            """Until its page stands there with its rows."""
            await operator.sees(
                lambda: (
                    isinstance(page := operator.app.screen, ActorScreen)
                    and page.subject.text == name
                    and any(view.timeline.rows for view in page.query(TimelineView))
                )
            )

        operator.app.open_page(ActorName("user:c"))
        await shows("user:c")
        for key, name in (
            (">", "user:a"),
            (">", "user:b"),
            (">", "user:d"),
            ("<", "user:b"),
            ("<", "user:a"),
        ):
            await operator.press(key)
            await shows(name)
        await operator.press("<")
        await shows("user:c")
        await operator.press("<")
        await operator.sees(lambda: "no other user right after" in operator.text())
        await operator.press("escape")
        operator.app.open_page(ActorName("system"))
        await shows("system")
        await operator.press(">")
        await operator.sees(lambda: "there is only one of its kind" in operator.text())

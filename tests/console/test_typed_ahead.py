"""Keys that come faster than they are dealt with, as on a slow line, where several come at once."""

from __future__ import annotations

from textual.events import Key, Paste

from monitor.screens.help import HelpScreen
from monitor.screens.resource import ResourceScreen
from tests.console.conftest import Opened, Operator
from tests.waiting import until

NAMES = {"/": "slash", ":": "colon", "&": "ampersand", "@": "at", "?": "question_mark", " ": "space"}


def at_once(operator: Operator, *keys: str) -> None:
    """All are there before the first is looked at."""
    for key in keys:
        character = key if len(key) == 1 else None
        operator.app.post_message(Key(NAMES.get(key, key), character))


async def test_what_is_typed_right_after_the_slash_is_the_filter(opened: Opened) -> None:
    """Each of these letters is a key of the timeline as well."""
    async with opened() as operator:
        at_once(operator, "/", *"type:download.failed zap", *["backspace"] * 4, "enter", "k", "k")
        await until(lambda: operator.types and set(operator.types) == {"download.failed"})
        await until(lambda: operator.cursor == len(operator.types) - 3)
        assert operator.app.screen is operator.live
        assert not operator.app.model.timeline.frozen


async def test_text_that_is_pasted_right_after_the_slash_is_the_filter(opened: Opened) -> None:
    async with opened() as operator:
        operator.app.post_message(Key("slash", "/"))
        operator.app.post_message(Paste("search.performed"))
        operator.app.post_message(Key("enter", None))
        await until(lambda: operator.types and set(operator.types) == {"search.performed"})


async def test_a_screen_that_opens_gets_the_keys_after_the_one_that_opens_it(opened: Opened) -> None:
    async with opened() as operator:
        at_once(operator, "?", "j", "escape", "&", *"search", "enter", "r", "j", "?")
        await until(
            lambda: [type(screen) for screen in operator.app.screen_stack[1:]] == [ResourceScreen, HelpScreen]
        )
        at_once(operator, "escape", "escape", "1", "G")
        await until(lambda: operator.app.screen is operator.live and operator.timeline.viewport.following)


async def test_a_key_whose_way_is_cut_off_holds_up_no_other(opened: Opened) -> None:
    async with opened() as operator:
        operator.live.disable_messages(operator.app.Passed)
        at_once(operator, "k", "k", "k")
        last = len(operator.types) - 1
        await until(lambda: operator.cursor == last - 3)

"""Keys that were typed ahead: each finds the screen as the key before it has left it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from math import inf

from textual.app import App
from textual.driver import Driver
from textual.events import Event, Key, Paste
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.widget import Widget

ROUNDS = 3
"""As many as messages follow from one another: a key is a line that was submitted, which is a filter that was typed."""
HELD_MAX = 1.0
"""Seconds for which a key waits for the one before it, whatever has become of that one."""
REST, QUIET = 0.01, 0.3
"""Seconds that work in the background rests, and for which it does after a key."""


class KeysInOrder(App[None]):
    """Gives a key, or pasted text, to a pane only when what the key before it does is done.

    Textual gives all keys that have come to the pane that has the focus now. On a slow line several come at once, and
    what is typed after `/` would not be typed into the filter but be keys of the timeline, each with an effect.
    """

    @dataclass
    class Passed(Message):
        """Goes the way of a key, right behind it: where it arrives, the key was used, or was of no use.

        It goes once more behind each message that may have followed from the key.
        """

        number: int
        target: Widget
        rounds: int = ROUNDS

    def __init__(self, driver_class: type[Driver] | None = None) -> None:
        super().__init__(driver_class)
        self._held: deque[Event] = deque()
        self._given = 0
        self._is_under_way = False
        self._asked_on: Screen[object] | None = None
        self._patience: Timer | None = None
        self._key_at = -inf

    async def after_keys(self) -> None:
        """Rest for a moment, and while keys are pressed for longer: what they ask for comes before what can wait."""
        await asyncio.sleep(REST)
        if (left := self._key_at + QUIET - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def on_event(self, event: Event) -> None:
        """Hold keys back while one is under way."""
        if isinstance(event, Key | Paste):
            self._key_at = time.monotonic()
        if not isinstance(event, Key | Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._is_under_way:
            self._held.append(event)
            if self._patience is None:
                self._patience = self.set_timer(HELD_MAX, partial(self._next_key, self._given))
        else:
            await self._give(event)

    async def _give(self, event: Event) -> None:
        target = self.focused or self.screen
        self._given, self._is_under_way, self._asked_on = self._given + 1, True, self.screen
        await super().on_event(event)
        if not target.post_message(self.Passed(self._given, target)):
            # A pane that is being closed takes nothing any more.
            self.call_later(self._next_key, self._given)

    def on_keys_in_order_passed(self, message: Passed) -> None:
        """Go on with the next key, once what this one asked for is there."""
        message.stop()
        if not self.screen_stack:
            # The application ends.
            return
        rest = message.rounds - 1
        if rest and message.target.post_message(self.Passed(message.number, message.target, rest)):
            return
        if self.screen is self._asked_on:
            # Behind what the key has left to be done, a change of the focus among it.
            self.call_later(self._next_key, message.number)
        else:
            # A screen that was opened has its panes, and one of them the focus, when it was drawn.
            self.screen.call_after_refresh(self._next_key, message.number)

    async def _next_key(self, number: int) -> None:
        if number != self._given or not self._is_under_way:
            return
        if self._patience is not None:
            self._patience.stop()
            self._patience = None
        self._is_under_way = False
        if self._held:
            await self._give(self._held.popleft())
            if self._held:
                self._patience = self.set_timer(HELD_MAX, partial(self._next_key, self._given))

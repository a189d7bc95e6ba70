"""Letting go of what is in memory when an actor was erased from the store."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import UUID

from monitor.following_app import FollowingApp
from monitor.messages import FeedAdvanced
from monitor.screens.detail import DetailScreen
from monitor.screens.subject_page import SubjectPage
from monitor.screens.timeline_screen import TimelineScreen
from store.errors import StoreError

ERASED_TYPE = "actor.erased"
ANEW_WITHIN = 10.0
"""Seconds in which the store is to be read anew; where it is away, what is in memory goes all the same."""


class ForgettingApp(FollowingApp):
    """Begins anew with what the store has when it tells that an actor was erased."""

    def on_feed_advanced(self, message: FeedAdvanced) -> None:
        """Look for a record of an erasure. The class below hears of each frame, too, and takes it in."""
        arrivals = message.arrivals
        found = [event.id for event in arrivals.events if event.event_type == ERASED_TYPE]
        # Of another that comes meanwhile, the pages that are read next tell nothing either.
        if found:
            self.run_worker(self._forget(found), group="forget", exclusive=True, exit_on_error=False)

    async def _forget(self, told: list[UUID]) -> None:
        """Begin anew, if the store has the record: on the bus, anyone who may publish can claim one."""
        backend = self._backend
        if backend is None:
            return
        with suppress(StoreError, TimeoutError):
            async with asyncio.timeout(ANEW_WITHIN):
                if not await backend.store.repository.get(told):
                    return
                await backend.start_over()
        # Behind the frame that brings what the store has.
        self.call_later(self._let_go)

    def _let_go(self) -> None:
        while any(isinstance(screen, (SubjectPage, DetailScreen)) for screen in self.screen_stack):
            self.pop_screen()
        self.model.forget()
        live = self.screen_stack[0]
        if isinstance(live, TimelineScreen) and live.is_ready:
            live.timeline.viewport.shown.show_context(None)
            live.timeline.viewport.follow()
        self.advance()
        self.notify("an actor was erased: what was loaded is read anew", markup=False)

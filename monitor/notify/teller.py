"""Tells people of alerts by the channels that were chosen, as far as that is left to this program."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from monitor.health.alerting import Alerting
from monitor.health.desk import DeskAlert
from monitor.health.notifier import Notification, Notifier, Timing
from monitor.notify.chosen import Telling
from monitor.notify.wording import Wording, worded

if TYPE_CHECKING:
    from monitor.notify.messenger import Messenger

LEFT_FOR = timedelta(seconds=90)
"""How long what was left to another one is kept, to be told here when that one turns out to be gone: longer than a
lease lasts, and than it takes to see that it has run out."""
LEFT_MAX = 100


class Told(NamedTuple):
    """What is told now, and in which words."""

    notification: Notification
    wording: Wording


class _Left(NamedTuple):
    at: datetime
    channel: str
    wording: Wording


class Teller:
    """Tells `telling.channels` of what the alerts are, and what is over, as the time for it comes.

    `system` is what it is called there. What began before `news_since`, and still fires at the start, others have
    told of already; with None that holds for all that fires then.
    """

    def __init__(self, telling: Telling, system: str, news_since: datetime | None = None) -> None:
        self.telling = telling
        self._system = system
        self._news_since = news_since
        self._notifier = Notifier(telling.timing)
        self._begun = False
        self._others: Collection[str] | None = frozenset()
        self._left: deque[_Left] = deque(maxlen=LEFT_MAX)
        self.messengers: Sequence[Messenger] = ()
        self._run: Callable[[], Awaitable[None]] | None = None
        if telling.channels:
            # With all that speaks HTTP, which a first paint need not wait for otherwise.
            from monitor.notify.messenger import Messenger, run_all

            self.messengers = [Messenger(channel) for channel in telling.channels]
            self._run = lambda: run_all(self.messengers)

    async def run(self) -> None:
        """Take notifications to the channels, until cancelled."""
        if self._run is not None:
            await self._run()

    def leave_to_others(self, identities: Collection[str] | None, now: datetime) -> None:
        """From now on others tell the channels of these identities (`Channel.identity`), all of them with None.

        What was left to one that is not among them any more, just before, is told here: it may have been killed.
        """
        self._others = identities
        left, self._left = self._left, deque(maxlen=LEFT_MAX)
        for one in left:
            if not now - LEFT_FOR <= one.at <= now:
                continue
            if self._is_left(one.channel):
                self._left.append(one)
                continue
            for messenger in self.messengers:
                if messenger.identity == one.channel:
                    messenger.tell(one.wording)

    def tell(self, alerting: Alerting, now: datetime) -> list[Told]:
        """Tell the channels what is due now, and return it, for those who have further ways to tell it."""
        # What turns out to be firing for long is no news.
        if not alerting.is_settled(now):
            return []
        shown = alerting.shown(now)
        if not self._begun:
            self._begun = True
            self._begin(alerting, shown, now)
        told = [Told(each, worded(each, self._system)) for each in self._notifier.due(shown, now)]
        for _, wording in told:
            for messenger in self.messengers:
                if self._is_left(messenger.identity):
                    self._left.append(_Left(now, messenger.identity, wording))
                else:
                    messenger.tell(wording)
        return told

    @property
    def untold(self) -> str:
        """Why people were not told of something lately, and how often; empty when they were."""
        failed = [state for messenger in self.messengers if (state := messenger.state).failure]
        told = [f"{state.failure} ({state.failed:,} not told)" for state in failed]
        if held := self._notifier.held:
            told.append(f"{held:,} wait, as there were many within a minute")
        return "; ".join(told)

    def _is_left(self, identity: str) -> bool:
        return self._others is None or identity in self._others

    def _begin(self, alerting: Alerting, shown: Sequence[DeskAlert], now: datetime) -> None:
        before = self._news_since
        if before is None:
            self._notifier.begin(shown, now)
            return
        # What was held back when it ended was not told any more.
        until = before - (self.telling.timing or Timing()).wait
        told: list[DeskAlert] = []
        for one in shown:
            rule, over_at = alerting.rules.get(one.alert.rule), one.alert.resolved_at
            fired_at = one.since + (rule.hold if rule is not None else timedelta())
            is_told = one.attention or (over_at is not None and over_at >= until and not one.silenced_by)
            if is_told and fired_at < until:
                told.append(one)
        self._notifier.told_by_others(told, now)

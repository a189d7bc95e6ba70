"""From raw messages to events: decodes what waits in the inbox, in slices that leave the event loop alive."""

from __future__ import annotations

import time

from monitor.gap_record import GapRecord
from monitor.inbox import Inbox
from monitor.merge import Merge

CHUNK = 2000
"""Messages folded at once, at most: about 20 ms of the event loop."""
TIME_SLICE = 0.03
"""Seconds after which a chunk ends early, because its messages are large."""
WAIT_AGAIN = 1.0
"""Seconds between two waits for lost announcements: a producer that counts wrongly must not stop the stream."""


class Intake:
    """Folds the messages of `inbox` into `merge` and opens a gap where some are missing.

    `holes` counts the places met so far behind which the store is to be read.
    """

    def __init__(self, inbox: Inbox, merge: Merge, gaps: GapRecord) -> None:
        self._inbox = inbox
        self._merge = merge
        self._gaps = gaps
        self._wait_again_at = 0.0
        self.holes = 0

    @property
    def is_empty(self) -> bool:
        """Whether neither a message nor a hole waits."""
        return not (self._inbox or self._inbox.has_holes)

    def fold_some(self, *, can_wait: bool) -> int:
        """Fold a chunk, up to the next hole. Returns how many messages it took.

        With `can_wait`, a message before which others were lost stays, so that those can be read first.
        """
        payloads = self._inbox.take(CHUNK)
        taken = len(payloads)
        moment = time.monotonic()
        for index, payload in enumerate(payloads):
            if index and time.monotonic() - moment > TIME_SLICE:
                taken = self._put_back(payloads, index)
                break
            announcement = self._merge.decode(payload)
            if announcement is None:
                continue
            missed, leaves_hole = self._merge.missed_before(announcement)
            if leaves_hole:
                self._gaps.open("announcements missed")
            if missed:
                self._gaps.missed(missed)
            if leaves_hole:
                self.holes += 1
                if can_wait and moment >= self._wait_again_at:
                    self._wait_again_at = moment + WAIT_AGAIN
                    taken = self._put_back(payloads, index)
                    break
            self._merge.heard(announcement, payload, moment)
        self._pass_hole()
        return taken

    def _put_back(self, payloads: list[bytes], index: int) -> int:
        self._inbox.put_back(payloads[index:])
        return index

    def _pass_hole(self) -> None:
        dropped = self._inbox.pass_hole()
        if dropped is not None:
            self.holes += 1
            if dropped:
                # The producers announced them; what they count must not count them again as missed.
                self._merge.forget_sequences()

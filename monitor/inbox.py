"""The bounded buffer between the socket and the screen: the reader never waits for whoever draws."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

MAX_MESSAGES = 50_000
MAX_BYTES = 64 * 1024 * 1024


class Inbox:
    """Raw messages that were read and not looked at yet, with marks where others were lost between them.

    Such a mark is a *hole*. Whoever takes messages out comes to it in its place in the stream, and reads the
    store before going on.
    """

    def __init__(self, max_messages: int = MAX_MESSAGES, max_bytes: int = MAX_BYTES) -> None:
        self._waiting: deque[bytes | int] = deque()
        self._messages = 0
        self._bytes = 0
        self._max_messages = max_messages
        self._max_bytes = max_bytes

    def __len__(self) -> int:
        """How many messages wait."""
        return self._messages

    @property
    def has_holes(self) -> bool:
        """Whether a hole was marked and not passed yet."""
        return len(self._waiting) > self._messages

    def put(self, payloads: Sequence[bytes]) -> int:
        """Add messages, as many as fit. Returns how many did not; they leave a hole."""
        dropped = 0
        for payload in payloads:
            if self._messages >= self._max_messages or self._bytes + len(payload) > self._max_bytes:
                dropped += 1
                self.mark_hole(1)
            else:
                self._waiting.append(payload)
                self._messages += 1
                self._bytes += len(payload)
        return dropped

    def mark_hole(self, dropped: int = 0) -> None:
        """Note that messages may have been lost after the last one, `dropped` of them here."""
        last = self._waiting[-1] if self._waiting else b""
        if isinstance(last, int):
            self._waiting[-1] = last + dropped
        else:
            self._waiting.append(dropped)

    def take(self, limit: int) -> list[bytes]:
        """Remove and return the oldest messages up to the next hole, `limit` at most."""
        taken: list[bytes] = []
        while self._waiting and len(taken) < limit:
            payload = self._waiting[0]
            if isinstance(payload, int):
                break
            taken.append(payload)
            self._waiting.popleft()
        self._messages -= len(taken)
        self._bytes -= sum(map(len, taken))
        return taken

    def put_back(self, payloads: Sequence[bytes]) -> None:
        """Put messages that were taken back where they were."""
        self._waiting.extendleft(reversed(payloads))
        self._messages += len(payloads)
        self._bytes += sum(map(len, payloads))

    def pass_hole(self) -> int | None:
        """Remove the hole that comes next; returns how many messages were dropped there, None without a hole."""
        if not self._waiting:
            return None
        dropped = self._waiting[0]
        if not isinstance(dropped, int):
            return None
        self._waiting.popleft()
        return dropped

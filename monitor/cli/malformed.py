"""What is no event: rows that something else wrote, and messages on the channel."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitor.cli.following import follow_feed
from monitor.cli.options import write, write_json
from monitor.masking import shown_text

if TYPE_CHECKING:
    from monitor.model.arrivals import Arrivals
    from monitor.settings import Settings
    from store.event_rows import UnreadableRow

LATEST = 100
AMONG = 100_000
"""Commits, the last ones, among which rows that are no events are looked for."""


async def print_malformed(settings: Settings, lines: int, follow: bool, as_json: bool) -> int:
    """Print the latest rows of the store that are no events; with `follow`, messages that are none as they come.

    Returns:
        How many rows there were.
    """
    from monitor.backend import open_backend, open_store

    show = write_json if as_json else _shown_as_text
    if not follow:
        async with await open_store(settings, announce=False, create=False) as store:
            rows = await store.repository.unreadable_rows(lines, AMONG)
        _show_rows(rows, show)
        return len(rows)
    backend = await open_backend(settings)
    try:
        _show_rows(await backend.store.repository.unreadable_rows(lines, AMONG), show)
        await follow_feed(backend, lambda arrivals: _show_messages(arrivals, show))
    finally:
        await backend.close()
    return 0


def _show_rows(rows: list[UnreadableRow], show: Callable[[dict[str, Any]], None]) -> None:
    for row in reversed(rows):
        show({"place": "store", "position": row.position, "reason": row.reason})
    sys.stdout.flush()


def _show_messages(arrivals: Arrivals, show: Callable[[dict[str, Any]], None]) -> None:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    for refusal in arrivals.refusals:
        # Not UTF-8 perhaps: every byte is one character, so that nothing of it is lost.
        excerpt = shown_text(refusal.excerpt.decode("latin-1"))
        cut = len(refusal.excerpt) < refusal.size
        show(
            {
                "place": "channel",
                "received_at": now,
                "reason": refusal.reason,
                "bytes": refusal.size,
                "excerpt": f"{excerpt}…" if cut else excerpt,
            }
        )
    sys.stdout.flush()


def _shown_as_text(fields: dict[str, Any]) -> None:
    if fields["place"] == "store":
        write(f"row {fields['position']}  {fields['reason']}")
    else:
        write(f"{fields['received_at']}  {fields['bytes']} bytes  {fields['reason']}  {fields['excerpt']}")

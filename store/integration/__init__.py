"""Ways for an application to record events without writing them out: timed work, bulk changes, log records.

None of them ever changes what the application does: `MISHAPS` counts what goes wrong in tracking itself.
"""

from __future__ import annotations

from store.integration.bulk import Bulk, summary
from store.integration.guard import MISHAPS, Mishaps
from store.integration.log_handler import EventHandler
from store.integration.tracking import Span, Track, note, track

__all__ = ["MISHAPS", "Bulk", "EventHandler", "Mishaps", "Span", "Track", "note", "summary", "track"]

"""What an event says, in one phrase: the last column of the timeline. Raw text; whoever shows it cleans it."""

from __future__ import annotations

from typing import Any

from monitor.masking import is_hidden, shown_metadata
from store.event import Event

_MESSAGES = ("error", "message", "reason", "detail", "summary")
_NAMES = ("title", "name", "query", "file", "path")
_ABOUT_PEOPLE = frozenset({"ip", "user_agent"})
"""Left to the detail: on a row they tell little, and more than a passer-by should read."""
_PREVIOUS = ("previous_status", "previous", "from", "old_status")


def summarise(event: Event) -> str:
    """The message of the event, else what changed, else its status and the thing's name."""
    metadata = shown_metadata(event)
    previous = _first(metadata, _PREVIOUS)
    change = f"{previous} → {event.status}" if previous and event.status else ""
    message = _first(metadata, _MESSAGES)
    name = _first(metadata, _NAMES)
    parts = [part for part in (change, message, name) if part]
    if event.status and not change and event.status not in event.event_type:
        parts.insert(0, event.status)
    if not parts and event.secondary_resource:
        parts.append(event.secondary_resource)
    if not parts:
        told = [
            (key, value) for key, value in metadata.items() if not (key in _ABOUT_PEOPLE or is_hidden((key,)))
        ]
        parts.extend(f"{key}={_plain(value)}" for key, value in told[:4])
    return " · ".join(parts)


def _first(metadata: dict[str, Any], keys: tuple[str, ...]) -> str:
    for key in keys:
        value = metadata.get(key)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "":
            return str(value)
    return ""


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "{…}"
    return "[…]" if isinstance(value, list) else str(value)

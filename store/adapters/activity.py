"""Reads a media gateway's user activity: one JSON object an event, its type in CamelCase or snake_case."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import product
from typing import Any, cast
from uuid import UUID

from store.adapters.foreign import (
    ForeignEventError,
    as_uuid,
    build_event,
    derived_uuid,
    parse_object,
    required_text,
    text_of,
)
from store.event import ActorType, Event
from store.taxonomy import Taxonomy, active, quoted

COMPLETE_SHARE = 0.9
"""The share of a title that must be watched for its playback to be complete."""
SHARE_TOLERANCE = 1e-6
"""How far below it still counts: nine tenths as a 32-bit float are 0.8999999761581421."""
CONTENT = "content"
"""The resource type of what a `content_id` names."""

_TYPES: Mapping[str, str] = {
    "SearchQuery": "search.query",
    "SearchResultClick": "search_result.clicked",
    "ContentView": "content.viewed",
    "ContentRating": "content.rated",
    "PlaybackStart": "playback.started",
    "PlaybackPause": "playback.paused",
    "PlaybackResume": "playback.resumed",
    "PlaybackComplete": "playback.completed",
    "PlaybackAbandon": "playback.abandoned",
    "UserLogin": "user.login",
    "UserLogout": "user.logout",
    "ProfileUpdate": "profile.updated",
    "PreferenceChange": "preference.changed",
}
_CATEGORY = "activity"
_FIELDS = frozenset({"event_id", "user_id", "event_type", "content_id", "timestamp", "metadata"})
_NAMES = {
    "id": "event_id",
    "actor_id": "user_id",
    "resource_id": "content_id",
    "inserted_at": "timestamp",
}
_NAMESPACE = UUID("6f1c3a52-9d0e-4b57-8a5e-2f0c7d94b1e3")
"""Never to change: an event that is read again must get the id it had."""

_CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*")
_SNAKE_CASE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_WORD = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z][a-z0-9]*")

_SHARES = ("completion", "completion_rate", "completion_ratio", "watched_ratio", "watched")
_PERCENTAGES = ("completion_percent", "completion_percentage", "progress_percent", "watched_percent")
_POSITIONS = ("position", "final_position", "watched")
_LENGTHS = ("duration", "length")
_UNITS = ("", "_seconds", "_s", "_ms")


def read_activity(
    source: bytes | str | Mapping[str, object], *, received_at: datetime | None = None
) -> Event:
    """The event that one user-activity event says happened.

    | field | becomes |
    |---|---|
    | `event_id`, required | `id`; when it is no UUID, a UUIDv5 of it, and it is kept in `metadata.event_id` |
    | `event_type`, required | `event_type`: `PlaybackStart`, `playback_start` are `playback.started`; see below |
    | `timestamp` | `inserted_at`: RFC 3339 with a zone, or Unix time in seconds (milliseconds above 2e10) |
    | `user_id` | `actor_id` of a user; a guest without one |
    | `content_id` | the resource, of type `content` |
    | `metadata` | `metadata` when it is an object; else `metadata.metadata` |
    | `device_id`, `region`, and fields that the schema does not have | `metadata`, under their own names |

    `received_at`, aware, is the time of an event that has no `timestamp`; without it, such an event is refused.

    Content events (`SearchResultClick`, `ContentView`, `ContentRating`, `Playback…`) are refused without a
    `content_id`. A key of `metadata` that is named like a field that is added to it gives way to the field.

    The thirteen types of the schema have their names in the shipped taxonomy, whether they are written in CamelCase
    or in snake_case. Another type is taken too, because a gateway learns new types before its console does: the last
    word is the verb, the ones before it the noun (`SubtitleTrackChange` and `subtitle_track_change` are
    `subtitle_track.change`), its category is `activity` unless the taxonomy knows it. A strict taxonomy refuses it
    later.

    A `PlaybackComplete` of which the metadata say that less than `COMPLETE_SHARE` was watched is recorded as
    `playback.abandoned`, the schema's name for a playback that ended early, and `metadata.reported_type` keeps what
    it was reported as: the playback did end, so that refusing the event would lose a fact. What was watched is, the
    first that is there: a share from 0 to 1 (`completion`, `completion_rate`, `completion_ratio`, `watched_ratio`,
    `watched`), a percentage from 0 to 100 (`completion_percent`, `completion_percentage`, `progress_percent`,
    `watched_percent`; up to 1 it is taken for a share), or `position`, `final_position` or `watched` over `duration`
    or `length`, both with the same unit (`_seconds`, `_s`, `_ms` or none). Up to `SHARE_TOLERANCE` less counts as
    enough. Metadata with no such figure leave the event complete, as its producer says.

    Raises:
        ForeignEventError: not JSON, a field is missing or breaks its rule, or a content event names no content.
    """
    activity = parse_object(source)
    reported = required_text(activity, "event_type")
    metadata = _metadata(activity)
    event_type = _event_type(reported)
    if event_type == "playback.completed":
        share = watched_share(metadata)
        if share is not None and share < COMPLETE_SHARE - SHARE_TOLERANCE:
            event_type = "playback.abandoned"
            metadata["reported_type"] = reported
    content_id = text_of(activity, "content_id")
    if content_id is None and _is_about_content(event_type):
        raise ForeignEventError(f"content_id is missing, and {reported} is about content")
    event_id = required_text(activity, "event_id")
    identifier = as_uuid(event_id)
    if identifier is None:
        identifier = derived_uuid(_NAMESPACE, event_id)
        metadata["event_id"] = event_id
    timestamp = activity.get("timestamp")
    if timestamp is None or timestamp == "":
        if received_at is None:
            raise ForeignEventError("timestamp is missing")
        timestamp = received_at
    fields: dict[str, Any] = {
        "id": identifier,
        "event_type": event_type,
        "actor_type": ActorType.USER,
        "actor_id": text_of(activity, "user_id"),
        "inserted_at": timestamp,
        "metadata": metadata,
    }
    if content_id is not None:
        fields |= {"resource_type": CONTENT, "resource_id": content_id}
    if active().current_name(event_type) not in active():
        fields["category"] = _CATEGORY
    return build_event(fields, _NAMES)


def watched_share(metadata: Mapping[str, object]) -> float | None:
    """The share of a title that was watched, from 0; None when `metadata` has no figure of it."""
    for name in _SHARES:
        share = _number(metadata.get(name))
        if share is not None and 0 <= share <= 1:
            return float(share)
    for name in _PERCENTAGES:
        percentage = _number(metadata.get(name))
        if percentage is not None and 0 <= percentage <= 100:
            # Some producers write a share under such a name: 0.95 may not turn a completed playback into an
            # abandoned one. Below 0.9 it does not matter, for either reading says that too little was watched.
            return float(percentage) if percentage <= 1 else percentage / 100
    for unit, length_name, position_name in product(_UNITS, _LENGTHS, _POSITIONS):
        length = _number(metadata.get(f"{length_name}{unit}"))
        position = _number(metadata.get(f"{position_name}{unit}"))
        if length is not None and position is not None and length > 0 and position >= 0:
            return position / length
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Beyond 64 bits, which `metadata` cannot hold anyway, an integer may overflow a division; NaN is refused too.
    return value if abs(value) < 2**63 else None


def _metadata(activity: Mapping[str, object]) -> dict[str, Any]:
    """The metadata of the event, and every field that has no place elsewhere."""
    given = activity.get("metadata")
    metadata: dict[str, Any] = {}
    if isinstance(given, Mapping):
        metadata.update(cast("Mapping[str, object]", given))
    elif given is not None:
        metadata["metadata"] = given
    for name in ("device_id", "region"):
        text_of(activity, name)
    metadata.update(
        (name, value) for name, value in activity.items() if name not in _FIELDS and value is not None
    )
    return metadata


def _event_type(reported: str) -> str:
    variant = _variant(reported)
    known = _TYPES.get(variant)
    if known is not None:
        return known
    *noun, verb = (word.lower() for word in _WORD.findall(variant))
    if not noun:
        raise ForeignEventError(
            f"event_type must be a noun and a verb, as in PlaybackStart, not {quoted(reported)}"
        )
    return f"{'_'.join(noun)}.{verb}"


def _variant(reported: str) -> str:
    """The CamelCase name of the type, from which both spellings go the same way on."""
    if _CAMEL_CASE.fullmatch(reported):
        return reported
    if _SNAKE_CASE.fullmatch(reported):
        return "".join(word.capitalize() for word in reported.split("_"))
    raise ForeignEventError(
        f"event_type must be CamelCase or snake_case, as in PlaybackStart or playback_start, not {quoted(reported)}"
    )


def _is_about_content(event_type: str) -> bool:
    # The schema's own rule, which an application's taxonomy may extend but not soften: hence the shipped one.
    known = Taxonomy.shipped().get(event_type)
    return known is not None and bool(known.requires_resource)

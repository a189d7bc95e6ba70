"""The event: what happened, to what, by whom, when. Immutable, validated once, at the edge."""

from __future__ import annotations

import math
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import to_json
from uuid_utils.compat import uuid7

from store.taxonomy import active

METADATA_MAX_BYTES = 64 * 1024
"""Size of `metadata`, encoded as JSON."""
METADATA_MAX_DEPTH = 32
"""Levels of objects and arrays in `metadata`, the outer object included."""
INT_MIN, INT_MAX = -(2**63), 2**63 - 1
LAST_ID = UUID(int=2**128 - 1)
"""Behind every other id of its moment."""


class Severity(StrEnum):
    """How bad it is. Ordered: compare by `rank`, not by name."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """1 for info, 2 for warning, 3 for error."""
        return SEVERITY_RANK[self]


SEVERITY_RANK: dict[str | None, int] = {None: 0, "info": 1, "warning": 2, "error": 3}
"""Rank by severity, 0 for an event that has none. Keys match `Severity` members, which are strings."""


class ActorType(StrEnum):
    """Who did it. A guest is a user without an id."""

    USER = "user"
    SYSTEM = "system"
    JOB = "job"


def _storable_text(text: str) -> str:
    if "\x00" in text:
        raise ValueError("U+0000 cannot be stored")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("lone surrogates cannot be stored") from None
    return text


def _checked(value: Any, depth: int) -> Any:
    """A copy of `value`, so that whoever made the event cannot change it afterwards.

    Refuses what one of the databases would refuse, so that no event fails after it was accepted: PostgreSQL
    takes no U+0000, SQLite no integer beyond 64 bits, JSON no NaN.
    """
    if isinstance(value, str):
        return _storable_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if not INT_MIN <= value <= INT_MAX:
            raise ValueError("metadata has an integer beyond 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("metadata has NaN or an infinity")
        return value
    if not isinstance(value, (dict, list, tuple)):
        raise ValueError(f"metadata has a {type(value).__name__}, which JSON cannot express")
    if depth >= METADATA_MAX_DEPTH:
        raise ValueError(f"metadata is over {METADATA_MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {_checked_key(key): _checked(item, depth + 1) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return [_checked(item, depth + 1) for item in value]  # pyright: ignore[reportUnknownVariableType]


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError("metadata keys must be text")
    return _storable_text(key)


def valid_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """A copy of `metadata`, all of which every database takes. Raises ValueError for what one would refuse."""
    if not metadata:
        return metadata
    copied: dict[str, Any] = _checked(metadata, 0)
    if len(to_json(copied)) > METADATA_MAX_BYTES:
        raise ValueError(f"metadata is over {METADATA_MAX_BYTES // 1024} KiB")
    return copied


def _in_utc(moment: datetime) -> datetime:
    # A margin of a year, so that no zone and no small sum takes the moment out of what `datetime` holds.
    if not MINYEAR < moment.year < MAXYEAR:
        raise ValueError(f"inserted_at is outside of the years {MINYEAR + 1} to {MAXYEAR - 1}")
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _default_category(data: dict[str, Any]) -> str:
    return active().category_of(data["event_type"])


def _default_severity(data: dict[str, Any]) -> Severity | None:
    name = active().severity_of(data["event_type"])
    return Severity(name) if name else None


EVENT_TYPE_RULE = "two or more words of a-z 0-9 _ -, joined by dots"
"""What the pattern below says, in words."""
EventTypeName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)+$")
]
Category = Annotated[
    str, StringConstraints(min_length=1, max_length=64, to_lower=True), AfterValidator(_storable_text)
]
"""Stored in lower case, as queries look for it."""
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_storable_text)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(_storable_text)]
Metadata = Annotated[dict[str, Any], AfterValidator(valid_metadata)]


def _now() -> datetime:
    return datetime.now(UTC)


_set = object.__setattr__


class Event(BaseModel):
    """One thing that happened.

    Only `event_type` (dotted lower case, `noun.verb`) must be given. `category` and `severity` default to
    what the active taxonomy says of the type, `inserted_at` to now, `id` to a new UUIDv7.
    `inserted_at` is aware, in UTC, to the microsecond, by the producer's clock. `position` is given by the
    store on commit and is the cursor for catching up.

    Raises:
        pydantic.ValidationError: a field breaks its rule; the message names the field and the rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: UUID = Field(default_factory=uuid7)
    event_type: EventTypeName
    category: Category = Field(default_factory=_default_category)
    actor_type: ActorType = ActorType.SYSTEM
    actor_id: Identifier | None = None
    resource_type: ShortText | None = None
    resource_id: Identifier | None = None
    secondary_resource_type: ShortText | None = None
    secondary_resource_id: Identifier | None = None
    metadata: Metadata = Field(default_factory=dict)
    status: ShortText | None = None
    severity: Severity | None = Field(default_factory=_default_severity)
    inserted_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] = Field(default_factory=_now)
    position: int | None = Field(default=None, ge=1, le=INT_MAX)

    @classmethod
    def from_valid(cls, fields: dict[str, Any]) -> Self:
        """An event of `fields`, all of them, checked already: a second validation would double the cost.

        The event takes over `fields`.
        """
        event = cls.__new__(cls)
        # Past the check that keeps an event as it is.
        _set(event, "__dict__", fields)
        # One set for all: of its own, it would take as much memory as all the rest of an event.
        _set(event, "__pydantic_fields_set__", _ALL_FIELDS)
        _set(event, "__pydantic_extra__", None)
        _set(event, "__pydantic_private__", None)
        return event

    def at(self, position: int) -> Self:
        """This event as the store has it, at `position`."""
        return self.from_valid({**self.__dict__, "position": position})

    @property
    def sort_key(self) -> tuple[datetime, int]:
        """Orders the timeline: by time, then by id."""
        return (self.inserted_at, self.id.int)

    @property
    def actor(self) -> str:
        """The actor as operators write it: `user:42`, `job:rss`, `system`."""
        return f"{self.actor_type}:{self.actor_id}" if self.actor_id is not None else str(self.actor_type)

    @property
    def resource(self) -> str | None:
        """The resource as operators write it: `download/9f3a`; None when the event is about none."""
        return _pair(self.resource_type, self.resource_id)

    @property
    def secondary_resource(self) -> str | None:
        """The secondary resource, written like `resource`."""
        return _pair(self.secondary_resource_type, self.secondary_resource_id)


_ALL_FIELDS = set(Event.model_fields)


def _pair(kind: str | None, identifier: str | None) -> str | None:
    if kind is None:
        return identifier
    return kind if identifier is None else f"{kind}/{identifier}"


def split_reference(reference: str) -> tuple[str, str | None]:
    """Split `type/id` or `type:id` at its first separator: `"download/9f3a"` gives `("download", "9f3a")`."""
    for index, character in enumerate(reference):
        if character in "/:":
            return reference[:index], reference[index + 1 :] or None
    return reference, None


def search_text(event: Event) -> str:
    """The text that bare words of a query look in, case-folded: type, ids, status and metadata.

    Folded here, once, because each database folds differently (SQLite's `lower()` knows ASCII only,
    PostgreSQL's follows the locale, MariaDB's the collation). Parts are joined by newlines, so that no
    match spans two of them.
    """
    named = (
        event.event_type,
        event.actor_id,
        event.resource_type,
        event.resource_id,
        event.secondary_resource_type,
        event.secondary_resource_id,
        event.status,
    )
    parts = [part for part in named if part]
    if event.metadata:
        _collect_text(event.metadata, parts)
    return "\n".join(parts).casefold()


def _collect_text(value: Any, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(value)
    elif isinstance(value, dict):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            parts.append(key)  # pyright: ignore[reportUnknownArgumentType]
            if type(item) is str:  # pyright: ignore[reportUnknownArgumentType]
                # Most of metadata is flat text, and every stored event passes here.
                parts.append(item)
            else:
                _collect_text(item, parts)
    elif isinstance(value, (list, tuple)):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            _collect_text(item, parts)
    elif value is True or value is False:
        parts.append("true" if value else "false")
    elif isinstance(value, int):
        parts.append(str(value))
    elif value is not None:
        parts.append(to_json(value).decode())

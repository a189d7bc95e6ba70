"""What an application says when it records an event, and to whom: shared by the recorder and its helpers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol, Self, TypedDict, Unpack
from uuid import UUID

from store.event import ActorType, Severity


class Participants(TypedDict, total=False):
    """The fields of `store.event.Event` that say who did something, and to what."""

    actor_type: ActorType | str
    actor_id: str | None
    resource_type: str | None
    resource_id: str | None
    secondary_resource_type: str | None
    secondary_resource_id: str | None


class EventFields(Participants, total=False):
    """The fields of `store.event.Event` but for its type. What is left out is filled in.

    `metadata` may hold whatever JSON can express, and moments, UUIDs, enums, decimals and paths as text.
    """

    id: UUID
    category: str
    metadata: Mapping[str, Any]
    status: str | None
    severity: Severity | str | None
    inserted_at: datetime


class Records(Protocol):
    """Takes events to be recorded. `store.recorder.Recorder` is one."""

    def record(self, event_type: str, /, **fields: Unpack[EventFields]) -> bool:
        """Record that something happened. Never raises and never blocks; False when it was dropped, and counted."""
        ...


class Actor(NamedTuple):
    """Who did it. A guest is a user without an id."""

    type: ActorType
    id: str | None = None

    @classmethod
    def user(cls, identifier: str | None) -> Self:
        """The user with this id; a guest with None."""
        return cls(ActorType.USER, identifier)

    @classmethod
    def job(cls, name: str) -> Self:
        """The scheduled job of this name."""
        return cls(ActorType.JOB, name)


SYSTEM = Actor(ActorType.SYSTEM)
"""The application itself."""
GUEST = Actor(ActorType.USER)
"""A user who is not signed in."""


class Resource(NamedTuple):
    """What something happened to: `Resource("download", "9f3a")`."""

    type: str
    id: str | None = None


def fields_of(
    actor: Actor = SYSTEM, resource: Resource | None = None, secondary: Resource | None = None
) -> Participants:
    """The fields that name `actor`, `resource` and `secondary`."""
    fields = Participants(actor_type=actor.type, actor_id=actor.id)
    if resource is not None:
        fields["resource_type"], fields["resource_id"] = resource
    if secondary is not None:
        fields["secondary_resource_type"], fields["secondary_resource_id"] = secondary
    return fields

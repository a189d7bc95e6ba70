"""Who asks, and from where: what the events of a site, a gateway and a sign-in have in common."""

from __future__ import annotations

from dataclasses import dataclass

from store.event import ActorType
from store.typed.events import Identity, Reference, facts_of, read


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user, or with no `user_id` a guest, and what is known of where the request comes from.

    Any object with a `user_id` may stand in its place; of the rest, what it has is recorded. Addresses and user
    agents are personal data: leave out what the application may not keep. Never put a session's secret here.
    """

    user_id: Identity | None = None
    ip: str | None = None
    user_agent: str | None = None
    device_id: str | None = None
    region: str | None = None


def actor_of(visitor: object) -> Reference:
    """The visitor as the actor of an event."""
    return ActorType.USER, read(visitor, "user_id")


def whereabouts(visitor: object) -> dict[str, object]:
    """The facts of the visitor: `ip`, `user_agent`, `device_id`, `region`."""
    return facts_of(visitor, optional=("ip", "user_agent", "device_id", "region"))

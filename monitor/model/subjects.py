"""What has a page of its own: a resource, and whoever acts."""

from __future__ import annotations

from typing import NamedTuple

from store.event import Event
from store.query.syntax import And, Compare, Exists, Field, Node, Not, Op


class ResourceName(NamedTuple):
    """A resource, by its type and id."""

    resource_type: str
    resource_id: str

    @property
    def text(self) -> str:
        """As operators write it. Raw event text."""
        return f"{self.resource_type}/{self.resource_id}"

    @property
    def query(self) -> Compare:
        """What its events match, in both roles."""
        return Compare(Field.RESOURCE, Op.EQ, self.text)

    def concerns(self, event: Event) -> bool:
        """Whether `event` is about it, in either role."""
        return self in (
            (event.resource_type, event.resource_id),
            (event.secondary_resource_type, event.secondary_resource_id),
        )


class ActorName(NamedTuple):
    """A user, a job or the system, as events name it: `user:42`, `job:rss-sync`, `system`."""

    text: str

    @property
    def query(self) -> Node:
        """What all that it did matches."""
        named = Compare(Field.ACTOR, Op.EQ, self.text)
        # A type alone asks for all actors of it; here it is the one that has no id.
        return named if ":" in self.text else And((named, Not(Exists(Field.ACTOR_ID))))

    def concerns(self, event: Event) -> bool:
        """Whether it did what `event` tells."""
        return event.actor == self.text


Subject = ResourceName | ActorName

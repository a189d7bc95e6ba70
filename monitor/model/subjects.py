"""What has a page of its own: a resource, and whoever acts."""

from __future__ import annotations

from typing import NamedTuple

from monitor.model.filter import Facet
from store.event import Event
from store.query.syntax import Compare, Field, Node, Op


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


def resources_of(event: Event) -> list[ResourceName]:
    """The resources that an event is about, the one in its primary role first."""
    roles = (
        (event.resource_type, event.resource_id),
        (event.secondary_resource_type, event.secondary_resource_id),
    )
    return [ResourceName(kind, one) for kind, one in roles if kind is not None and one is not None]


class ActorName(NamedTuple):
    """A user, a job or the system, as events name it: `user:42`, `job:rss-sync`, `system`."""

    text: str

    @property
    def query(self) -> Node:
        """What all that it did matches."""
        return Facet(Field.ACTOR, self.text).node()

    def concerns(self, event: Event) -> bool:
        """Whether it did what `event` tells."""
        return event.actor == self.text


PageSubject = ResourceName | ActorName
"""Whose page it is."""

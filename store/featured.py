"""What a catalogue site features now: the first read model, by what editors did."""

from __future__ import annotations

from store.event import Event
from store.featured_item import FeaturedItem
from store.repository import EventRepository

MODEL = "featured"
CREATED, UPDATED, REMOVED = "featured.item.created", "featured.item.updated", "featured.item.removed"
PLACES_MAX = 50
EVENTS_MAX = 5_000
"""Events that are looked at, the newest: what was featured before them and never touched since is not known."""


async def featured_items(repository: EventRepository) -> list[FeaturedItem]:
    """What is featured by the latest event of each place, by the names of places.

    Raises:
        StoreUnavailableError: the database failed.
    """
    latest: dict[str, Event] = {}
    for event in await repository.newest_of_types((CREATED, UPDATED, REMOVED), EVENTS_MAX):
        if event.resource_id is not None:
            latest.setdefault(event.resource_id, event)
    shown = [_item(place, event) for place, event in sorted(latest.items()) if event.event_type != REMOVED]
    return shown[:PLACES_MAX]


def _item(place: str, event: Event) -> FeaturedItem:
    title = event.metadata.get("title")
    return FeaturedItem(
        place,
        title if isinstance(title, str) else None,
        event.secondary_resource_type,
        event.secondary_resource_id,
        event.inserted_at,
    )

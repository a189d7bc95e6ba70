"""Events of a library's items: what is kept, and which of it is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from store.recording import SYSTEM, Actor
from store.typed.events import (
    Identity,
    Reference,
    Statement,
    TypedEvents,
    facts_of,
    named,
    read,
    records,
)


class MediaItem(Protocol):
    """A series, a movie or whatever else is kept. Read too where there is one: `year`, `quality_profile`."""

    @property
    def id(self) -> Identity:
        """Its id within its type."""
        ...

    @property
    def type(self) -> str:
        """What it is, `series` or `movie` say: the resource type of its events."""
        ...

    @property
    def title(self) -> str:
        """Its name as people know it."""
        ...


class Season(Protocol):
    """A season of a series. Read too where there is one: `episode_count`."""

    @property
    def id(self) -> Identity:
        """Its own id, as in `brackwater-s02`."""
        ...

    @property
    def number(self) -> int:
        """Which season it is."""
        ...

    @property
    def series(self) -> MediaItem:
        """What it is a season of."""
        ...


class Episode(Protocol):
    """An episode of a series."""

    @property
    def id(self) -> Identity:
        """Its own id, as in `brackwater-s02e01`."""
        ...

    @property
    def series(self) -> MediaItem:
        """What it is an episode of."""
        ...


Work = MediaItem | Episode
"""What is searched for, downloaded and imported: an item of its own, or an episode."""


def about(work: object) -> tuple[Reference, Reference | None, object]:
    """Resource, secondary resource and title of the events of `work`: an episode is secondary to its series."""
    series = _series_of(work)
    if series is None:
        return item_of(work), None, read(work, "title")
    return item_of(series), named("episode", work), read(series, "title")


def work_of(work: object) -> Reference:
    """The reference to `work` alone: to an episode without its series."""
    return item_of(work) if _series_of(work) is None else named("episode", work)


def item_of(item: object) -> Reference:
    """The reference to a media item."""
    return read(item, "type"), read(item, "id")


def _series_of(work: object) -> object:
    return facts_of(work, optional=("series",)).get("series")


class MediaEvents(TypedEvents):
    """What happens to the items of a library. The resource is the item: `series/brackwater`.

    An episode or a season is the secondary resource of its series. Metadata, of which None is left out:

    =============================  ==========================================================
    `media_item.added`             `title`, `year`, `quality_profile`, `monitored`
    `media_item.updated`           `title`, `changes` (`{name: [before, after]}`)
    `media_item.removed`           `title`, `delete_files`
    `media_item.monitored_changed` `title`, `monitored`
    `episode.monitored_changed`    `title` (of the series), `monitored`
    `season.monitored_changed`     `title` (of the series), `season`, `monitored`, `episode_count`
    =============================  ==========================================================

    For a change of many items at once see `store.integration.summary`.
    """

    @records("media_item.added")
    def item_added(self, item: MediaItem, actor: Actor = SYSTEM) -> Statement:
        """`item` is kept from now on."""
        facts = facts_of(item, "title", optional=("year", "quality_profile", "monitored"))
        return Statement(actor, item_of(item), metadata=facts)

    @records("media_item.updated")
    def item_updated(
        self, item: MediaItem, actor: Actor = SYSTEM, *, changes: Mapping[str, tuple[object, object]]
    ) -> Statement:
        """Something of `item` changed; `changes` holds what was before and what is now, by name."""
        facts = {"title": read(item, "title"), "changes": changes}
        return Statement(actor, item_of(item), metadata=facts)

    @records("media_item.removed")
    def item_removed(
        self, item: MediaItem, actor: Actor = SYSTEM, *, delete_files: bool = False
    ) -> Statement:
        """`item` is kept no longer."""
        facts = {"title": read(item, "title"), "delete_files": delete_files}
        return Statement(actor, item_of(item), metadata=facts)

    @records("media_item.monitored_changed")
    def item_monitored_changed(self, item: MediaItem, actor: Actor = SYSTEM, *, monitored: bool) -> Statement:
        """`item` is looked for from now on, or no longer."""
        facts = {"title": read(item, "title"), "monitored": monitored}
        return Statement(actor, item_of(item), metadata=facts)

    @records("episode.monitored_changed")
    def episode_monitored_changed(
        self, episode: Episode, actor: Actor = SYSTEM, *, monitored: bool
    ) -> Statement:
        """One episode is looked for from now on, or no longer."""
        series = read(episode, "series")
        return Statement(
            actor,
            item_of(series),
            named("episode", episode),
            metadata={"title": read(series, "title"), "monitored": monitored},
        )

    @records("season.monitored_changed")
    def season_monitored_changed(
        self, season: Season, actor: Actor = SYSTEM, *, monitored: bool
    ) -> Statement:
        """The episodes of one season are looked for from now on, or no longer: one event, whatever their number."""
        series = read(season, "series")
        return Statement(
            actor,
            item_of(series),
            named("season", season),
            metadata={
                "title": read(series, "title"),
                "season": read(season, "number"),
                "monitored": monitored,
                **facts_of(season, optional=("episode_count",)),
            },
        )

"""The library: which titles are kept, which of their episodes are wanted, and the files on disk."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Self

from monitor.demo.catalogue import Title
from store.recording import SYSTEM, Actor, Records, Resource, fields_of
from store.typed import LibraryEvents, MediaEvents


@dataclass(slots=True)
class MediaItem:
    """A title in the library.

    `type` is `series` or `movie`; `seasons` and `unmonitored`, the ids of the episodes that are not wanted, are
    empty for a movie.
    """

    id: str
    type: str
    title: str
    year: int
    seasons: tuple[int, ...]
    monitored: bool = True
    quality_profile: str = "HD-1080p"
    unmonitored: set[str] = field(default_factory=set[str])

    @classmethod
    def of(cls, title: Title) -> Self:
        """`title` as the library begins to keep it."""
        return cls(title.id, title.kind, title.name, title.year, title.seasons)

    @property
    def resource(self) -> Resource:
        """The item as events name it."""
        return Resource(self.type, self.id)

    def episode_ids(self, season: int) -> list[str]:
        """`brackwater-s02e01` and so on, for season 1 and up."""
        return [f"{self.id}-s{season:02}e{episode + 1:02}" for episode in range(self.seasons[season - 1])]


class Season(NamedTuple):
    """One season, as its event tells of it."""

    id: str
    number: int
    series: MediaItem
    episode_count: int


class Episode(NamedTuple):
    """One episode, as its events tell of it."""

    id: str
    series: MediaItem


class Library:
    """The media items, by id. Every change is made first and recorded after."""

    def __init__(self, recorder: Records, titles: tuple[Title, ...]) -> None:
        self._recorder = recorder
        self._item_events = MediaEvents(recorder)
        self._file_events = LibraryEvents(recorder)
        self.items = {title.id: MediaItem.of(title) for title in titles}
        self.files = 0

    def add(self, title: Title, actor: Actor) -> MediaItem:
        """Start to keep `title`."""
        item = self.items[title.id] = MediaItem.of(title)
        self._item_events.item_added(item, actor)
        return item

    def remove(self, item: MediaItem, actor: Actor, *, delete_files: bool = False) -> None:
        """Keep the title no longer."""
        self.items.pop(item.id, None)
        self._item_events.item_removed(item, actor, delete_files=delete_files)

    def set_quality_profile(self, item: MediaItem, profile: str, actor: Actor) -> None:
        """Want the title in another quality."""
        before, item.quality_profile = item.quality_profile, profile
        self._item_events.item_updated(item, actor, changes={"quality_profile": (before, profile)})

    def set_monitored(self, item: MediaItem, monitored: bool, actor: Actor) -> None:
        """Look for the title from now on, or no longer."""
        item.monitored = monitored
        self._item_events.item_monitored_changed(item, actor, monitored=monitored)

    def set_all_monitored(self, monitored: bool, actor: Actor) -> int:
        """Change every item of the library; returns how many changed.

        A bulk change is one event that says how many: one for each item would bury the timeline.
        """
        changed = [item for item in self.items.values() if item.monitored != monitored]
        for item in changed:
            item.monitored = monitored
        if changed:
            self._recorder.record(
                "media_item.monitored_changed",
                **fields_of(actor, Resource("library", "main")),
                metadata={
                    "monitored": monitored,
                    "item_count": len(changed),
                    "items": [item.id for item in changed],
                },
            )
        return len(changed)

    def set_season_monitored(self, item: MediaItem, number: int, monitored: bool, actor: Actor) -> None:
        """Want the episodes of one season, or none of them: one event, whatever their number."""
        episodes = item.episode_ids(number)
        if monitored:
            item.unmonitored.difference_update(episodes)
        else:
            item.unmonitored.update(episodes)
        season = Season(f"{item.id}-s{number:02}", number, item, len(episodes))
        self._item_events.season_monitored_changed(season, actor, monitored=monitored)

    def toggle_episode(self, item: MediaItem, episode: str, actor: Actor) -> None:
        """Want one episode if it is not wanted, and the other way round."""
        item.unmonitored.symmetric_difference_update({episode})
        self._item_events.episode_monitored_changed(
            Episode(episode, item), actor, monitored=episode not in item.unmonitored
        )

    def start_scan(self, path: str, actor: Actor) -> None:
        """Begin to look for new files under `path`."""
        self._file_events.scan_started(path, actor)

    def complete_scan(self, path: str, imported: int, duration_ms: int, actor: Actor) -> None:
        """All of `path` was looked at."""
        self._file_events.scan_completed(
            path, actor, files_imported=imported, files_total=self.files, duration=duration_ms / 1_000
        )

    def import_file(
        self, item: MediaItem, episode: str | None, path: str, size_bytes: int, actor: Actor = SYSTEM
    ) -> None:
        """Take a file into the library; `episode` is None for a movie."""
        self.files += 1
        self._file_events.file_imported(_work(item, episode), actor, path=path, size_bytes=size_bytes)

    def rename_file(
        self, item: MediaItem, episode: str | None, before: str, after: str, actor: Actor
    ) -> None:
        """Give a file the name that the naming scheme asks for."""
        self._file_events.file_renamed(_work(item, episode), actor, before=before, after=after)


def _work(item: MediaItem, episode: str | None) -> MediaItem | Episode:
    """What a file holds: an episode of `item`, or `item` itself."""
    return item if episode is None else Episode(episode, item)

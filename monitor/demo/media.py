"""The library: which titles are kept, which of their episodes are wanted, and the files on disk."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.demo.catalogue import Title
from monitor.demo.tracking import SYSTEM, Actor, Resource, Tracking


@dataclass(slots=True)
class MediaItem:
    """A title in the library. `unmonitored` holds the ids of the episodes that are not wanted."""

    title: Title
    monitored: bool = True
    quality_profile: str = "HD-1080p"
    unmonitored: set[str] = field(default_factory=set[str])

    @property
    def resource(self) -> Resource:
        """The item as events name it."""
        return (self.title.kind, self.title.id)

    def episode_ids(self, season: int) -> list[str]:
        """`brackwater-s02e01` and so on, for season 1 and up."""
        return [
            f"{self.title.id}-s{season:02}e{episode + 1:02}"
            for episode in range(self.title.seasons[season - 1])
        ]


class Library:
    """The media items, by id. Every change is made first and tracked after."""

    def __init__(self, tracking: Tracking, titles: tuple[Title, ...]) -> None:
        self._track = tracking.track
        self.items = {title.id: MediaItem(title) for title in titles}
        self.files = 0

    async def add(self, title: Title, actor: Actor) -> MediaItem:
        """Start to keep `title`."""
        item = self.items[title.id] = MediaItem(title)
        await self._track(
            "media_item.added",
            actor=actor,
            resource=item.resource,
            metadata={
                "title": title.name,
                "year": title.year,
                "quality_profile": item.quality_profile,
                "monitored": item.monitored,
            },
        )
        return item

    async def remove(self, item: MediaItem, actor: Actor, *, delete_files: bool = False) -> None:
        """Keep the title no longer."""
        self.items.pop(item.title.id, None)
        await self._track(
            "media_item.removed",
            actor=actor,
            resource=item.resource,
            metadata={
                "title": item.title.name,
                "delete_files": delete_files,
            },
        )

    async def set_quality_profile(self, item: MediaItem, profile: str, actor: Actor) -> None:
        """Want the title in another quality."""
        before, item.quality_profile = item.quality_profile, profile
        await self._track(
            "media_item.updated",
            actor=actor,
            resource=item.resource,
            metadata={
                "title": item.title.name,
                "changes": {"quality_profile": [before, profile]},
            },
        )

    async def set_monitored(self, item: MediaItem, monitored: bool, actor: Actor) -> None:
        """Look for the title from now on, or no longer."""
        item.monitored = monitored
        await self._track(
            "media_item.monitored_changed",
            actor=actor,
            resource=item.resource,
            metadata={
                "title": item.title.name,
                "monitored": monitored,
            },
        )

    async def set_all_monitored(self, monitored: bool, actor: Actor) -> int:
        """Change every item of the library; returns how many changed.

        A bulk change is one event that says how many: one for each item would bury the timeline.
        """
        changed = [item for item in self.items.values() if item.monitored != monitored]
        for item in changed:
            item.monitored = monitored
        if changed:
            await self._track(
                "media_item.monitored_changed",
                actor=actor,
                resource=("library", "main"),
                metadata={
                    "monitored": monitored,
                    "item_count": len(changed),
                    "items": [item.title.id for item in changed],
                },
            )
        return len(changed)

    async def set_season_monitored(self, item: MediaItem, season: int, monitored: bool, actor: Actor) -> None:
        """Want the episodes of one season, or none of them: one event, whatever their number."""
        episodes = item.episode_ids(season)
        if monitored:
            item.unmonitored.difference_update(episodes)
        else:
            item.unmonitored.update(episodes)
        await self._track(
            "season.monitored_changed",
            actor=actor,
            resource=item.resource,
            secondary=("season", f"{item.title.id}-s{season:02}"),
            metadata={
                "title": item.title.name,
                "season": season,
                "monitored": monitored,
                "episode_count": len(episodes),
            },
        )

    async def toggle_episode(self, item: MediaItem, episode: str, actor: Actor) -> None:
        """Want one episode if it is not wanted, and the other way round."""
        item.unmonitored.symmetric_difference_update({episode})
        await self._track(
            "episode.monitored_changed",
            actor=actor,
            resource=item.resource,
            secondary=("episode", episode),
            metadata={
                "title": item.title.name,
                "monitored": episode not in item.unmonitored,
            },
        )

    async def start_scan(self, path: str, actor: Actor) -> None:
        """Begin to look for new files under `path`."""
        await self._track(
            "library.scan_started",
            actor=actor,
            resource=("library", "main"),
            status="running",
            metadata={"path": path},
        )

    async def complete_scan(self, path: str, imported: int, duration_ms: int, actor: Actor) -> None:
        """All of `path` was looked at."""
        await self._track(
            "library.scan_completed",
            actor=actor,
            resource=("library", "main"),
            status="completed",
            metadata={
                "path": path,
                "files_imported": imported,
                "files_total": self.files,
                "duration_ms": duration_ms,
            },
        )

    async def import_file(
        self, item: MediaItem, episode: str | None, path: str, size_bytes: int, actor: Actor = SYSTEM
    ) -> None:
        """Take a file into the library; `episode` is None for a movie."""
        self.files += 1
        await self._track(
            "library.file_imported",
            actor=actor,
            resource=item.resource,
            secondary=("episode", episode) if episode else None,
            status="imported",
            metadata={
                "title": item.title.name,
                "path": path,
                "size_bytes": size_bytes,
            },
        )

    async def rename_file(
        self, item: MediaItem, episode: str | None, before: str, after: str, actor: Actor
    ) -> None:
        """Give a file the name that the naming scheme asks for."""
        await self._track(
            "library.file_renamed",
            actor=actor,
            resource=item.resource,
            secondary=("episode", episode) if episode else None,
            metadata={
                "title": item.title.name,
                "before": before,
                "after": after,
            },
        )

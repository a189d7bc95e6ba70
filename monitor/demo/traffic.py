"""Everyday traffic: what users and jobs do when nothing special happens."""

from __future__ import annotations

from collections.abc import Callable

from monitor.demo.catalogue import ADMINISTRATOR, SHELF
from monitor.demo.downloads import Progress
from monitor.demo.media import MediaItem
from monitor.demo.world import World
from store.recording import Actor

RSS = Actor.job("rss-sync")
Habit = Callable[[], bool]
"""Does something and returns True, or returns False when the world gives no occasion for it."""


class Traffic:
    """Chooses what happens next, by weight."""

    def __init__(self, world: World) -> None:
        self._world = world
        weighted: dict[Habit, float] = {
            self._view: 24,
            self._react: 11,
            self._search_site: 6,
            self._follow_recommendation: 3,
            self._play: 16,
            self._grab: 8,
            self._search_by_hand: 4,
            self._pause: 2.5,
            self._resume: 2.5,
            self._cancel: 1.5,
            self._log_in: 3,
            self._log_out: 2.5,
            self._change_settings: 1.5,
            self._add_title: 1.2,
            self._remove_title: 1,
            self._edit_title: 2,
            self._choose_episodes: 3,
            self._rename_file: 1.5,
            self._feature: 0.8,
        }
        self._habits = list(weighted)
        self._weights = list(weighted.values())

    def act(self) -> None:
        """Do one thing, which is at least one event."""
        habit = self._world.random.choices(self._habits, self._weights)[0]
        if not habit():
            self._view()

    def _view(self) -> bool:
        self._world.site.view(self._world.accounts.someone())
        return True

    def _react(self) -> bool:
        self._world.site.react(self._world.accounts.someone())
        return True

    def _search_site(self) -> bool:
        self._world.site.search(self._world.accounts.someone())
        return True

    def _follow_recommendation(self) -> bool:
        self._world.site.follow_recommendation(self._world.accounts.someone())
        return True

    def _play(self) -> bool:
        self._world.site.play(self._world.accounts.someone())
        return True

    def _feature(self) -> bool:
        self._world.site.feature(ADMINISTRATOR)
        return True

    def _grab(self) -> bool:
        world = self._world
        item = world.some_item()
        if world.downloads.full or not item.monitored:
            return False
        releases = world.search.automatic(item, world.some_episode(item), RSS)
        if releases:
            world.downloads.initiate(item, max(releases, key=lambda release: release.seeders), RSS)
        return True

    def _search_by_hand(self) -> bool:
        world = self._world
        item, actor = world.some_item(), self._someone()
        releases = world.search.manual(item, world.some_episode(item), actor)
        if releases and not world.downloads.full and world.random.random() < 0.6:
            world.downloads.initiate(item, world.random.choice(releases), actor)
        return True

    def _pause(self) -> bool:
        download = self._world.downloads.some(Progress.DOWNLOADING)
        if download is None:
            return False
        self._world.downloads.pause(download, self._someone())
        return True

    def _resume(self) -> bool:
        download = self._world.downloads.some(Progress.PAUSED)
        if download is None:
            return False
        self._world.downloads.resume(download, self._someone())
        return True

    def _cancel(self) -> bool:
        downloads = self._world.downloads
        download = downloads.some(Progress.PAUSED) or downloads.some(Progress.DOWNLOADING)
        if download is None:
            return False
        downloads.cancel(download, self._someone())
        return True

    def _log_in(self) -> bool:
        away = self._world.accounts.signed_out()
        if not away:
            return False
        self._world.accounts.log_in(self._world.random.choice(away))
        return True

    def _log_out(self) -> bool:
        present = list(self._world.accounts.signed_in)
        if len(present) < 2:
            return False
        self._world.accounts.log_out(self._world.random.choice(present))
        return True

    def _change_settings(self) -> bool:
        accounts = self._world.accounts
        change = self._world.random.choice(
            (accounts.change_setting, accounts.change_preference, accounts.update_profile)
        )
        change(accounts.someone())
        return True

    def _add_title(self) -> bool:
        missing = [title for title in SHELF if title.id not in self._world.library.items]
        if not missing:
            return False
        self._world.library.add(self._world.random.choice(missing), self._someone())
        return True

    def _remove_title(self) -> bool:
        items = self._world.library.items
        added = [items[title.id] for title in SHELF if title.id in items]
        if not added:
            return False
        random = self._world.random
        self._world.library.remove(random.choice(added), self._someone(), delete_files=random.random() < 0.5)
        return True

    def _edit_title(self) -> bool:
        library, random = self._world.library, self._world.random
        item, actor = self._world.some_item(), self._someone()
        if random.random() < 0.5:
            profile = "UHD-2160p" if item.quality_profile == "HD-1080p" else "HD-1080p"
            library.set_quality_profile(item, profile, actor)
        else:
            library.set_monitored(item, not item.monitored, actor)
        return True

    def _choose_episodes(self) -> bool:
        library, random = self._world.library, self._world.random
        item, actor = self._some_series(), self._someone()
        season = random.randint(1, len(item.seasons))
        if random.random() < 0.4:
            library.set_season_monitored(item, season, random.random() < 0.5, actor)
        else:
            library.toggle_episode(item, random.choice(item.episode_ids(season)), actor)
        return True

    def _rename_file(self) -> bool:
        item = self._some_series()
        episode = self._world.some_episode(item)
        self._world.library.rename_file(
            item,
            episode,
            f"/media/{item.id}/{episode}.1080p-MOSS.mkv",
            f"/media/{item.id}/{episode}.mkv",
            Actor.job("rename-files") if self._world.random.random() < 0.3 else self._someone(),
        )
        return True

    def _someone(self) -> Actor:
        """Who does it: a user who is signed in, or any user when nobody is."""
        return Actor.user(self._world.accounts.someone())

    def _some_series(self) -> MediaItem:
        """Any series of the library, which is never without one: only titles that were added are removed."""
        return self._world.random.choice(
            [item for item in self._world.library.items.values() if item.seasons]
        )

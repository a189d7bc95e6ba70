"""The modules of the application, wired."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Self

from monitor.demo.accounts import Accounts
from monitor.demo.catalogue import MOVIES, SERIES
from monitor.demo.downloads import Downloads
from monitor.demo.jobs import Jobs
from monitor.demo.media import Library, MediaItem
from monitor.demo.search import Search
from monitor.demo.site import Site
from monitor.demo.tracking import Tracking


@dataclass(frozen=True, slots=True)
class World:
    """The modules, and the one generator that decides all chance in them."""

    random: Random
    library: Library
    search: Search
    downloads: Downloads
    jobs: Jobs
    accounts: Accounts
    site: Site

    @classmethod
    def build(cls, tracking: Tracking, random: Random) -> Self:
        """A world at rest: the library is filled, nobody is signed in, nothing is queued."""
        library = Library(tracking, SERIES + MOVIES)
        search = Search(tracking, random)
        return cls(
            random=random,
            library=library,
            search=search,
            downloads=Downloads(tracking, library, search, random),
            jobs=Jobs(tracking, library, search, random),
            accounts=Accounts(tracking, random),
            site=Site(tracking, random),
        )

    def some_item(self) -> MediaItem:
        """Any title of the library."""
        return self.random.choice(list(self.library.items.values()))

    def some_episode(self, item: MediaItem) -> str | None:
        """Any episode of `item`; None for a movie."""
        if not item.title.seasons:
            return None
        season = self.random.randint(1, len(item.title.seasons))
        return self.random.choice(item.episode_ids(season))

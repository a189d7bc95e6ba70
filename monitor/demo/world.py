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
from store.recording import Records


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
    def build(cls, recorder: Records, random: Random) -> Self:
        """A world at rest: the library is filled, nobody is signed in, nothing is queued."""
        library = Library(recorder, SERIES + MOVIES)
        search = Search(recorder, random)
        return cls(
            random=random,
            library=library,
            search=search,
            downloads=Downloads(recorder, library, search, random),
            jobs=Jobs(recorder, library, search, random),
            accounts=Accounts(recorder, random),
            site=Site(recorder, random),
        )

    def some_item(self) -> MediaItem:
        """Any title of the library."""
        return self.random.choice(list(self.library.items.values()))

    def some_episode(self, item: MediaItem) -> str | None:
        """Any episode of `item`; None for a movie."""
        if not item.seasons:
            return None
        season = self.random.randint(1, len(item.seasons))
        return self.random.choice(item.episode_ids(season))

"""Events of searches and downloads: what was looked for, handed to a client, and became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from store.recording import SYSTEM, Actor
from store.typed.events import (
    Identity,
    Statement,
    TypedEvents,
    duration_ms,
    error_text,
    facts_of,
    found,
    named,
    read,
    records,
)
from store.typed.media import Work, about, work_of


class Download(Protocol):
    """A download. Read too where there is one: `size_bytes`, `quality`, `indexer`, `client`, `percent` (0 to 100)."""

    @property
    def id(self) -> Identity:
        """Its id in the application, not in the client."""
        ...

    @property
    def title(self) -> str:
        """The name of the release."""
        ...

    @property
    def work(self) -> Work:
        """What it brings: an item or an episode."""
        ...


class SearchResult(Protocol):
    """A release that an indexer offers. Read too where there is one: `quality`, `seeders`."""

    @property
    def title(self) -> str:
        """The name of the release."""
        ...

    @property
    def indexer(self) -> str:
        """The indexer that offers it."""
        ...

    @property
    def size_bytes(self) -> int:
        """Its size."""
        ...


class DownloadEvents(TypedEvents):
    """Searches for releases, and downloads.

    The resource of a search is the item, with an episode as secondary resource; its status is `found`, or
    `no_results` with severity warning. The resource of a download is `download/<id>`, the item or the episode it
    brings is secondary. Metadata, of which None is left out:

    ==================================  =====================================================================
    `search.manual`, `search.automatic`  `query`, `result_count`, `indexers`, `duration_ms`
    every `download.*`                   `title`; those below besides
    `download.initiated`                 `quality`, `size_bytes`, `indexer`, `seeders`, `client`; downloading
    `download.completed`                 `size_bytes`, `duration_ms`, `quality`, `indexer`, `client`; completed
    `download.failed`                    `error`, `percent`, `indexer`, `client`; failed, severity error
    `download.cancelled`                 `percent`; cancelled
    `download.paused`                    `percent`; paused
    `download.resumed`                   `percent`; downloading
    ==================================  =====================================================================

    The word after the semicolon is the status.
    """

    @records("search.manual")
    def search_manual(
        self,
        work: Work,
        actor: Actor,
        *,
        result_count: int,
        query: str | None = None,
        indexers: Sequence[str] = (),
        duration: timedelta | float | None = None,
    ) -> Statement:
        """A user looked for releases of `work`; `query` is its title when not given, `duration` in seconds."""
        return _search(work, actor, result_count, query, indexers, duration)

    @records("search.automatic")
    def search_automatic(
        self,
        work: Work,
        actor: Actor,
        *,
        result_count: int,
        query: str | None = None,
        indexers: Sequence[str] = (),
        duration: timedelta | float | None = None,
    ) -> Statement:
        """A job looked for releases of `work`; `query` is its title when not given, `duration` in seconds."""
        return _search(work, actor, result_count, query, indexers, duration)

    @records("download.initiated")
    def download_initiated(
        self, download: Download, search_result: SearchResult | None, actor: Actor = SYSTEM
    ) -> Statement:
        """`download` was handed to a client; `search_result` is what it came from, if it came from a search."""
        facts = facts_of(download, "title", optional=("quality", "size_bytes", "indexer", "client"))
        if search_result is not None:
            facts |= facts_of(search_result, "indexer", "size_bytes", optional=("quality", "seeders"))
        return _told(download, actor, "downloading", facts)

    @records("download.completed")
    def download_completed(
        self,
        download: Download,
        actor: Actor = SYSTEM,
        *,
        duration: timedelta | float | None,
        size_bytes: int | None = None,
    ) -> Statement:
        """`download` is there; `duration` is in seconds, `size_bytes` the download's own unless given."""
        facts = facts_of(download, "title", optional=("size_bytes", "quality", "indexer", "client"))
        if size_bytes is not None:
            facts["size_bytes"] = size_bytes
        return _told(download, actor, "completed", {**facts, "duration_ms": duration_ms(duration)})

    @records("download.failed")
    def download_failed(
        self, download: Download, error: str | BaseException, actor: Actor = SYSTEM
    ) -> Statement:
        """`download` is given up for `error`: a text, or an exception, of which type and text are recorded."""
        facts = facts_of(download, "title", optional=("percent", "indexer", "client"))
        return _told(download, actor, "failed", {**facts, "error": error_text(error)})

    @records("download.cancelled")
    def download_cancelled(self, download: Download, actor: Actor = SYSTEM) -> Statement:
        """`download` is given up because someone wants it no more."""
        return _told(download, actor, "cancelled", facts_of(download, "title", optional=("percent",)))

    @records("download.paused")
    def download_paused(self, download: Download, actor: Actor = SYSTEM) -> Statement:
        """`download` stands still for now."""
        return _told(download, actor, "paused", facts_of(download, "title", optional=("percent",)))

    @records("download.resumed")
    def download_resumed(self, download: Download, actor: Actor = SYSTEM) -> Statement:
        """`download` goes on."""
        return _told(download, actor, "downloading", facts_of(download, "title", optional=("percent",)))


def _told(download: object, actor: object, status: str, facts: dict[str, object]) -> Statement:
    work = read(download, "work")
    return Statement(
        actor,
        named("download", download),
        None if work is None else work_of(work),
        status,
        metadata=facts,
    )


def _search(
    work: object, actor: object, result_count: object, query: object, indexers: object, duration: object
) -> Statement:
    resource, secondary, title = about(work)
    status, severity = found(result_count)
    return Statement(
        actor,
        resource,
        secondary,
        status,
        severity,
        {
            "query": title if query is None else query,
            "result_count": result_count,
            "indexers": indexers or None,
            "duration_ms": duration_ms(duration),
        },
    )

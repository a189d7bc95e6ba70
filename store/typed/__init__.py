"""One call for each event type that evtop ships with, over anything that records: no event is spelt by hand.

`MediaEvents(recorder).item_added(item, actor)`. An application passes its own objects: what a call reads of them is
in the protocols (`MediaItem`, `Download`…). No call ever raises into the application.
"""

from __future__ import annotations

from store.typed.alerts import AlertEvents, FiringAlert
from store.typed.auth import AuthEvents
from store.typed.catalogue import CatalogueEvents, Entry, Movie
from store.typed.downloads import Download, DownloadEvents, SearchResult
from store.typed.events import Identity, TypedEvents
from store.typed.gateway import WATCHED_SHARE, GatewayEvents, Playback
from store.typed.library import LibraryEvents
from store.typed.media import Episode, MediaEvents, MediaItem, Season, Work
from store.typed.privacy import PrivacyEvents
from store.typed.system import HealthState, Service, SystemEvents
from store.typed.visitor import Visitor

__all__ = [
    "WATCHED_SHARE",
    "AlertEvents",
    "AuthEvents",
    "CatalogueEvents",
    "Download",
    "DownloadEvents",
    "Entry",
    "Episode",
    "FiringAlert",
    "GatewayEvents",
    "HealthState",
    "Identity",
    "LibraryEvents",
    "MediaEvents",
    "MediaItem",
    "Movie",
    "Playback",
    "PrivacyEvents",
    "SearchResult",
    "Season",
    "Service",
    "SystemEvents",
    "TypedEvents",
    "Visitor",
    "Work",
]

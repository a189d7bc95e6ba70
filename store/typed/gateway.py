"""Events of a media gateway: what its users look for, open, rate and play."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from store.typed.auth import change, user_of
from store.typed.events import (
    Identity,
    NotSoError,
    Statement,
    TypedEvents,
    found,
    named,
    read,
    records,
)
from store.typed.media import MediaItem, item_of
from store.typed.visitor import Visitor, actor_of, whereabouts

WATCHED_SHARE = 0.9
"""The share of a title from which on it counts as watched."""


class Playback(Protocol):
    """Someone playing something."""

    @property
    def id(self) -> Identity:
        """The id of this playback, not of what is played."""
        ...

    @property
    def content(self) -> MediaItem:
        """What is played."""
        ...

    @property
    def position_s(self) -> float:
        """How far it is played, in seconds."""
        ...

    @property
    def length_s(self) -> float:
        """How long it is, in seconds."""
        ...


def watched_share(position_s: object, length_s: object) -> float | None:
    """How much was watched, 0 to 1, rounded down to thousandths; None when the figures do not say."""
    if not isinstance(position_s, (int, float)) or not isinstance(length_s, (int, float)):
        return None
    try:
        # Thousandths first: 0.9 × 7 / 7 is less than 0.9 in floating point.
        share = 1000 * position_s // length_s / 1000
    except (ArithmeticError, ValueError):
        return None
    return min(max(share, 0.0), 1.0) if length_s > 0 and math.isfinite(share) else None


class GatewayEvents(TypedEvents):
    """What users of a gateway do: the actor is the visitor.

    The resource is the content, `movie/<id>` say, `search/<scope>` or `user/<id>`; a playback is the secondary
    resource of what is played. Metadata, of which None is left out; all have `ip`, `user_agent`, `device_id` and
    `region` besides:

    ========================  =======================================================================
    `search.query`            `query`, `filters`, `result_count`; found, or no_results (warning)
    `search_result.clicked`   `title`, `query`, `rank` (from 1)
    `content.viewed`          `title`
    `content.rated`           `title`, `rating`
    every `playback.*`        `title`, `position_s`, `length_s`, `watched` (0 to 1)
    `profile.updated`         `fields` (names, no values)
    `preference.changed`      `key`, `before`, `after`; `(redacted)` where the key names a secret
    ========================  =======================================================================

    `playback.completed` always means that at least 0.9 was watched.
    """

    @records("search.query")
    def search_query(
        self,
        query: str,
        visitor: Visitor,
        *,
        result_count: int | None = None,
        filters: Mapping[str, object] | None = None,
        scope: str = "gateway",
    ) -> Statement:
        """A user searched; `scope` names what was searched."""
        status, severity = found(result_count)
        facts = {
            **whereabouts(visitor),
            "query": query,
            "filters": filters,
            "result_count": result_count,
        }
        return Statement(actor_of(visitor), ("search", scope), None, status, severity, facts)

    @records("search_result.clicked")
    def search_result_clicked(
        self, content: MediaItem, visitor: Visitor, *, query: str | None = None, rank: int | None = None
    ) -> Statement:
        """A user opened what a search found, as the `rank`-th of its results."""
        return _content(content, visitor, query=query, rank=rank)

    @records("content.viewed")
    def content_viewed(self, content: MediaItem, visitor: Visitor) -> Statement:
        """A user looked at the page of a title."""
        return _content(content, visitor)

    @records("content.rated")
    def content_rated(self, content: MediaItem, visitor: Visitor, *, rating: float) -> Statement:
        """A user rated a title, on the gateway's own scale."""
        return _content(content, visitor, rating=rating)

    @records("playback.started")
    def playback_started(self, playback: Playback, visitor: Visitor) -> Statement:
        """A user plays something."""
        return _playback(playback, visitor)

    @records("playback.paused")
    def playback_paused(self, playback: Playback, visitor: Visitor) -> Statement:
        """A playback stands still for now."""
        return _playback(playback, visitor)

    @records("playback.resumed")
    def playback_resumed(self, playback: Playback, visitor: Visitor) -> Statement:
        """A playback goes on."""
        return _playback(playback, visitor)

    @records("playback.completed")
    def playback_completed(self, playback: Playback, visitor: Visitor) -> Statement:
        """A title was watched: refused, with False, when less than 0.9 of it was, or when its figures do not say."""
        watched = watched_share(read(playback, "position_s"), read(playback, "length_s"))
        if watched is None:
            raise NotSoError("its position and length do not say how much was watched")
        if watched < WATCHED_SHARE:
            raise NotSoError(f"{watched:g} was watched, and completed means {WATCHED_SHARE:g}")
        return _playback(playback, visitor)

    @records("playback.abandoned")
    def playback_abandoned(self, playback: Playback, visitor: Visitor) -> Statement:
        """A playback ended before the title was watched."""
        return _playback(playback, visitor)

    def playback_ended(self, playback: Playback, visitor: Visitor) -> bool:
        """A playback ended: completed when at least 0.9 of the title was watched, else abandoned."""
        watched = watched_share(read(playback, "position_s"), read(playback, "length_s"))
        if watched is not None and watched >= WATCHED_SHARE:
            return self.playback_completed(playback, visitor)
        return self.playback_abandoned(playback, visitor)

    @records("profile.updated")
    def profile_updated(self, visitor: Visitor, *, fields: Sequence[str]) -> Statement:
        """A user changed the own profile; `fields` are the names of what changed."""
        facts = {**whereabouts(visitor), "fields": fields}
        return Statement(actor_of(visitor), user_of(visitor), metadata=facts)

    @records("preference.changed")
    def preference_changed(
        self, key: str, visitor: Visitor, *, before: object, after: object, secret: bool = False
    ) -> Statement:
        """A user changed how the application behaves for that user; `secret` keeps the values out of the event."""
        facts = {**whereabouts(visitor), "key": key, **change(key, before, after, secret=secret)}
        return Statement(actor_of(visitor), user_of(visitor), metadata=facts)


def _content(content: object, visitor: object, **facts: object) -> Statement:
    told = {**whereabouts(visitor), "title": read(content, "title"), **facts}
    return Statement(actor_of(visitor), item_of(content), metadata=told)


def _playback(playback: object, visitor: object) -> Statement:
    content, position_s, length_s = (read(playback, name) for name in ("content", "position_s", "length_s"))
    facts = {
        **whereabouts(visitor),
        "title": read(content, "title"),
        "position_s": position_s,
        "length_s": length_s,
        "watched": watched_share(position_s, length_s),
    }
    return Statement(actor_of(visitor), item_of(content), named("playback", playback), metadata=facts)

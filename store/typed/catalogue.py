"""Events of a catalogue site: what visitors do with movies, and what editors feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from store.recording import Actor
from store.typed.events import (
    Identity,
    Reference,
    Statement,
    TypedEvents,
    facts_of,
    found,
    named,
    read,
    records,
)
from store.typed.visitor import Visitor, actor_of, whereabouts


class Movie(Protocol):
    """A movie of the catalogue. Read too where there is one: `year`."""

    @property
    def id(self) -> Identity:
        """Its id in the catalogue."""
        ...

    @property
    def title(self) -> str:
        """Its name as people know it."""
        ...


class Entry(Protocol):
    """A person or a tag of the catalogue. Read too where there is one: `name`."""

    @property
    def id(self) -> Identity:
        """Its id among its kind."""
        ...


class CatalogueEvents(TypedEvents):
    """What visitors of a catalogue do: the actor is the visitor, a user or a guest.

    The resource is `movie/<id>`, `actor/<id>`, `tag/<id>`, `search/<scope>` or `shelf/<place>`; that of a featured
    item is the place where it is shown, `featured_item/<place>`, with the movie as secondary resource. Metadata, of
    which None is left out; those of a visitor have `ip`, `user_agent`, `device_id` and `region` besides:

    =========================  ==============================================================================
    every `movie.*`            `title`, `year`; those below besides
    `movie.downloaded`         `size_bytes`, `quality`
    `movie.rated`              `rating`
    `actor.viewed`, `tag.viewed`  `name`
    `search.performed`         `query`, `entity_type`, `filters`, `result_count`; found, or no_results (warning)
    `recommendation.shown`     `place`, `count`
    `recommendation.clicked`   `title`, `year`, `place`, `rank` (from 1)
    every `featured.item.*`    `title`
    =========================  ==============================================================================
    """

    @records("movie.viewed")
    def movie_viewed(self, movie: Movie, visitor: Visitor) -> Statement:
        """A visitor looked at the page of a movie."""
        return _movie(movie, visitor)

    @records("movie.downloaded")
    def movie_downloaded(
        self, movie: Movie, visitor: Visitor, *, size_bytes: int | None = None, quality: str | None = None
    ) -> Statement:
        """A visitor downloaded a movie."""
        return _movie(movie, visitor, size_bytes=size_bytes, quality=quality)

    @records("movie.rated")
    def movie_rated(self, movie: Movie, visitor: Visitor, *, rating: float) -> Statement:
        """A visitor rated a movie, on the site's own scale."""
        return _movie(movie, visitor, rating=rating)

    @records("movie.liked")
    def movie_liked(self, movie: Movie, visitor: Visitor) -> Statement:
        """A visitor likes a movie."""
        return _movie(movie, visitor)

    @records("movie.unliked")
    def movie_unliked(self, movie: Movie, visitor: Visitor) -> Statement:
        """A visitor took a like back."""
        return _movie(movie, visitor)

    @records("movie.watchlisted")
    def movie_watchlisted(self, movie: Movie, visitor: Visitor) -> Statement:
        """A visitor put a movie on the watchlist."""
        return _movie(movie, visitor)

    @records("movie.unwatchlisted")
    def movie_unwatchlisted(self, movie: Movie, visitor: Visitor) -> Statement:
        """A visitor took a movie off the watchlist."""
        return _movie(movie, visitor)

    @records("actor.viewed")
    def actor_viewed(self, person: Entry, visitor: Visitor) -> Statement:
        """A visitor looked at the page of a person who acts in movies."""
        return _entry("actor", person, visitor)

    @records("tag.viewed")
    def tag_viewed(self, tag: Entry, visitor: Visitor) -> Statement:
        """A visitor looked at the movies of a tag."""
        return _entry("tag", tag, visitor)

    @records("search.performed")
    def search_performed(
        self,
        query: str,
        visitor: Visitor,
        *,
        result_count: int,
        entity_type: str | None = None,
        filters: Mapping[str, object] | None = None,
        scope: str = "catalogue",
    ) -> Statement:
        """A visitor searched; `entity_type` is what was searched for, `scope` names what was searched."""
        status, severity = found(result_count)
        facts = {
            **whereabouts(visitor),
            "query": query,
            "entity_type": entity_type,
            "filters": filters,
            "result_count": result_count,
        }
        return Statement(actor_of(visitor), ("search", scope), None, status, severity, facts)

    @records("recommendation.shown")
    def recommendation_shown(self, visitor: Visitor, *, count: int, place: str | None = None) -> Statement:
        """A visitor was shown so many proposals at this place, all in one event."""
        facts = {**whereabouts(visitor), "place": place, "count": count}
        return Statement(actor_of(visitor), ("shelf", place or "site"), metadata=facts)

    @records("recommendation.clicked")
    def recommendation_clicked(
        self, movie: Movie, visitor: Visitor, *, place: str | None = None, rank: int | None = None
    ) -> Statement:
        """A visitor opened a movie that the site proposed, at this place and as the `rank`-th there."""
        return _movie(movie, visitor, place=place, rank=rank)

    @records("featured.item.created")
    def featured_item_created(self, place: str, movie: Movie, actor: Actor) -> Statement:
        """An empty place of the site features a movie from now on."""
        return _featured(place, movie, actor)

    @records("featured.item.updated")
    def featured_item_updated(self, place: str, movie: Movie, actor: Actor) -> Statement:
        """A place of the site features another movie from now on: this one."""
        return _featured(place, movie, actor)

    @records("featured.item.removed")
    def featured_item_removed(self, place: str, movie: Movie, actor: Actor) -> Statement:
        """A place of the site features nothing from now on, and this movie no longer."""
        return _featured(place, movie, actor)


def _movie(movie: object, visitor: object, **facts: object) -> Statement:
    told = {**whereabouts(visitor), **facts_of(movie, "title", optional=("year",)), **facts}
    return Statement(actor_of(visitor), named("movie", movie), metadata=told)


def _entry(kind: str, entry: object, visitor: object) -> Statement:
    facts = {**whereabouts(visitor), **facts_of(entry, optional=("name",))}
    return Statement(actor_of(visitor), named(kind, entry), metadata=facts)


def _featured(place: object, movie: object, actor: object) -> Statement:
    resource: Reference = ("featured_item", place)
    return Statement(actor, resource, named("movie", movie), metadata={"title": read(movie, "title")})

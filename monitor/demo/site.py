"""The catalogue site: what visitors look at, like, rate, search for and play."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from monitor.demo.catalogue import (
    AGENTS,
    DEVICES,
    FRUITLESS_QUERIES,
    MOVIES,
    PEOPLE,
    QUERIES,
    REGIONS,
    SERIES,
    SHELVES,
    TAGS,
    Title,
)
from store.event import Severity
from store.recording import GUEST, Actor, Records, Resource, fields_of

GUEST_SHARE = 0.3
FRUITLESS_SHARE = 0.2
SHOWN_FOR_A_CLICK = 36
WATCHED_SHARE = 0.9
"""Played to here, a title counts as watched."""
PLAYERS_MAX = 200

_MOVIE_WEIGHTS = [1 / (rank + 1) for rank in range(len(MOVIES))]
"""A few movies get most of the visits, as everywhere."""


@dataclass(slots=True)
class Playback:
    """Someone watching something; `position` and `length` are in seconds."""

    id: str
    actor: Actor
    title: Title
    device: str
    region: str
    length: int
    position: int = 0
    paused: bool = False


class Site:
    """Visitors, and what they left behind: likes, watchlists, featured movies, playbacks."""

    def __init__(self, recorder: Records, random: Random) -> None:
        self._recorder = recorder
        self._random = random
        self._liked: set[tuple[str, str]] = set()
        self._watchlists: set[tuple[str, str]] = set()
        self._featured: dict[str, Title] = {}
        self._playing: list[Playback] = []

    def view(self, name: str) -> None:
        """`name`, or a guest in that place, looks at a movie, at a person or at a tag."""
        kind = self._random.choices(("movie", "actor", "tag"), (6, 2, 2))[0]
        if kind == "movie":
            movie = self._movie()
            self._visit(name, "movie.viewed", Resource("movie", movie.id), title=movie.name, year=movie.year)
        elif kind == "actor":
            self._visit(name, "actor.viewed", Resource("actor", self._random.choice(PEOPLE)))
        else:
            self._visit(name, "tag.viewed", Resource("tag", self._random.choice(TAGS)))

    def react(self, name: str) -> None:
        """`name` likes, rates, downloads or puts a movie on the watchlist, or takes that back."""
        movie = self._movie()
        kind = self._random.choices(("like", "watchlist", "rate", "download"), (4, 3, 3, 2))[0]
        if kind == "like":
            verb = "liked" if _toggle(self._liked, (name, movie.id)) else "unliked"
            self._about(name, f"movie.{verb}", movie)
        elif kind == "watchlist":
            verb = "watchlisted" if _toggle(self._watchlists, (name, movie.id)) else "unwatchlisted"
            self._about(name, f"movie.{verb}", movie)
        elif kind == "rate":
            self._about(name, "movie.rated", movie, rating=self._random.randint(4, 10))
        else:
            self._about(name, "movie.downloaded", movie, size_bytes=self._random.randrange(10**9, 9 * 10**9))

    def search(self, name: str) -> None:
        """`name`, or a guest in that place, searches the catalogue, at times for what it does not have."""
        fruitless = self._random.random() < FRUITLESS_SHARE
        results = 0 if fruitless else self._random.randint(1, 40)
        query = self._random.choice(FRUITLESS_QUERIES if fruitless else QUERIES)
        filters = {"year_from": 2015} if self._random.random() < 0.25 else {}
        self._recorder.record(
            "search.performed",
            **fields_of(self._visitor(name), Resource("search", "catalogue")),
            status="no_results" if fruitless else "found",
            severity=Severity.WARNING if fruitless else Severity.INFO,
            metadata={
                **self._whereabouts(),
                "query": query,
                "entity_type": "movie",
                "filters": filters,
                "result_count": results,
            },
        )

    def follow_recommendation(self, name: str) -> None:
        """`name` opens a movie that the site proposed."""
        movie, place = self._movie(), self._random.choice(SHELVES)
        shown = Resource("shelf", place)
        self._visit(name, "recommendation.shown", shown, place=place, count=SHOWN_FOR_A_CLICK)
        rank = self._random.randint(1, 12)
        self._about(name, "recommendation.clicked", movie, place=place, rank=rank)

    def feature(self, name: str) -> None:
        """The administrator `name` changes what one place of the site features."""
        place, movie = self._random.choice(SHELVES), self._movie()
        before = self._featured.get(place)
        if before is movie:
            del self._featured[place]
        else:
            self._featured[place] = movie
        verb = "created" if before is None else "removed" if before is movie else "updated"
        self._recorder.record(
            f"featured.item.{verb}",
            **fields_of(Actor.user(name), Resource("featured_item", place), Resource("movie", movie.id)),
            metadata={"title": movie.name},
        )

    def play(self, name: str) -> None:
        """One step of someone's evening: start to watch, or go on, pause, finish or give up."""
        starts = not self._playing or (len(self._playing) < PLAYERS_MAX and self._random.random() < 0.3)
        if starts:
            self._start(name)
            return
        index = self._random.randrange(len(self._playing))
        playback = self._playing[index]
        if playback.paused:
            playback.paused = False
            self._say("resumed", playback)
            return
        playback.position += self._random.randint(300, 2_400)
        if playback.position >= WATCHED_SHARE * playback.length:
            playback.position = min(playback.position, playback.length)
            del self._playing[index]
            self._say("completed", playback)
        elif self._random.random() < 0.15:
            del self._playing[index]
            self._say("abandoned", playback)
        else:
            playback.paused = True
            self._say("paused", playback)

    def _start(self, name: str) -> None:
        playback = Playback(
            id=f"{self._random.getrandbits(40):010x}",
            actor=Actor.user(name),
            title=self._random.choice(SERIES) if self._random.random() < 0.6 else self._movie(),
            device=self._random.choice(DEVICES),
            region=self._random.choice(REGIONS),
            length=self._random.randint(1_500, 7_800),
        )
        self._playing.append(playback)
        self._say("started", playback)

    def _say(self, verb: str, playback: Playback) -> None:
        self._recorder.record(
            f"playback.{verb}",
            **fields_of(
                playback.actor,
                Resource(playback.title.kind, playback.title.id),
                Resource("playback", playback.id),
            ),
            metadata={
                "title": playback.title.name,
                "position_s": playback.position,
                "watched": round(playback.position / playback.length, 3),
                "device_id": playback.device,
                "region": playback.region,
            },
        )

    def _about(self, name: str, event_type: str, movie: Title, **metadata: object) -> None:
        self._recorder.record(
            event_type,
            **fields_of(Actor.user(name), Resource("movie", movie.id)),
            metadata={
                "title": movie.name,
                **metadata,
            },
        )

    def _visit(self, name: str, event_type: str, resource: Resource, **metadata: object) -> None:
        self._recorder.record(
            event_type,
            **fields_of(self._visitor(name), resource),
            metadata={**self._whereabouts(), **metadata},
        )

    def _visitor(self, name: str) -> Actor:
        """Who does what needs no account: a share of the visitors are guests."""
        return GUEST if self._random.random() < GUEST_SHARE else Actor.user(name)

    def _whereabouts(self) -> dict[str, str]:
        return {
            "ip": f"198.51.100.{self._random.randint(1, 254)}",
            "user_agent": self._random.choice(AGENTS),
        }

    def _movie(self) -> Title:
        return self._random.choices(MOVIES, _MOVIE_WEIGHTS)[0]


def _toggle(members: set[tuple[str, str]], member: tuple[str, str]) -> bool:
    """Put `member` in, or out when it is in; returns whether it is in now."""
    members.symmetric_difference_update({member})
    return member in members

"""What is known of one actor: what it did, with what, what went wrong, and what it looked at, took and liked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from store.event import Event

TOP = 6
LISTED = 5
"""What is named of each list, the latest."""
_LISTS = ("viewed", "downloaded", "liked")
_UNDONE = {"unliked": "liked"}
_LOGIN = "user.login"
_REFUSED = frozenset({"failed", "denied", "refused"})


@dataclass(frozen=True, slots=True)
class Logins:
    """How often an actor came in and was refused, and from how many addresses and with how many agents: not which."""

    number: int
    refused: int
    addresses: int
    agents: int


@dataclass(frozen=True, slots=True)
class ActorFacts:
    """The top of an actor's page. All text is raw event text.

    `categories` and `resources` are the most frequent ones with their numbers. `lists` are what was viewed, downloaded
    and liked: how many different resources, and the latest of them, newest first; what is liked no more is not in it.
    """

    categories: tuple[tuple[str, int], ...]
    resources: tuple[tuple[str, int], ...]
    errors: int
    warnings: int
    lists: tuple[tuple[str, int, tuple[str, ...]], ...]
    logins: Logins | None


def actor_facts(events: Iterable[Event]) -> ActorFacts:
    """Sum up events of one actor, given in any order."""
    categories: Counter[str] = Counter()
    resources: Counter[str] = Counter()
    severities: Counter[str | None] = Counter()
    lists: dict[str, dict[str, None]] = {name: {} for name in _LISTS}
    logins = refused = 0
    addresses: set[str] = set()
    agents: set[str] = set()
    for event in sorted(events, key=lambda event: event.sort_key):
        categories[event.category or "other"] += 1
        severities[event.severity] += 1
        resource = event.resource
        # That somebody did something with themselves says nothing.
        if (
            resource is not None
            and event.resource_id is not None
            and (event.resource_type, event.resource_id) != (event.actor_type, event.actor_id)
        ):
            resources[resource] += 1
            _note(lists, event.event_type.rpartition(".")[2], resource)
        if event.event_type == _LOGIN:
            logins += 1
            refused += (event.status or "").casefold() in _REFUSED
            for found, name in ((addresses, "ip"), (agents, "user_agent")):
                if isinstance(value := event.metadata.get(name), str):
                    found.add(value)
    return ActorFacts(
        tuple(categories.most_common(TOP)),
        tuple(resources.most_common(TOP)),
        severities["error"],
        severities["warning"],
        tuple((name, len(found), tuple(reversed(found))[:LISTED]) for name, found in lists.items() if found),
        Logins(logins, refused, len(addresses), len(agents)) if logins else None,
    )


def _note(lists: dict[str, dict[str, None]], did: str, resource: str) -> None:
    if (undone := _UNDONE.get(did)) is not None:
        lists[undone].pop(resource, None)
    elif (found := lists.get(did)) is not None:
        # Again at the end: it is the latest.
        found.pop(resource, None)
        found[resource] = None

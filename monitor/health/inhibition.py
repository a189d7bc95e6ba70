"""Inhibition: while an alert fires, what follows from it is muted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from monitor.health.components import Subject
from monitor.health.engine import Alert
from store.event import Event
from store.query.predicate import Predicate, compile_predicate
from store.query.syntax import Node


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert of the rule `source_rule` fires, alerts that match are muted.

    With `same_resource`, only those that are about the same resource.

    Raises:
        QueryError: `matches` is no query that can be held against an alert.
    """

    source_rule: str
    matches: Node
    same_resource: bool = False
    selects: Predicate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "selects", compile_predicate(self.matches))


@dataclass(slots=True)
class _Reach:
    """The alerts that one inhibition sets out from, and those that it reaches, by fingerprint."""

    sources: list[str] = field(default_factory=list[str])
    targets: list[str] = field(default_factory=list[str])


def inhibited(firing: Sequence[tuple[Alert, Event]], inhibitions: Iterable[Inhibition]) -> dict[str, str]:
    """By the fingerprint of each alert that is muted, that of the alert which mutes it and is not muted itself.

    `firing` are all alerts that fire, one a fingerprint, each with the event that queries see. No alert mutes itself,
    and of alerts that mute each other, directly or in a circle, none is muted by another of them.
    """
    reaches = [reach for inhibition in inhibitions for reach in _reaches(firing, inhibition)]
    if not reaches:
        return {}
    circle = _circles(reaches)
    muted_by: dict[str, str] = {}
    for reach in reaches:
        # Of sources in several circles, one is in another than the target is.
        by_circle: dict[int, str] = {}
        for source in reach.sources:
            by_circle.setdefault(circle[source], source)
            if len(by_circle) == 2:
                break
        for target in reach.targets:
            own = circle[target]
            source = next((source for other, source in by_circle.items() if other != own), None)
            if source is not None:
                muted_by.setdefault(target, source)
    return {target: _root(source, muted_by) for target, source in muted_by.items()}


def _reaches(firing: Sequence[tuple[Alert, Event]], inhibition: Inhibition) -> Iterable[_Reach]:
    by_place: defaultdict[Subject | None, _Reach] = defaultdict(_Reach)
    for alert, event in firing:
        if inhibition.same_resource and alert.resource is None:
            continue
        reach = by_place[alert.resource if inhibition.same_resource else None]
        if alert.rule == inhibition.source_rule:
            reach.sources.append(alert.fingerprint)
        if inhibition.selects(event):
            reach.targets.append(alert.fingerprint)
    return [reach for reach in by_place.values() if reach.sources and reach.targets]


def _root(fingerprint: str, muted_by: dict[str, str]) -> str:
    while (source := muted_by.get(fingerprint)) is not None:
        fingerprint = source
    return fingerprint


def _circles(reaches: Sequence[_Reach]) -> dict[str, int]:
    """The number of the circle that each alert is in, alone or with those that it mutes and that mute it.

    These are the strongly connected components, by Tarjan's algorithm without recursion. Each reach stands between its
    sources and its targets, so that many alerts that mute many others cost no more than both together.
    """
    following: defaultdict[Hashable, list[Hashable]] = defaultdict(list)
    for number, reach in enumerate(reaches):
        for source in reach.sources:
            following[source].append(number)
        following[number].extend(reach.targets)
    index: dict[Hashable, int] = {}
    low: dict[Hashable, int] = {}
    open_nodes: list[Hashable] = []
    is_open: set[Hashable] = set()
    circle: dict[str, int] = {}
    circles = 0
    for start in list(following):
        if start in index:
            continue
        index[start] = low[start] = len(index)
        open_nodes.append(start)
        is_open.add(start)
        path = [(start, iter(following.get(start, ())))]
        while path:
            node, rest = path[-1]
            for target in rest:
                if target not in index:
                    index[target] = low[target] = len(index)
                    open_nodes.append(target)
                    is_open.add(target)
                    path.append((target, iter(following.get(target, ()))))
                    break
                if target in is_open:
                    low[node] = min(low[node], index[target])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == index[node]:
                    while True:
                        member = open_nodes.pop()
                        is_open.discard(member)
                        if isinstance(member, str):
                            circle[member] = circles
                        if member == node:
                            break
                    circles += 1
    return circle

"""Silences: alerts that match a query call for nobody's attention for a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from monitor.health.alert_events import (
    CATEGORY,
    SILENCE_ENDED,
    SILENCED,
    TEXT_MAX,
    MalformedAlertEventError,
    moment_in,
    text_in,
)
from store.event import ActorType, Event, Severity
from store.query.predicate import Predicate, compile_predicate
from store.query.syntax import EVERYTHING, Node

SILENCES_MAX = 1000
"""Silences kept, those that end last; a quarter more while they are counted."""
RESOURCE = "silence"
"""The resource type of the events; the id is that of the silence."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Alerts that match `query` are silent from `starts` to before `ends`. Texts are raw.

    `query` is `text` as it was read at `created`. `ended_by` is who ended it before its time, at `ends`, else empty.
    """

    id: str
    text: str
    query: Node
    author: str
    comment: str
    created: datetime
    starts: datetime
    ends: datetime
    ended_by: str = ""

    def is_active(self, now: datetime) -> bool:
        """Whether it holds now."""
        return self.starts <= now < self.ends

    def is_expired(self, now: datetime) -> bool:
        """Whether it is over, by itself or because someone ended it."""
        return now >= self.ends


@dataclass(frozen=True, slots=True)
class _End:
    at: datetime
    number: int
    by: str


@dataclass(slots=True)
class _Known:
    """A silence as it was told first, with what its query selects."""

    silence: Silence
    number: int
    matches: Predicate = field(repr=False)


class Silences:
    """All silences, in whatever order and however often they are told. `forgotten` counts what is let go."""

    def __init__(self) -> None:
        self._told: dict[str, _Known] = {}
        self._ends: dict[str, _End] = {}
        self._silences: tuple[tuple[Silence, Predicate], ...] | None = None
        self.forgotten = 0

    def apply(self, event: Event) -> bool:
        """Take in `alert.silenced` or `alert.silence_ended`; False when it is known already.

        Raises:
            MalformedAlertEventError: the event does not say what is silenced, or until when.
        """
        if event.event_type == SILENCE_ENDED:
            changed = self._end(_id_of(event), _End(event.inserted_at, event.id.int, _author(event)))
        else:
            changed = self._tell(*_read(event), event.id.int)
        if changed:
            self._silences = None
            self._forget()
        return changed

    def all(self) -> tuple[Silence, ...]:
        """Every silence that is known, the one that ends last first."""
        return tuple(silence for silence, _ in self._ordered())

    def active(self, now: datetime) -> tuple[tuple[Silence, Predicate], ...]:
        """The silences that hold now, each with what says whether an alert is meant, the one that ends last first."""
        return tuple(pair for pair in self._ordered() if pair[0].is_active(now))

    def expired(self, after: datetime, now: datetime) -> tuple[Silence, ...]:
        """The silences that ran out later than `after` and by `now`; not those that someone ended."""
        return tuple(
            silence for silence in self.all() if after < silence.ends <= now and not silence.ended_by
        )

    def _ordered(self) -> tuple[tuple[Silence, Predicate], ...]:
        if self._silences is None:
            pairs = [(self._as_ended(known.silence), known.matches) for known in self._told.values()]
            pairs.sort(key=lambda pair: (pair[0].ends, pair[0].id), reverse=True)
            self._silences = tuple(pairs)
        return self._silences

    def _as_ended(self, silence: Silence) -> Silence:
        end = self._ends.get(silence.id)
        return (
            silence
            if end is None or end.at >= silence.ends
            else replace(silence, ends=end.at, ended_by=end.by)
        )

    def _tell(self, silence: Silence, matches: Predicate, number: int) -> bool:
        known = self._told.get(silence.id)
        # Of two that claim the same id, the earlier one has it.
        if known is not None and (known.silence.created, known.number) <= (silence.created, number):
            return False
        self._told[silence.id] = _Known(silence, number, matches)
        return True

    def _end(self, silence_id: str, end: _End) -> bool:
        known = self._ends.get(silence_id)
        if known is not None and (known.at, known.number) <= (end.at, end.number):
            return False
        self._ends[silence_id] = end
        return True

    def _forget(self) -> None:
        most = SILENCES_MAX + SILENCES_MAX // 4
        if len(self._told) > most:
            for silence, _ in self._ordered()[SILENCES_MAX:]:
                del self._told[silence.id]
                self.forgotten += 1
            self._silences = None
        if len(self._ends) > most:
            # Those that end nothing known first: anyone can tell of any number of them.
            ordered = sorted(
                self._ends.items(), key=lambda item: (item[0] in self._told, item[1].at, item[0])
            )
            for silence_id, _ in ordered[: len(ordered) - SILENCES_MAX]:
                del self._ends[silence_id]
                self.forgotten += 1


def silenced(silence: Silence) -> Event:
    """`alert.silenced`, of which every desk makes the same silence.

    Raises:
        ValueError: no event can hold it: the author is empty or too long, say.
    """
    metadata = {
        "query": silence.text,
        "starts": silence.starts.astimezone(UTC).isoformat(),
        "ends": silence.ends.astimezone(UTC).isoformat(),
    }
    return _by_person(SILENCED, silence.id, silence.author, silence.created, metadata, silence.comment)


def silence_ended(silence: Silence, by: str, comment: str, at: datetime) -> Event:
    """`alert.silence_ended`: the person `by` ends a silence before its time.

    Raises:
        ValueError: as `silenced`.
    """
    return _by_person(SILENCE_ENDED, silence.id, by, at, {"query": silence.text}, comment)


def _by_person(
    event_type: str, silence_id: str, by: str, at: datetime, metadata: dict[str, str], comment: str
) -> Event:
    if comment:
        metadata["comment"] = comment[:TEXT_MAX]
    return Event(
        event_type=event_type,
        category=CATEGORY,
        severity=Severity.INFO,
        actor_type=ActorType.USER,
        actor_id=by,
        resource_type=RESOURCE,
        resource_id=silence_id,
        metadata=metadata,
        inserted_at=at,
    )


def matching(pairs: Iterable[tuple[Silence, Predicate]], event: Event) -> Silence | None:
    """The first of the silences that means the alert which `event` tells of."""
    return next((silence for silence, matches in pairs if matches(event)), None)


def _read(event: Event) -> tuple[Silence, Predicate]:
    told = event.metadata
    text = told.get("query")
    if not isinstance(text, str):
        raise MalformedAlertEventError("no query")
    # The parser takes longer to import than the first paint may wait for.
    from store.query.parser import parse

    try:
        query = parse(text, event.inserted_at, UTC)
        matches = compile_predicate(query)
    except (ValueError, RecursionError, OverflowError):
        raise MalformedAlertEventError("no query") from None
    if query == EVERYTHING:
        # An empty text is likelier an accident than the wish to hear of nothing.
        raise MalformedAlertEventError("no query")
    starts, ends = moment_in(told, "starts"), moment_in(told, "ends")
    if ends <= starts:
        raise MalformedAlertEventError("ends before it starts")
    silence = Silence(
        id=_id_of(event),
        text=text,
        query=query,
        author=_author(event),
        comment=text_in(told, "comment"),
        created=event.inserted_at,
        starts=starts,
        ends=ends,
    )
    return silence, matches


def _id_of(event: Event) -> str:
    if event.resource_type != RESOURCE or event.resource_id is None:
        raise MalformedAlertEventError("no silence")
    return event.resource_id


def _author(event: Event) -> str:
    return event.actor_id or str(event.actor_type)

"""The rule of silence: what should go on happening has not happened for too long."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.health.components import shifted
from monitor.health.grouping import Group, Grouping, Groups
from monitor.health.rule import Episode, Kind, Rule, Watch
from monitor.health.usual import Usual
from store.event import Event
from store.query.moments import write_span
from store.query.predicate import compile_predicate

LEAST = timedelta(minutes=1)
"""The shortest silence that is too long by what is usual."""
_SLOTS_KEPT = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Absence(Kind):
    """Holds from so long after a match until the next: `allowed`, or `gaps` times the usual gap of that time of day.

    Nothing is told before the first match, unless it is said from when on all events are known. While nobody can say
    what is usual, it does not hold.
    """

    allowed: timedelta | None = None
    gaps: float | None = None

    def __post_init__(self) -> None:
        if (self.allowed is None) == (self.gaps is None):
            raise ValueError("a time that is allowed or a number of gaps is needed, and not both")
        if (self.allowed is not None and self.allowed <= timedelta()) or (
            self.gaps is not None and not self.gaps > 0
        ):
            raise ValueError("what is allowed must be above 0")

    @property
    def wants_past(self) -> bool:
        """The last match may be long ago."""
        return True

    @property
    def asks_usual(self) -> bool:
        """For the usual gap."""
        return self.gaps is not None

    @property
    def reach(self) -> timedelta:
        """What is allowed; how long the usual gaps were is not known any more."""
        return self.allowed or timedelta()

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """What is allowed, as window and threshold."""
        text = self._text
        return (("window", text), ("threshold", text))

    @property
    def title(self) -> str:
        """For how long there was nothing."""
        return "{rule}: nothing for {window} {group}"

    @property
    def meaning(self) -> str:
        """When it holds."""
        return f"none for {self._text}"

    @property
    def _text(self) -> str:
        if self.allowed is not None:
            return write_span(self.allowed)
        return f"{self.gaps:g} times the usual gap"

    def watch(self, rule: Rule, usual: Usual | None) -> Watch:
        """A new watch; nothing is absent from a group before its first match."""
        return _AbsenceWatch(self, rule, usual)


class _Matches:
    """The first and the last match of each slot of time, of the latest slots: between them, no gap is too long."""

    __slots__ = ("oldest_kept", "order", "slots")

    def __init__(self) -> None:
        self.slots: dict[int, tuple[datetime, datetime]] = {}
        self.order: list[int] = []
        self.oldest_kept: int | None = None

    def add(self, slot: int, moment: datetime) -> bool:
        """Take in a match; False when it says nothing new."""
        known = self.slots.get(slot)
        if known is not None:
            first, last = known
            if first <= moment <= last:
                return False
            self.slots[slot] = (min(first, moment), max(last, moment))
            return True
        if self.oldest_kept is not None and slot < self.oldest_kept:
            return False
        self.slots[slot] = (moment, moment)
        insort(self.order, slot)
        if len(self.order) > _SLOTS_KEPT:
            del self.slots[self.order.pop(0)]
            self.oldest_kept = self.order[0]
        return True


class _AbsenceWatch:
    counts_all = False

    def __init__(self, kind: Absence, rule: Rule, usual: Usual | None) -> None:
        self._matches = compile_predicate(rule.query)
        self._query = rule.query
        self._group = Grouping(rule.group_by)
        self._allowed, self._gaps = kind.allowed, kind.gaps
        self._slot = kind.allowed or LEAST
        self._usual = usual
        self._began: datetime | None = None
        self._groups: Groups[_Matches] = Groups(rule.limit, _Matches)
        self._is_grouped = bool(rule.group_by)

    @property
    def forgotten(self) -> int:
        return self._groups.forgotten

    def begin(self, moment: datetime) -> tuple[Group, ...]:
        if self._is_grouped:
            return ()
        self._began = moment
        self._groups.touch(())
        return ((),)

    def observe(self, event: Event) -> tuple[Group, ...]:
        if not self._matches(event):
            return ()
        group = self._group(event)
        moment = event.inserted_at
        changed = self._groups.touch(group).add((moment - _EPOCH) // self._slot, moment)
        gone = self._groups.shed()
        return (group, *gone) if changed else gone

    def episodes(self, group: Group) -> Sequence[Episode]:
        matches = self._groups.get(group)
        if matches is None:
            return ()
        episodes: list[Episode] = []
        covered = self._from_beginning(matches)
        for slot in matches.order:
            first, last = matches.slots[slot]
            if covered is not None and first > covered:
                episodes.append(Episode(covered, first, 0, foreseen=True))
            to = self._covered_to(last)
            covered = to if covered is None or to is None else max(covered, to)
        if covered is not None:
            episodes.append(Episode(covered, None, 0, foreseen=True))
        return episodes

    def _from_beginning(self, matches: _Matches) -> datetime | None:
        """How far the beginning reaches, when no match is known from before it."""
        began = self._began
        if began is None or matches.oldest_kept is not None:
            return None
        if matches.order and matches.slots[matches.order[0]][0] <= began:
            return None
        return self._covered_to(began)

    def _covered_to(self, moment: datetime) -> datetime | None:
        """Up to when a match at `moment` is enough; None when nobody can say."""
        if self._allowed is not None:
            return shifted(moment, self._allowed)
        norm = self._usual.norm(self._query, moment) if self._usual else None
        if norm is None or self._gaps is None or norm.per_minute <= 0:
            return None
        return shifted(moment, max(LEAST, timedelta(minutes=1) * (self._gaps / norm.per_minute)))

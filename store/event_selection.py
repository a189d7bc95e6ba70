"""A filter as conditions on the table of events, and the order of the timeline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    String,
    and_,
    any_,
    case,
    cast,
    false,
    func,
    literal,
    null,
    or_,
    select,
    text,
    true,
    type_coerce,
)
from sqlalchemy.sql.elements import UnaryExpression

from store.engines import json_text
from store.event import Event
from store.event_filter import EventFilter
from store.event_rows import COLUMNS
from store.query.predicate import Predicate, compile_predicate
from store.query.sql import is_exact, where
from store.query.syntax import EVERYTHING, Node
from store.tables import events

_MINUTES_TO_1970 = (datetime(1970, 1, 1, tzinfo=UTC) - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(minutes=1)
_EARLIEST, _LATEST = datetime(MINYEAR + 1, 1, 1, tzinfo=UTC), datetime(MAXYEAR, 1, 1, tzinfo=UTC)
"""Between them every event is (`store.event`)."""
BEFORE_ALL = datetime(MINYEAR, 1, 2, tzinfo=UTC)
"""No event is as early."""
_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
Selection = EventFilter | Node
"""Which events are meant: a filter, or a query alone."""


class Cursor(NamedTuple):
    """A place on the timeline: an event's `inserted_at`, which is aware, and `id`."""

    inserted_at: datetime
    id: UUID

    @classmethod
    def of(cls, event: Event) -> Cursor:
        """The place of `event`."""
        return cls(event.inserted_at, event.id)


def conditions(chosen: Selection, dialect: str) -> list[ColumnElement[bool]]:
    """What holds for the rows of the events of `chosen`; none for every event."""
    if not isinstance(chosen, EventFilter):
        return [] if chosen == EVERYTHING else [where(chosen, dialect)]
    if chosen.is_impossible:
        return [false()]
    found = [events.c[name] == value for name, value in chosen.exact.items()]
    if chosen.positions is not None:
        found.append(at_positions(chosen.positions, dialect))
    if chosen.since is not None:
        found.append(events.c.inserted_at >= chosen.since)
    if chosen.until is not None:
        found.append(events.c.inserted_at < chosen.until)
    if chosen.node != EVERYTHING:
        found.append(where(chosen.node, dialect))
    return found


def recheck(chosen: Selection) -> Predicate | None:
    """What the events that `conditions` choose must be asked as well; None when they are all of `chosen`."""
    query = chosen.query if isinstance(chosen, EventFilter) else chosen
    return None if is_exact(query) else compile_predicate(query)


def page(chosen: Selection, dialect: str) -> Select[Any]:
    """The events of `chosen`, newest first."""
    return select(*COLUMNS).where(*conditions(chosen, dialect)).order_by(*newest_first())


def at_positions(positions: Sequence[int], dialect: str) -> ColumnElement[bool]:
    """The rows at `positions`, as one parameter where the database has a way to take them."""
    position = events.c.position
    if dialect == "sqlite":
        listed = func.json_each(json_text(positions)).table_valued("value")
        return position.in_(select(listed.c.value))
    if dialect == "postgresql":
        return position == any_(literal(list(positions), ARRAY(BigInteger)))
    return position.in_(positions)


def newest_first() -> tuple[UnaryExpression[Any], UnaryExpression[Any]]:
    """The order of the timeline, from its end."""
    return events.c.inserted_at.desc(), events.c.id.desc()


def oldest_first() -> tuple[UnaryExpression[Any], UnaryExpression[Any]]:
    """The order of the timeline."""
    return events.c.inserted_at.asc(), events.c.id.asc()


def precedes(cursor: Cursor) -> ColumnElement[bool]:
    """The rows before `cursor` on the timeline.

    Raises:
        ValueError: the moment of `cursor` has no zone.
    """
    moment, identifier = _literals(cursor)
    # Not a comparison of pairs, for which MariaDB uses no index.
    return and_(events.c.inserted_at <= moment, or_(events.c.inserted_at < moment, events.c.id < identifier))


def follows(cursor: Cursor) -> ColumnElement[bool]:
    """The rows after `cursor` on the timeline.

    Raises:
        ValueError: the moment of `cursor` has no zone.
    """
    moment, identifier = _literals(cursor)
    return and_(events.c.inserted_at >= moment, or_(events.c.inserted_at > moment, events.c.id > identifier))


def _literals(cursor: Cursor) -> tuple[ColumnElement[datetime], ColumnElement[UUID]]:
    if cursor.inserted_at.tzinfo is None:
        raise ValueError("the moment of a cursor needs a zone")
    return literal(cursor.inserted_at, events.c.inserted_at.type), literal(cursor.id, events.c.id.type)


def dated(dialect: str) -> ColumnElement[bool]:
    """Whether a row has the date of an event: what something else wrote may be sorted in or behind any span."""
    moment = events.c.inserted_at
    if dialect == "sqlite":
        # Not by a range, for which SQLite would prefer the index of times to a better one.
        return begins_with_date(moment, dialect)
    return and_(moment >= _EARLIEST, moment < _LATEST)


def begins_with_date(column: ColumnElement[datetime], dialect: str) -> ColumnElement[bool]:
    """Whether a moment is one, as far as its database lets anything else in: how old that is nobody can tell."""
    if dialect != "sqlite":
        return true()
    return type_coerce(column, String()).op("GLOB", is_comparison=True)(_DATE)


def minute_column(dialect: str) -> ColumnElement[int]:
    """The minute of an event since 1970, in UTC, as `store.rollups.minute_of` counts it.

    NULL where the moment is none: text that is no time on SQLite, PostgreSQL's infinities, MariaDB's zero dates.
    """
    moment = events.c.inserted_at
    if dialect == "postgresql":
        minutes = cast(func.floor(func.extract("epoch", moment) / 60), BigInteger)
        # An infinity fits into no integer.
        return case((func.isfinite(moment), minutes), else_=null())
    if dialect == "mariadb":
        # From the year 1, as seconds before the start would be rounded towards it.
        minutes = func.floor(func.timestampdiff(text("SECOND"), text("'0001-01-01'"), moment) / 60)
        return cast(minutes, BigInteger) - _MINUTES_TO_1970
    # Without the fraction, which SQLite would round to a millisecond, and so to the next minute.
    seconds = cast(func.strftime("%s", func.substr(moment, 1, 19)), BigInteger)
    # Integer division rounds towards zero, and seconds before 1970 are negative.
    return cast((seconds - (seconds % 60 + 60) % 60) / 60, BigInteger)

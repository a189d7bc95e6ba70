"""Reading the events that a query's condition narrows down to, and keeping those that its predicate takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from store.database import Database
from store.event import Event
from store.event_rows import read_events
from store.query.predicate import Predicate

_FIRST, _LARGEST = 100, 500
"""Events in the first chunk, which is often enough, and in the largest: 32 MiB if each has all it may have."""
_ASKED_IN_A_ROW = 50
"""Events asked before the event loop gets a turn: a regular expression on the longest text takes some 100 µs."""
Beyond = Callable[[Event], ColumnElement[bool]]
"""The rows that come after an event in the order of the statement."""
Among = Callable[[AsyncConnection, Select[Any]], Awaitable[Select[Any]]]
"""A statement restricted to where the wanted may be, as a transaction sees it."""


async def sift(
    database: Database,
    statement: Select[Any],
    wanted: Predicate,
    beyond: Beyond,
    among: Among,
    passed_over: Callable[[int], None],
) -> AsyncGenerator[Event]:
    """The events of `statement`, which selects `store.event_rows.COLUMNS`, that are `wanted`, in its order.

    They are read in chunks, each in a transaction of its own, so that a long search holds none open and can be
    given up between two. What `among` makes of the statement has
    all that are wanted, too. `passed_over` is told how many unreadable rows each chunk had.
    """
    rest, size = statement, _FIRST
    while True:
        async with database.read() as connection:
            found, unreadable = await read_events(connection, await among(connection, rest), size)
        passed_over(unreadable)
        for number, event in enumerate(found, 1):
            if number % _ASKED_IN_A_ROW == 0:
                await asyncio.sleep(0)
            if wanted(event):
                yield event
        if len(found) < size:
            return
        rest, size = statement.where(beyond(found[-1])), min(2 * size, _LARGEST)

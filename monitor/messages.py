"""Messages that more than one part of the console knows: facts in the past tense."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message

from monitor.model.arrivals import Arrivals
from monitor.model.filter import Filter
from monitor.model.histogram import Wanted
from store.query.syntax import Field


@dataclass
class FeedAdvanced(Message):
    """The feed handed on a frame."""

    arrivals: Arrivals


@dataclass
class SpanFacetsRead(Message):
    """The store counted the events of `scope` by the values of `monitor.model.facets.stored_fields(field)`."""

    scope: Filter
    field: Field
    counts: list[tuple[tuple[str | None, ...], int]]


@dataclass
class SpanFacetsUnread(Message):
    """The values of `field` in a span could not be counted; the reason is one line."""

    scope: Filter
    field: Field
    reason: str


@dataclass
class HistogramRead(Message):
    """The store told of older minutes: (first minute of a bar, severity, number)."""

    wanted: Wanted
    counts: list[tuple[int, str | None, int]]


@dataclass
class HistogramUnread(Message):
    """Older minutes could not be read; the reason is one line."""

    wanted: Wanted
    reason: str

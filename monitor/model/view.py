"""What the console shows, to be shown again: a query, the panes, the zone. Every part may be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from functools import partial
from typing import Any

from monitor.model.facets import FACET_FIELDS
from monitor.model.filter import Filter
from monitor.model.histogram import STEPS
from monitor.zone_names import zone_named
from store.event import Severity
from store.query.parser import describe, parse
from store.query.syntax import EVERYTHING, And, Field, Node, Not, Or, Since, Until
from store.taxonomy import nearest

BARS, HEATMAP = "bars", "heatmap"
NAME_MAX = 60
"""Characters in the name of a view."""


class ViewError(ValueError):
    """A table that is no view. `key` is what is wrong in it; the message is one line."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


@dataclass(frozen=True, slots=True)
class View:
    """None is what stays as it is when the view is opened; the query and the minimum severity never do.

    `query` is read in `zone`, a name that `zone_named` takes. `side` says whether the side panes are shown beside the
    timeline, `facets` which field is counted there, `bars` how many minutes a bar of the histogram stands for.
    """

    query: str = ""
    minimum: Severity | None = None
    zone: str | None = None
    side: bool | None = None
    facets: Field | None = None
    histogram: str | None = None
    bars: int | None = None

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> View:
        """The view that a table of a file tells.

        Raises:
            ViewError: something in it is not understood.
        """
        for key in table:
            if key not in _READERS:
                meant = nearest(key, tuple(_READERS))
                raise ViewError(
                    key, f"no part of a view: {key}" + (f"; did you mean {meant}?" if meant else "")
                )
        parts: dict[str, Any] = {}
        for key, (read, expected) in _READERS.items():
            if key in table:
                try:
                    parts[key] = read(table[key])
                except (ValueError, TypeError):
                    raise ViewError(key, f"{key}: {expected} is expected") from None
        return cls(**parts)

    def table(self) -> dict[str, str | bool | int]:
        """The view as a table of a file: what says something."""
        told = {key: getattr(self, key) for key in _READERS}
        # Of TOML's own types, which know no enumeration.
        plain = {key: str(value) if isinstance(value, str) else value for key, value in told.items()}
        return {key: value for key, value in plain.items() if value is not None and value != ""}

    def filter(self, now: datetime, zone: tzinfo | None) -> Filter:
        """What the view shows. `zone` is the one of its times when it names none itself.

        Raises:
            QueryError: the query cannot be read.
        """
        own = zone if self.zone is None else zone_named(self.zone).tzinfo
        # The parser takes a moment to build, which a start without a query need not wait for.
        query = parse(self.query, now, own) if self.query else EVERYTHING
        return Filter().with_query(self.query, query).at_least(self.minimum)


def query_text(shown: Filter, *, fixed: bool = False) -> str:
    """A query for all that `shown` lets through but for its minimum severity: as it was typed where that says it all.

    `fixed` says that moments are to stay the ones that they are now, whenever and in which zone it is read. Values that
    are not to be shown are left out: it is written to a file.
    """
    shown = shown.without_hidden()
    if shown.muted or shown.only or shown.span or (fixed and _has_moment(shown.query)):
        return describe(replace(shown, minimum=None).node())
    return shown.text


def _has_moment(node: Node) -> bool:
    match node:
        case Since(_, span):
            return span is None
        case Until():
            return True
        case Not(operand):
            return _has_moment(operand)
        case And(operands) | Or(operands):
            return any(map(_has_moment, operands))
        case _:
            return False


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _zone(value: object) -> str:
    return zone_named(_text(value)).name


def _yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _one_of(value: object, known: tuple[Any, ...]) -> Any:
    # True is 1 to `in`.
    if isinstance(value, bool) or value not in known:
        raise ValueError
    return known[known.index(value)]


_READERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "query": (_text, "a filter as text"),
    "minimum": (Severity, f"one of {', '.join(Severity)}"),
    "zone": (_zone, "a zone like UTC, local, ago or Europe/Berlin"),
    "side": (_yes_or_no, "true or false"),
    "facets": (partial(_one_of, known=FACET_FIELDS), f"one of {', '.join(FACET_FIELDS)}"),
    "histogram": (partial(_one_of, known=(BARS, HEATMAP)), f"{BARS} or {HEATMAP}"),
    "bars": (partial(_one_of, known=STEPS), f"minutes, one of {', '.join(map(str, STEPS))}"),
}
"""How each part is read, and what is expected of it."""

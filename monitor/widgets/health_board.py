"""The board of all components: groups by resource type, a line each, as many columns as there is room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from textual.content import Content

from monitor.health.components import Subject
from monitor.health.reports import State
from monitor.health.uptime import CELL_SIGNS, CELLS, ComponentGroup, ComponentHealth, Uptime, coarser
from monitor.text import cell_width, clean, fit
from monitor.widgets.component_list import ComponentList
from monitor.widgets.health_pane import STATE_MARK
from monitor.widgets.lines import Part
from monitor.zone import Zone, short_age

STATE_STYLE = {State.UP: "", State.DEGRADED: "warning", State.DOWN: "error", State.UNKNOWN: "dim"}
STRIP_CELLS = (96, 48, 24, 12)
NAME_MIN, NAME_MAX = 12, 40
ROOMY = 100
"""Cells from which on columns stand two cells apart."""
_STATE_WIDTH = 2 + max(len(state) for state in State)
_TITLES = {
    "since": "since",
    "day": "up 24 h",
    "month": "up 30 d",
    "flaps": "flaps",
    "strip": "last 24 h",
    "change": "last change",
}
"""The columns after state and name, from left to right, which drop from the right."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A line: a component with the texts of its columns, or the head of a group."""

    group: ComponentGroup
    component: ComponentHealth | None
    texts: Mapping[str, str]

    @property
    def key(self) -> str:
        """What stays the same while the list is sorted anew."""
        return (
            self.group.kind if self.component is None else f"{self.group.kind}\n{self.component.identifier}"
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """Cells of the name and of the columns that there is room for, and between them."""

    name: int
    others: tuple[tuple[str, int], ...]
    gap: int


def columns(width: int, needed: Mapping[str, int], name: int) -> Columns:
    """What fits in `width` cells, where a column needs so many, and the longest name `name`.

    The strip has 12 cells at least; it, and the name, grow where there is room.
    """
    gap = 2 if width >= ROOMY else 1
    room = width - _STATE_WIDTH - gap - NAME_MIN
    others: dict[str, int] = {}
    for column in _TITLES:
        cells = STRIP_CELLS[-1] if column == "strip" else needed[column]
        if room < gap + cells:
            break
        others[column] = cells
        room -= gap + cells
    grown = max(0, min(NAME_MAX - NAME_MIN, name - NAME_MIN, room))
    room -= grown
    if "strip" in others:
        least = STRIP_CELLS[-1]
        others["strip"] = max(cells for cells in STRIP_CELLS if cells - least <= max(0, room))
    return Columns(NAME_MIN + grown, tuple(others.items()), gap)


class HealthBoard(ComponentList):
    """State, name, since when, uptime, flaps, the last day and the last change of each component."""

    BORDER_TITLE = "Health"

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._now = now
        self._rows: list[_Row] = []
        self._columns: Columns | None = None
        self._empty = self._counted = ""

    def show(self, groups: Sequence[ComponentGroup], zone: Zone, empty: str) -> None:
        """Show these components, worst first, with times in `zone`; `empty` stands where there are none."""
        under_cursor = self._rows[self.cursor].key if self._rows else None
        now = self._now()
        self._rows = [row for group in groups for row in _rows(group, zone, now)]
        self._columns = None
        self._empty = empty
        counts = Counter(one.state for group in groups for one in group.components)
        told = ", ".join(f"{counts[state]:,} {state}" for state in State if counts[state])
        if told != self._counted:
            self._counted = told
            self.border_title = Content(clean(f"Health ─ {told}" if told else "Health"))
        keys = [row.key for row in self._rows]
        if under_cursor in keys:
            self.cursor = keys.index(under_cursor)
        self.lines_changed()

    def line_count(self) -> int:
        """One a component, and one a group."""
        return len(self._rows)

    def empty_text(self) -> str:
        """Shown while no component is known."""
        return self._empty

    def on_resize(self) -> None:
        """Choose columns for the new width."""
        self._columns = None
        super().on_resize()

    def line_parts(self, index: int, width: int) -> list[Part]:
        """The head of a group with the titles, or a component."""
        row, chosen = self._rows[index], self._columns
        if chosen is None:
            chosen = self._columns = self._fitting(width)
        gap = " " * chosen.gap
        parts = _head(row.group, chosen) if row.component is None else _name(row.component, chosen)
        for column, cells in chosen.others:
            parts.append((gap, ""))
            if row.component is None:
                parts.append((_title(column, cells), "dim"))
            elif column == "strip":
                parts.extend(_strip(row.component, cells))
            else:
                text = fit(row.texts[column], cells, align="left" if column == "change" else "right")
                parts.append((text, _style(column, row.component)))
        return parts

    @property
    def chosen(self) -> Subject | None:
        """What the component under the cursor is; None when there is none."""
        component = self._rows[self.cursor].component if self._rows else None
        return None if component is None else (component.kind, component.identifier)

    def _fitting(self, width: int) -> Columns:
        needed = {
            column: max([len(title), *(cell_width(row.texts[column]) for row in self._rows if row.texts)])
            for column, title in _TITLES.items()
            if column != "strip"
        }
        names = [cell_width(_written(row.component)) for row in self._rows if row.component]
        return columns(width, needed, max(names, default=NAME_MIN))

    def _place(self, cursor: int) -> None:
        """Heads of groups are passed over, and shown with their first component."""
        cursor = max(0, min(cursor, len(self._rows) - 1))
        if self._is_head(cursor):
            # Above the first group there is nothing to go to.
            cursor += -1 if cursor < self.cursor and cursor > 0 else 1
        if self._is_head(cursor - 1):
            self._top = min(self._top, cursor - 1)
        super()._place(cursor)

    def _is_head(self, index: int) -> bool:
        return 0 <= index < len(self._rows) and self._rows[index].component is None


def _rows(group: ComponentGroup, zone: Zone, now: datetime) -> list[_Row]:
    rows = [_Row(group, None, {})]
    for one in group.components:
        # Milliseconds say nothing here.
        when = zone.stamp(one.since, now).strip().partition(".")[0]
        changed = f"{when} from {one.previous}" if one.previous else "–"
        texts = {
            "since": short_age(one.since, now),
            "day": _short(one.day),
            "month": _short(one.month),
            "flaps": f"{one.flaps:,}" if one.flaps else "–",
            "change": changed,
        }
        rows.append(_Row(group, one, texts))
    return rows


def _short(uptime: Uptime) -> str:
    """`99.98 % of 6d`: as `short_age` has it."""
    share, of, known = str(uptime).partition(" of ")
    return share + of + known.replace("min", "m").replace(" ", "")


def _head(group: ComponentGroup, chosen: Columns) -> list[Part]:
    """The resource type, and how many of its components are in which state."""
    room = _STATE_WIDTH + chosen.gap + chosen.name
    counts = Counter(one.state for one in group.components)
    marks: list[Part] = []
    for state in State:
        if counts[state]:
            mark, style = STATE_MARK[state]
            marks.append((f"  {mark.strip()} {counts[state]:,}", style))
    used = sum(cell_width(text) for text, _style in marks)
    kind = fit(clean(group.kind), max(1, room - used), pad=False)
    return [(kind, "strong"), *marks, (" " * (room - used - cell_width(kind)), "")]


def _name(component: ComponentHealth, chosen: Columns) -> list[Part]:
    mark, style = STATE_MARK[component.state]
    return [
        (fit(f"{mark}{component.state}", _STATE_WIDTH), style),
        (" " * chosen.gap, ""),
        (fit(_written(component), chosen.name), STATE_STYLE[component.state]),
    ]


def _written(component: ComponentHealth) -> str:
    """Its name within its group."""
    return clean(component.kind if component.identifier is None else component.identifier)


def _title(column: str, cells: int) -> str:
    title = _TITLES[column]
    if column == "strip" and cells >= STRIP_CELLS[-2]:
        return fit(title, cells - 3) + "now"
    return fit(title, cells, align="left" if column in {"strip", "change"} else "right")


def _style(column: str, component: ComponentHealth) -> str:
    uptime = {"day": component.day, "month": component.month}.get(column)
    if uptime is not None:
        return "dim" if uptime.share in {None, 1.0} else "warning"
    if column == "since":
        return STATE_STYLE[component.state]
    return "warning" if column == "flaps" and component.flaps > 1 else "dim"


def _strip(component: ComponentHealth, cells: int) -> list[Part]:
    """The last day, the worst of each slice."""
    strip = component.strip if cells == CELLS else coarser(component.strip, cells)
    return [(CELL_SIGNS[state], "good" if state is State.UP else STATE_STYLE[state]) for state in strip]

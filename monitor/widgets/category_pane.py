"""Categories and their types, with counts: what happens most, and what of it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from textual.binding import Binding
from textual.message import Message

from monitor.model.counts import WINDOW_MINUTES, FacetLine
from monitor.model.filter import Facet, Filter
from monitor.text import clean, fit
from monitor.widgets.lines import LineList, Part
from monitor.widgets.spark import resample, spark
from store.query.syntax import Field


@dataclass(frozen=True, slots=True)
class _Line:
    facet: Facet
    category: str
    line: FacetLine
    depth: int


class CategoryPane(LineList):
    """A tree of categories and types, busiest first. Emits what the operator wants shown, hidden or alone."""

    BORDER_TITLE = f"Categories ─ {WINDOW_MINUTES // 60} h"
    BINDINGS = [
        Binding("space,enter", "toggle_shown", "Show / hide"),
        Binding("x", "toggle_shown", "Mute", show=False),
        Binding("X", "solo", "Only this"),
        Binding("l,right", "expand(True)", "Unfold", show=False),
        Binding("h,left", "expand(False)", "Fold", show=False),
    ]

    @dataclass
    class Toggled(Message):
        """Show or hide a value."""

        facet: Facet

    @dataclass
    class Soloed(Message):
        """Show only a value, or everything again."""

        facet: Facet

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._facets: tuple[FacetLine, ...] = ()
        self._filter = Filter()
        self._folded: set[str] = set()
        self._lines: list[_Line] = []

    def show(self, facets: tuple[FacetLine, ...], shown: Filter) -> None:
        """Show these counts under this filter. The cursor stays on its value."""
        if facets == self._facets and shown == self._filter:
            return
        self._facets, self._filter = facets, shown
        self._rebuild()

    def line_count(self) -> int:
        """Categories, and types of unfolded ones."""
        return len(self._lines)

    def empty_text(self) -> str:
        """Shown before the first event."""
        return "nothing in the last hour"

    def line_parts(self, index: int, width: int) -> list[Part]:
        """Name, count, sparkline; hidden ones hollow and dim."""
        line = self._lines[index]
        shown = self._is_shown(line)
        marker = ("▾ " if line.category not in self._folded else "▸ ") if line.depth == 0 else "  "
        dot = "◉ " if self._filter.solo == line.facet else "● " if shown else "○ "
        count = f"{'≈' if line.line.is_estimate else ''}{line.line.count:,}"
        buckets = 6 if width >= 26 else 3
        name_width = width - len(marker) - len(dot) - len(count) - buckets - 2
        name = clean(line.line.name)
        style = ("strong" if line.depth == 0 else "") if shown else "dim"
        return [
            (marker, "dim"),
            (dot, "accent" if shown else "dim"),
            (fit(name, max(1, name_width)) + " ", style),
            (count + " ", style),
            (spark(resample(line.line.spark, buckets)).rjust(buckets), "accent" if shown else "dim"),
        ]

    def action_toggle_shown(self) -> None:
        """Show or hide the value under the cursor."""
        if self._lines:
            self.post_message(self.Toggled(self._lines[self.cursor].facet))

    def action_solo(self) -> None:
        """Show only the value under the cursor, or everything again."""
        if self._lines:
            self.post_message(self.Soloed(self._lines[self.cursor].facet))

    def action_expand(self, expand: bool) -> None:
        """Fold or unfold the category under the cursor."""
        if self._lines:
            category = self._lines[self.cursor].category
            self._folded = self._folded - {category} if expand else self._folded | {category}
            self._rebuild(Facet(Field.CATEGORY, category))

    def _is_shown(self, line: _Line) -> bool:
        if line.depth == 0:
            only = self._filter.solo
            if only is not None and only.field is Field.TYPE:
                return any(only.value == kind.name for kind in line.line.types)
            return (only is None or only == line.facet) and not self._filter.mutes(line.category)
        severity = None if self._filter.minimum is None else "error"
        return self._filter.accepts(line.category, line.line.name, severity)

    def _rebuild(self, keep: Facet | None = None) -> None:
        if keep is None and self._lines:
            keep = self._lines[min(self.cursor, len(self._lines) - 1)].facet
        self._lines = []
        for category in self._facets:
            self._lines.append(_Line(Facet(Field.CATEGORY, category.name), category.name, category, 0))
            if category.name not in self._folded:
                self._lines.extend(
                    _Line(Facet(Field.TYPE, kind.name), category.name, kind, 1) for kind in category.types
                )
        for index, line in enumerate(self._lines):
            if line.facet == keep:
                self.cursor = index
                break
        self.lines_changed()

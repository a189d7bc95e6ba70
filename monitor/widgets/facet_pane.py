"""The values of a field, with counts: what happens most, what has changed, and what of it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual.actions import SkipAction
from textual.binding import Binding
from textual.content import Content
from textual.events import Key, Paste
from textual.message import Message

from monitor.model.facets import FACET_FIELDS, FacetLine, Trend
from monitor.model.filter import Facet, Filter
from monitor.text import clean, fit
from monitor.widgets.lines import LineList, Part
from monitor.widgets.spark import resample, spark
from store.query.syntax import Field

TITLES: dict[Field, str] = {
    Field.CATEGORY: "Categories",
    Field.SEVERITY: "Severities",
    Field.ACTOR: "Actors",
    Field.RESOURCE_TYPE: "Resource types",
    Field.STATUS: "Statuses",
}
SEVERITY_STYLE = {"error": ("✖ E ", "error"), "warning": ("▲ W ", "warning"), "info": ("· I ", "info")}
_SEARCH_MAX = 40


@dataclass(frozen=True, slots=True)
class _Line:
    line: FacetLine
    parent: FacetLine | None


_FIELDS = "Next / previous field: types, severity, actor, resource, status"


class FacetPane(LineList):
    """The values of one field, busiest first; categories are a tree of their types.

    Emits what the operator wants shown, hidden or alone, and which field he wants counted.
    """

    BINDINGS = [
        Binding("right", "field(1)", _FIELDS, id="facet.next-field"),
        Binding("left", "field(-1)", _FIELDS, id="facet.previous-field"),
        Binding("space,enter", "toggle_shown", "Show / hide"),
        Binding("x", "toggle_shown", "Mute", show=False),
        Binding("X", "solo", "Only this"),
        Binding("slash", "search", "Search these values"),
        Binding("escape", "leave_search", "End the search", show=False),
        Binding("l", "expand(True)", "Unfold", show=False),
        Binding("h", "expand(False)", "Fold", show=False),
    ]

    @dataclass
    class Toggled(Message):
        """Show or hide a value."""

        facet: Facet

    @dataclass
    class Soloed(Message):
        """Show only a value, or everything again."""

        facet: Facet

    @dataclass
    class FieldChosen(Message):
        """Another field is to be counted: `pane.field`."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.field = FACET_FIELDS[0]
        """Whose values are shown."""
        self._facets: tuple[FacetLine, ...] = ()
        self._filter = Filter()
        self._trend: Callable[[FacetLine], Trend] = lambda _line: Trend(())
        self._trends: dict[tuple[str, str], Trend] = {}
        self._folded: set[str] = set()
        self._lines: list[_Line] = []
        self._covers = ""
        self._titles = ("", "")
        self._searching = False
        self._search = ""

    def on_mount(self) -> None:
        """Name the field."""
        self._show_titles()

    def show(
        self, facets: tuple[FacetLine, ...], shown: Filter, trend: Callable[[FacetLine], Trend], covers: str
    ) -> None:
        """Show these counts under this filter. The cursor stays on its value.

        `trend` tells more of a line, and is asked of those in sight; `covers` is what the counts cover, in a word.
        """
        self._trend, self._trends, self._covers = trend, {}, covers
        if facets is not self._facets or shown != self._filter:
            self._facets, self._filter = facets, shown
            self._rebuild()
        else:
            self.lines_changed()
        self._show_titles()

    def line_count(self) -> int:
        """Values; of categories, the types of unfolded ones too."""
        return len(self._lines)

    def empty_text(self) -> str:
        """Shown where there is no value."""
        return "no such value" if self._search else "nothing in the last hour"

    def line_parts(self, index: int, width: int) -> list[Part]:
        """Name, what changed, count, sparkline; hidden ones hollow and dim."""
        line, parent = self._lines[index].line, self._lines[index].parent
        trend = self._trends.get(line.key)
        if trend is None:
            trend = self._trends[line.key] = self._trend(line)
        shown = self._is_shown(self._lines[index])
        marker = "  "
        if parent is None and self.field is Field.CATEGORY:
            marker = "▸ " if line.key[0] in self._folded and not self._search else "▾ "
        elif parent is None:
            marker = ""
        dot = "◉ " if line.facet in self._filter.only else "● " if shown else "○ "
        change = _change(trend)
        count = f"{'≈' if line.is_estimate else ''}{line.count:,}"
        buckets = 6 if width >= 26 and not change else 3
        glyph, style = "", "strong" if parent is None else ""
        if self.field is Field.SEVERITY and line.facet is not None:
            glyph, style = SEVERITY_STYLE.get(line.facet.value, ("", ""))
        name_width = width - sum(map(len, (marker, dot, glyph, change, count))) - buckets - 2
        name = fit(clean(line.label), max(1, name_width - bool(change)))
        return [
            (marker, "dim"),
            (dot, "accent" if shown else "dim"),
            (f"{glyph}{name} ", style if shown else "dim"),
            (f"{change} " if change else "", "warning" if change[:1] in "▲n" else "accent"),
            (count + " ", style if shown else "dim"),
            (spark(resample(trend.spark, buckets)).rjust(buckets), "accent" if shown else "dim"),
        ]

    def action_toggle_shown(self) -> None:
        """Show or hide the value under the cursor."""
        if (facet := self._chosen()) is not None:
            line = self._lines[self.cursor]
            parent = None if line.parent is None else line.parent.facet
            if parent is not None and not self._shows(parent) and not self._is_shown(line):
                # Hidden with its category: showing it is showing that.
                facet = parent
            self.post_message(self.Toggled(facet))

    def action_solo(self) -> None:
        """Show only the value under the cursor, or everything again."""
        if (facet := self._chosen()) is not None:
            self.post_message(self.Soloed(facet))

    def action_field(self, step: int) -> None:
        """Count the values of the next or previous field."""
        self.choose(FACET_FIELDS[(FACET_FIELDS.index(self.field) + step) % len(FACET_FIELDS)])

    def choose(self, field: Field) -> None:
        """Count the values of `field`, one of `FACET_FIELDS`."""
        self.field = field
        self._searching, self._search = False, ""
        self._facets, self._lines, self.cursor = (), [], 0
        self._show_titles()
        self.post_message(self.FieldChosen())

    def action_expand(self, expand: bool) -> None:
        """Fold or unfold the category under the cursor."""
        if self._lines and self.field is Field.CATEGORY:
            category = self._lines[self.cursor].line.key[0]
            self._folded = self._folded - {category} if expand else self._folded | {category}
            self._rebuild((category, ""))

    def action_search(self) -> None:
        """Type a part of a value; only values that have it are listed."""
        self._searching = True
        self._show_titles()

    def action_leave_search(self) -> None:
        """List all values again; without a search, leave the pane."""
        if not self._searching and not self._search:
            raise SkipAction
        self._set_search("", searching=False)

    def on_key(self, event: Key) -> None:
        """While searching, take in what is typed."""
        if not self._searching:
            return
        if event.key == "enter":
            self._set_search(self._search, searching=False)
        elif event.key == "backspace":
            self._set_search(self._search[:-1], searching=bool(self._search))
        elif event.key == "ctrl+u":
            self._set_search("", searching=True)
        elif event.is_printable and event.character:
            self._set_search(self._search + event.character, searching=True)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: Paste) -> None:
        """While searching, take in the first line of what is pasted."""
        if self._searching and event.text:
            event.stop()
            self._set_search(self._search + event.text.splitlines()[0], searching=True)

    def on_blur(self) -> None:
        """What is typed elsewhere is no search any more."""
        if self._searching:
            self._set_search(self._search, searching=False)

    def _set_search(self, text: str, *, searching: bool) -> None:
        self._search, self._searching = text[:_SEARCH_MAX], searching
        self._rebuild()
        self._show_titles()

    def _chosen(self) -> Facet | None:
        """The value under the cursor, if it is one that events can be filtered by."""
        if not self._lines:
            return None
        facet = self._lines[self.cursor].line.facet
        if facet is None:
            self.notify("these are too many values to tell apart", markup=False, timeout=2)
        return facet

    def _shows(self, facet: Facet | None) -> bool:
        return facet is None or self._filter.shows(facet)

    def _is_shown(self, item: _Line) -> bool:
        facet, shown = item.line.facet, self._filter
        if facet is None or self.field is not Field.CATEGORY:
            return self._shows(facet)
        above = None if item.parent is None else item.parent.facet
        below = [kind.facet for kind in item.line.types]
        alone = shown.alone(facet.group)
        if {facet, above} & shown.muted:
            return False
        return not alone or facet in alone or above in alone or any(kind in alone for kind in below)

    def _rebuild(self, keep: tuple[str, str] | None = None) -> None:
        if keep is None and self._lines:
            keep = self._lines[min(self.cursor, len(self._lines) - 1)].line.key
        needle = self._search.casefold()
        self._lines = []
        for line in self._facets:
            found = needle in line.label.casefold()
            types = [kind for kind in line.types if found or needle in kind.label.casefold()]
            if not found and not types:
                continue
            self._lines.append(_Line(line, None))
            if needle or line.key[0] not in self._folded:
                self._lines.extend(_Line(kind, line) for kind in types)
        for index, item in enumerate(self._lines):
            if item.line.key == keep:
                self.cursor = index
                break
        self.lines_changed()

    def _show_titles(self) -> None:
        title = clean(f"{TITLES[self.field]} ─ {self._covers}" if self._covers else TITLES[self.field])
        number = f"{FACET_FIELDS.index(self.field) + 1}/{len(FACET_FIELDS)} ← →"
        if self._searching or self._search:
            number = clean(f"/{self._search}{'▏' if self._searching else ''}")
        if (title, number) != self._titles:
            # Setting a title lays the border out again, which a title that stays the same need not cost.
            self._titles = (title, number)
            self.border_title = Content(clean(title))
            self.border_subtitle = Content(clean(number))


def _change(trend: Trend) -> str:
    """The last minute against the hour before: `▲3.2×`, `▼0×`, `new`; empty for nothing out of the ordinary."""
    if trend.is_new:
        return "new"
    if trend.ratio is None:
        return ""
    whole = not 0.05 <= trend.ratio < 9.95
    number = f"{min(999, trend.ratio):.0f}" if whole else f"{trend.ratio:.1f}"
    return f"{'▲' if trend.ratio > 1 else '▼'}{number}×"

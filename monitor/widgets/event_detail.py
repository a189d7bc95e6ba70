"""An event in full: its fields, then its metadata as a tree, long values wrapped; or all of it as JSON."""

from __future__ import annotations

import json
from typing import Any

from textual.binding import Binding
from textual.events import Resize

from monitor.masking import shown_event
from monitor.model.detail import METADATA, Item, Place, branches, detail_items
from monitor.text import cell_width, clean, clean_lines, fit
from monitor.widgets.lines import LineList, Part
from monitor.widgets.row_format import SEVERITY_MARK
from monitor.zone import Zone
from store.event import Event, Severity
from store.wire import encode

_LABEL = 12
_MAX_LINES = 5000
_STYLES = {"type": "strong", "resource": "accent", "secondary": "accent", "id": "dim", "position": "dim"}
_ABSENT = {"severity": "none"}

Line = tuple[list[Part], Item | None]
"""A line, and the value that it belongs to."""


class EventDetail(LineList):
    """The lines of one event. The cursor stands on a value, whose branch folds."""

    BINDINGS = [
        Binding("h,left", "fold", "Fold, or go to what it is in", show=False),
        Binding("l,right", "unfold", "Unfold, or go into it", show=False),
        Binding("space", "fold_or_unfold", "Fold / unfold", show=False),
        Binding("minus", "fold_all", "Fold all", show=False),
        Binding("plus", "unfold_all", "Unfold all", show=False),
    ]

    def __init__(self, event: Event, zone: Zone, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._event = event
        self._zone = zone
        self._folded: frozenset[Place] = frozenset()
        self._raw = False
        self._lines: list[Line] = []
        self._built_for = 0

    @property
    def selected(self) -> Item | None:
        """The value under the cursor; None between values, and in the JSON."""
        return self._lines[self.cursor][1] if self.cursor < len(self._lines) else None

    @property
    def raw(self) -> bool:
        """Whether the JSON is shown."""
        return self._raw

    def on_mount(self) -> None:
        """Be ready for keys."""
        self.focus()

    def on_resize(self, event: Resize) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Wrap to the new width."""
        if self.size.width != self._built_for:
            self._built_for = self.size.width
            self._build()
        self.lines_changed()

    def show(self, event: Event, zone: Zone) -> None:
        """Show another event, or the same in another zone. What was folded stays so, and the cursor on its value."""
        self._event, self._zone = event, zone
        self._rebuild()

    def action_fold(self) -> None:
        """Fold the branch under the cursor; on a value, or when it is folded, go to the branch that it is in."""
        item = self.selected
        if item is None:
            return
        if item.is_branch and item.place not in self._folded:
            self._fold(self._folded | {item.place})
        elif len(item.place) > 1:
            self._go_to(item.place[:-1])

    def action_unfold(self) -> None:
        """Unfold the branch under the cursor; when it is unfolded, go to the first value in it."""
        item = self.selected
        if item is None or not item.is_branch:
            return
        if item.place in self._folded:
            self._fold(self._folded - {item.place})
        else:
            self.action_move(1)

    def action_fold_or_unfold(self) -> None:
        """Fold or unfold the branch under the cursor, or the one that the value is in."""
        item = self.selected
        if item is None or item.is_field:
            return
        place = item.place if item.is_branch else item.place[:-1]
        if place:
            self._go_to(place)
            self._fold(self._folded ^ {place})

    def action_fold_all(self) -> None:
        """Fold every branch of the metadata."""
        item = self.selected
        if item is not None and len(item.place) > 2:
            self._go_to(item.place[:2])
        self._fold(branches(detail_items(self._event, self._zone)))

    def action_unfold_all(self) -> None:
        """Unfold every branch."""
        self._fold(frozenset())

    def action_raw(self) -> None:
        """Show the JSON, or the tree again."""
        self._raw = not self._raw
        self._rebuild()

    def line_count(self) -> int:
        """Lines after wrapping."""
        return len(self._lines)

    def line_parts(self, index: int, width: int) -> list[Part]:
        """One line."""
        return self._lines[index][0]

    def _fold(self, folded: frozenset[Place]) -> None:
        if not self._raw:
            self._folded = folded
            self._rebuild()

    def _go_to(self, place: Place) -> None:
        for index, (_, item) in enumerate(self._lines):
            if item is not None and item.place == place:
                self.action_move(index - self.cursor)
                return

    def _rebuild(self) -> None:
        item = self.selected
        self._build()
        self.lines_changed()
        if item is not None:
            self._go_to(item.place)

    def _build(self) -> None:
        width = self.size.width
        if self._raw:
            self._lines = [(parts, None) for parts in json_lines(self._event, width)]
        else:
            items = detail_items(self._event, self._zone, self._folded)
            self._lines = item_lines(items, width, self._folded)


def item_lines(items: list[Item], width: int, folded: frozenset[Place] = frozenset()) -> list[Line]:
    """The lines that show `items` at `width` cells, with the branches in `folded` marked as such."""
    lines: list[Line] = []
    for item in items:
        if item.is_field:
            lines.extend((parts, item) for parts in _field_lines(item, width))
            continue
        if item.place == (METADATA,):
            lines.append(([], None))
        lines.extend((parts, item) for parts in _tree_lines(item, width, item.place in folded))
    if len(lines) > _MAX_LINES:
        left_out = f"… {len(lines) - _MAX_LINES:,} more lines; the JSON copied has all"
        lines[_MAX_LINES:] = [([(left_out, "warning")], None)]
    return lines


def json_lines(event: Event, width: int) -> list[list[Part]]:
    """The event as its message has it, indented, with long lines wrapped."""
    lines: list[list[Part]] = []
    for line in json.dumps(json.loads(encode(shown_event(event))), indent=2, ensure_ascii=False).split("\n"):
        text = clean(line.lstrip(" "))
        indent = " " * min(len(line) - len(line.lstrip(" ")), width // 2)
        lines.extend([(indent + piece, "")] for piece in wrap(text, max(1, width - len(indent))) or [""])
    if len(lines) > _MAX_LINES:
        lines[_MAX_LINES:] = [[(f"… {len(lines) - _MAX_LINES:,} more lines; copied, it is whole", "warning")]]
    return lines


def _field_lines(item: Item, width: int) -> list[list[Part]]:
    value, style = clean(item.text) or _ABSENT.get(item.label, "–"), _STYLES.get(item.label, "")
    if item.label == "severity" and item.facet is not None:
        mark, style = SEVERITY_MARK[Severity(item.text)]
        value = f"{mark} {value}"
    lines = wrap(value, max(1, width - _LABEL)) or [""]
    return [
        [(fit(item.label if not number else "", _LABEL), "dim"), (line, style)]
        for number, line in enumerate(lines)
    ]


def _tree_lines(item: Item, width: int, is_folded: bool) -> list[list[Part]]:
    depth, key = len(item.place) - 1, clean(item.label)
    indent = "  " * min(depth, 12, max(1, width // 10))
    if not depth:
        if not item.is_branch:
            return [[("no metadata", "dim")]]
        return [[(f"{'▸' if is_folded else '▾'} metadata", "dim"), *_count(item, is_folded)]]
    room = max(10, width - cell_width(indent))
    if item.is_branch:
        first, *rest = wrap(key, room) or [""]
        head = indent[:-2] + ("▸ " if is_folded else "▾ ")
        return [
            [(head + first, "accent"), *(_count(item, is_folded) if not rest else [])],
            *([(indent + line, "accent")] for line in rest),
        ]
    lines: list[list[Part]] = []
    lead = f"{indent}{key}: "
    if cell_width(lead) > max(width // 2, cell_width(indent) + 10):
        # Beside a key this long the value would have no room.
        lines.extend([(indent + line, "accent")] for line in wrap(f"{key}:", room))
        lead = indent + "  "
    texts = clean_lines(item.value) if isinstance(item.value, str) else [clean(item.text)]
    beside = max(10, width - cell_width(lead))
    for line in [line for text in texts for line in (wrap(text, beside) or [""])]:
        lines.append([(lead, "accent"), (line, "")])
        lead = " " * cell_width(lead)
    return lines


def _count(item: Item, is_folded: bool) -> list[Part]:
    """How many values are in a branch that does not show them."""
    value: Any = item.value
    return [(f"  {len(value):,} {'values' if len(value) > 1 else 'value'}", "dim")] if is_folded else []


def wrap(text: str, width: int) -> list[str]:
    """Cut cleaned text into lines of at most `width` cells, at spaces where there are some."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        candidate = f"{line} {word}" if line else word
        if not _is_wider(candidate, width):
            line = candidate
            continue
        if line:
            lines.append(line)
        while _is_wider(word, width):
            head = fit(_enough_of(word, width), width, ellipsis="", pad=False)
            if not head:
                break
            lines.append(head)
            word = word[len(head) :]
        line = word
    if line:
        lines.append(line)
    return lines


def _is_wider(text: str, width: int) -> bool:
    return cell_width(_enough_of(text, width)) > width


def _enough_of(text: str, width: int) -> str:
    """As much of a long text as tells whether it is wider than `width`: measuring all of it each time adds up."""
    beginning = text[: 4 * width]
    return text if cell_width(beginning) <= width else beginning

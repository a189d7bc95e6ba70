"""An event in full: its fields, then its metadata as a tree, long values wrapped."""

from __future__ import annotations

from typing import Any

from textual.events import Resize

from monitor.text import cell_width, clean, clean_lines, fit
from monitor.widgets.lines import LineList, Part
from monitor.widgets.row_format import SEVERITY_MARK
from monitor.zone import Zone
from store.event import Event

_LABEL = 12
_MAX_LINES = 5000


class EventDetail(LineList):
    """The lines of one event."""

    def __init__(self, event: Event, zone: Zone, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._event = event
        self._zone = zone
        self._lines: list[list[Part]] = []
        self._built_for = 0

    def on_mount(self) -> None:
        """Be ready for keys."""
        self.focus()

    def on_resize(self, event: Resize) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Wrap to the new width."""
        if self.size.width != self._built_for:
            self._built_for = self.size.width
            self._lines = detail_lines(self._event, self._zone, self.size.width)
        self.lines_changed()

    def line_count(self) -> int:
        """Lines after wrapping."""
        return len(self._lines)

    def line_parts(self, index: int, width: int) -> list[Part]:
        """One line."""
        return self._lines[index]


def detail_lines(event: Event, zone: Zone, width: int) -> list[list[Part]]:
    """The lines that show `event` at `width` cells."""
    mark, style = SEVERITY_MARK[event.severity]
    position = f"{event.position:,}" if event.position is not None else "not in the store yet"
    fields: list[tuple[str, str, str]] = [
        (
            "time",
            zone.full(event.inserted_at) if zone is not Zone.RELATIVE else Zone.UTC.full(event.inserted_at),
            "",
        ),
        ("type", event.event_type, "strong"),
        ("category", event.category, ""),
        ("severity", f"{mark} {event.severity.value}" if event.severity else "none", style),
        ("status", event.status or "–", ""),
        ("actor", event.actor, ""),
        ("resource", event.resource or "–", "accent"),
        ("secondary", event.secondary_resource or "–", "accent"),
        ("id", str(event.id), "dim"),
        ("position", position, "dim"),
    ]
    lines: list[list[Part]] = []
    for label, value, name in fields:
        lines.extend(_labelled(label, clean(value), name, width))
    lines.append([])
    lines.append([("metadata", "dim")] if event.metadata else [("no metadata", "dim")])
    _tree(event.metadata, 1, width, lines)
    if len(lines) > _MAX_LINES:
        lines[_MAX_LINES:] = [[(f"… {len(lines) - _MAX_LINES:,} more lines", "warning")]]
    return lines


def _labelled(label: str, value: str, style: str, width: int) -> list[list[Part]]:
    lines = wrap(value, max(1, width - _LABEL)) or [""]
    return [
        [(fit(label if not number else "", _LABEL), "dim"), (line, style)]
        for number, line in enumerate(lines)
    ]


def _tree(value: Any, depth: int, width: int, lines: list[list[Part]]) -> None:
    items: list[tuple[str, Any]]
    if isinstance(value, dict):
        items = [(clean(str(key)), item) for key, item in value.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    else:
        items = [(f"[{number}]", item) for number, item in enumerate(value)]
    indent = "  " * min(depth, 12, max(1, width // 10))
    room = max(10, width - cell_width(indent))
    for key, item in items:
        if isinstance(item, (dict, list)) and item:
            lines.extend([(indent + line, "accent")] for line in wrap(key, room) or [""])
            _tree(item, depth + 1, width, lines)
            continue
        lead = f"{indent}{key}: "
        if cell_width(lead) > max(width // 2, cell_width(indent) + 10):
            # Beside a key this long the value would have no room.
            lines.extend([(indent + line, "accent")] for line in wrap(f"{key}:", room))
            lead = indent + "  "
        texts = clean_lines(item) if isinstance(item, str) else [clean(_literal(item))]
        beside = max(10, width - cell_width(lead))
        for line in [line for text in texts for line in (wrap(text, beside) or [""])]:
            lines.append([(lead, "accent"), (line, "")])
            lead = " " * cell_width(lead)


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return {"{}": "{}", "[]": "[]"}.get(str(value), str(value))


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

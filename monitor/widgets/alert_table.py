"""A list of alerts, of past episodes or of silences, one line each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from textual.message import Message

from monitor.health.alert_history import PastEpisode
from monitor.health.desk import DeskAlert
from monitor.health.silences import Silence
from monitor.text import cell_width, clean, fit
from monitor.widgets.alert_line import alert_parts
from monitor.widgets.lines import LineList, Part
from monitor.zone import Zone, lasted, short_age
from store.event import Severity

Entry = DeskAlert | PastEpisode | Silence
RULE_FROM = 90
"""Cells from which on the name of the rule has room."""


class AlertTable(LineList):
    """The cursor stays on its entry while others come and go."""

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._now = now
        self._entries: Sequence[Entry] = ()
        self._empty = ""
        self.zone = Zone.UTC

    class Moved(Message):
        """Another entry is under the cursor."""

    def show(self, entries: Sequence[Entry], empty: str) -> None:
        """Show these, or `empty` where there are none."""
        chosen = self.chosen
        self._entries, self._empty = entries, empty
        if chosen is not None:
            name = _name(chosen)
            place = next((number for number, entry in enumerate(entries) if _name(entry) == name), None)
            self.cursor = self.cursor if place is None else place
        self.lines_changed()

    @property
    def chosen(self) -> Entry | None:
        """What is under the cursor; None when there is nothing."""
        return self._entries[min(self.cursor, len(self._entries) - 1)] if self._entries else None

    def line_count(self) -> int:
        """One an entry."""
        return len(self._entries)

    def empty_text(self) -> str:
        """What was said of no entries."""
        return self._empty

    def line_parts(self, index: int, width: int) -> list[Part]:
        """What the entry is, in one line."""
        entry = self._entries[index]
        match entry:
            case DeskAlert():
                return alert_parts(entry, self._now(), width, rule=width >= RULE_FROM)
            case PastEpisode():
                return self._past(entry, width)
            case Silence():
                return self._silence(entry, width)

    def _place(self, cursor: int) -> None:
        before = self.cursor
        super()._place(cursor)
        if self.cursor != before:
            self.post_message(self.Moved())

    def _past(self, episode: PastEpisode, width: int) -> list[Part]:
        sign, style = ("✖ ", "error") if episode.severity is Severity.ERROR else ("▲ ", "warning")
        when = self.zone.stamp(episode.fired, self._now())
        if episode.resolved is None:
            length = "no end yet"
        else:
            length = f"for {lasted(int((episode.resolved - episode.fired).total_seconds()))}"
        note = f"  acked by {clean(episode.acknowledged_by)}" if episode.acknowledged_by else ""
        tail = f"  {length:<12}"
        room = width - 2 - cell_width(when) - 1 - cell_width(tail)
        note = fit(note, min(cell_width(note), room // 2), pad=False) if note else ""
        return [
            (when, "dim"),
            (" ", ""),
            (sign, "dim" if episode.resolved else style),
            (fit(clean(episode.title), max(1, room - cell_width(note))), ""),
            (note, "dim"),
            (tail, "dim"),
        ]

    def _silence(self, silence: Silence, width: int) -> list[Part]:
        now = self._now()
        if silence.is_active(now):
            state, style = f"{short_age(now, silence.ends)} left", "accent"
        elif silence.is_expired(now):
            state, style = "ended" if silence.ended_by else "ran out", "dim"
        else:
            state, style = "to come", "dim"
        by = f"  {clean(silence.author)}"
        why = f": {clean(silence.comment)}" if silence.comment else ""
        head = f"{state:<10}"
        room = width - cell_width(head)
        by = fit(by + why, min(cell_width(by + why), room // 2), pad=False)
        return [(head, style), (fit(clean(silence.text), max(1, room - cell_width(by))), ""), (by, "dim")]


def _name(entry: Entry) -> object:
    match entry:
        case DeskAlert():
            return entry.alert.fingerprint
        case PastEpisode():
            return (entry.fingerprint, entry.fired)
        case Silence():
            return entry.id

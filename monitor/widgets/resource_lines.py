"""The top of a resource page: present status and since when, first and last seen, actors, how it went."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from textual.strip import Strip

from monitor.model.resource import ResourceFacts
from monitor.text import clean
from monitor.widgets.lines import Lines, Part
from monitor.zone import Zone, age

_BAD = {"failed", "down", "error", "unhealthy", "offline"}
_WORRYING = {"degraded", "paused", "stalled", "cancelled", "warning"}


class ResourceHeader(Lines):
    """Four lines of facts."""

    DEFAULT_CSS = "ResourceHeader { height: 6; }"

    def __init__(self, now: Callable[[], datetime], *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._now = now
        self._lines: list[list[Part]] = []

    def show(self, facts: ResourceFacts, count: int, first: datetime | None, zone: Zone) -> None:
        """Show `facts` of the loaded events, and `count` and `first` of all of them."""
        now = self._now()
        status: list[Part] = [("status    ", "dim")]
        if facts.status is None:
            status.append(("none reported", "dim"))
        else:
            status.append((clean(facts.status.status), _style(facts.status.status)))
            status.append((f"  for {age(facts.status.since, now)}", ""))
            status.append((f", since {zone.full(facts.status.since, exact=False)}", "dim"))
        seen: list[Part] = [("first     ", "dim"), (zone.full(first, exact=False) if first else "–", "")]
        seen.append((f"   {_counted(count, 'event')}", ""))
        if facts.as_secondary:
            seen.append((f", {facts.as_secondary:,} of the loaded in its secondary role", "dim"))
        seen.append((f"   {_counted(facts.errors, 'error')}", "error" if facts.errors else "dim"))
        seen.append((f"   {_counted(facts.warnings, 'warning')}", "warning" if facts.warnings else "dim"))
        history: list[Part] = [("history   ", "dim")]
        for number, span in enumerate(reversed(facts.statuses[-12:])):
            history.append((" ← " if number else "", "dim"))
            history.append((clean(span.status), _style(span.status)))
            history.append((f" {zone.minute(span.since)}", "dim"))
        actors: list[Part] = [("actors    ", "dim")]
        for actor, times in facts.actors:
            actors.extend([(clean(actor), "accent"), (f" {times:,}  ", "dim")])
        lines = [status, seen, history, actors]
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        return self.strip(self._lines[y] if y < len(self._lines) else [], self.size.width)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _style(status: str) -> str:
    folded = status.casefold()
    return "error" if folded in _BAD else "warning" if folded in _WORRYING else "good"
